"""Members that are trained with their ensemble, each as a run of its own in its run folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from quadrat.engine import current_progress
from quadrat.ensemble.members import open_runs, trained_in, unfit
from quadrat.ensemble.reading import refusals, size_problems
from quadrat.ensemble.schema import EnsembleExperiment
from quadrat.errors import DataError, ExperimentError, QuadratError, RunError, UsageError
from quadrat.experiment import CheckReport, Experiment, load
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.photos.other_size import asked_size, require_seen_at
from quadrat.photos.schema import PhotosExperiment, Sides
from quadrat.predictors import family_of
from quadrat.runs import Run


def train_members(experiment: EnsembleExperiment, folder: Path) -> None:
    """Trains the members that are named by an experiment file; goes on from what lies there.

    What can be seen of their files and data is looked at before the first is trained. A member
    that has finished is not trained again, unless its file has more epochs now.

    Args:
        experiment: The ensemble's experiment.
        folder: The ensemble's run folder.

    Raises:
        DataError: Experiments or data cannot be used; everything that was found is listed.
        RunError: A member was begun with another experiment.
        UsageError: Several processes train together.
        Stopped: A signal asked to stop; the state was saved.
    """
    due = [
        (place, Run(trained_in(folder, place)), one)
        for place, one in _experiments(experiment)
        if not _finished(Run(trained_in(folder, place)), one)
    ]
    if not due:
        return
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "several processes cannot train the members of an ensemble: train each by itself, and "
            "name its run in member.run."
        )
    report = check_experiments(experiment, [place for place, _, _ in due])
    if report.errors:
        raise DataError("members cannot be trained.", report.errors)
    for place, run, one in due:
        current_progress().note(f"member {place}: {run.folder}")
        run.folder.mkdir(parents=True, exist_ok=True)
        run.write_experiment(one)
        with run.running(one):
            family_of(one).train(run.experiment(), run, history=run.history())


def check_experiments(experiment: EnsembleExperiment, places: list[int]) -> CheckReport:
    """What is found in the files and data of members that are to be trained, and of the others.

    Args:
        experiment: The ensemble's experiment.
        places: Which of its members are to be trained.
    """
    report, planned = CheckReport(), list(_experiments(experiment))
    runs, problems = open_runs(experiment)
    members = [*(run.experiment for run in runs), *(one for _, one in planned)]
    report.errors.extend([*problems, *_unlike(experiment, members), *size_problems(runs)])
    for place, one in planned:
        if place not in places:
            continue
        try:
            found = family_of(one).check(one)
            found.errors.extend(_size_problems(one, experiment.combine.sides))
        except QuadratError as error:
            report.errors.append(f"member.{place}.experiment: {error}")
            continue
        report.errors.extend(f"member.{place}.experiment: {line}" for line in found.errors)
        report.warnings.extend(f"member.{place}.experiment: {line}" for line in found.warnings)
        report.facts.update({f"member {place}, {key}": v for key, v in found.facts.items()})
    return report


def _size_problems(one: Experiment, size: Sides | None) -> list[str]:
    """Why a member could not see photos at the size that the ensemble asks for."""
    if size is None or not isinstance(one, PhotosExperiment) or size == asked_size(one):
        return []
    return refusals(partial(require_seen_at, one, size))


def _unlike(experiment: EnsembleExperiment, members: Sequence[Experiment]) -> list[str]:
    """Why members could not be combined, once they were trained."""
    families = {one.family for one in members}
    if len(families) > 1:
        return [f"members of several families: {', '.join(sorted(families))}"]
    networks = [one for one in members if isinstance(one, OccurrenceExperiment)]
    if networks:
        from quadrat.ensemble.species.agreement import require_keys_of_species

        try:
            require_keys_of_species(experiment, networks)
        except DataError as error:
            return list(error.problems)
    return []


def _experiments(experiment: EnsembleExperiment) -> Iterator[tuple[int, Experiment]]:
    """The experiments of members, with their place among the members.

    Raises:
        DataError: Lists all files that are wrong, or of a family that cannot be combined.
    """
    found, problems = [], []
    for place, section in enumerate(experiment.member):
        if section.experiment is None:
            continue
        try:
            found.append((place, _loaded(section.experiment)))
        except ExperimentError as error:
            problems += [f"member.{place}.experiment: {line}" for line in error.problems]
    if problems:
        raise DataError("the experiments of members cannot be used.", problems)
    yield from found


def _loaded(path: Path) -> Experiment:
    one = load(path)
    if why := unfit(one):
        raise ExperimentError([f"it cannot be a member: {why}"], path)
    return one


def _finished(run: Run, experiment: Experiment) -> bool:
    """Whether a member has been trained as its experiment says.

    Raises:
        RunError: It was begun with another experiment.
    """
    if not run.path("experiment.toml").exists():
        return False
    if run.experiment().content_hash() != experiment.content_hash():
        raise RunError(
            f"the member {run.folder} was begun with another experiment than its file holds now. "
            "Set the file back, or make the ensemble in a new run folder."
        )
    status = run.status()
    enough = int(status.get("epochs", 0)) >= experiment.optimiser.epochs
    return status.get("state") == "finished" and enough
