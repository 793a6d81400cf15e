"""The search as one function: settings, space, storage, trials, results."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from pydantic import ValidationError

from quadrat.engine import current_progress, stops_gracefully
from quadrat.errors import TrainingError, UsageError
from quadrat.experiment import Experiment
from quadrat.predictors import family_of
from quadrat.scoring import primary_direction
from quadrat.search.page import write_page
from quadrat.search.proposing import Proposer
from quadrat.search.results import StudyResult, make_result
from quadrat.search.running import Search, SharedData
from quadrat.search.sampling import MedianPruner, SteadySampler
from quadrat.search.schema import TuneSettings
from quadrat.search.space import require_searchable, searched_space
from quadrat.search.storage import open_storage, open_study, quiet_optuna, require_suffix
from quadrat.workflow import load_experiment
from quadrat.workflow.experiments import ExperimentSource


def tune(
    experiment: ExperimentSource,
    *,
    method: str = "tpe",
    trials: int = 30,
    epochs: int | None = None,
    only: Sequence[str] = (),
    space: Path | str | Mapping[str, Any] | None = None,
    storage: Path | str | None = None,
    out: Path | str = "runs",
    overrides: Sequence[str] = (),
    timeout: float | None = None,
) -> StudyResult:
    """Searches for the values of an experiment that score best on its validation part.

    The experiment's own values are tried first. A trial is a training without a run folder; it is
    judged on validation cells or inner rows, never on what a run is judged on. Trials that are
    worse than the median of the others at the same epoch are given up after three epochs.

    With a storage that exists the search goes on: trials of killed processes are repeated, and
    several processes may share a storage.

    Args:
        experiment: A file, a recipe's name, a mapping or an experiment.
        method: ``"tpe"`` or ``"random"``.
        trials: Trials in the storage when the search is over.
        epochs: Epochs of a trial; by default the experiment's, at most 15.
        only: Search these keys of the space only.
        space: A file or mapping of ranges, in place of the shipped ones.
        storage: ``.db`` (SQLite) or ``.log`` (Optuna's journal); by default in the study's folder.
        out: Folder in which the study's folder is made.
        overrides: ``"section.key=value"``; these keys are not searched.
        timeout: No trial begins after so many seconds.

    Raises:
        ExperimentError: The experiment file or the space is wrong.
        DataError: The data cannot be used.
        RunError: The storage holds another study.
        TrainingError: No trial has finished.
        Stopped: A signal asked to stop; the trial under way will be repeated.
    """
    settings = _settings(method=method, trials=trials, epochs=epochs, timeout=timeout)
    checked = load_experiment(experiment, overrides)
    require_searchable(checked)
    ranges = searched_space(checked, space=space, only=only, overrides=overrides)
    if storage is not None:
        require_suffix(Path(storage))
    proposer = Proposer(checked, ranges, settings.epochs)
    with quiet_optuna(), stops_gracefully():
        data = SharedData(family_of(checked))
        data.of(checked)  # what is wrong with the data shows before any trial
        study, folder = _open(proposer, settings, storage, Path(out))
        search = Search(study, proposer, data, trials=settings.trials, timeout=settings.timeout)
        try:
            search.run()
        finally:
            result = make_result(study, proposer, folder, _begun_with(proposer))
            result.write()
    write_page(result)
    if result.best is None:
        raise TrainingError(_nothing(result))
    return result


def _settings(**given: Any) -> TuneSettings:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "a search trains one trial in a process: start several processes with the same "
            "--storage instead of one distributed one."
        )
    try:
        return TuneSettings.model_validate(given)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise UsageError("; ".join(problems)) from None


def _open(
    proposer: Proposer, settings: TuneSettings, storage: Path | str | None, out: Path
) -> tuple[optuna.Study, Path]:
    """The study and its folder: the one of the storage, or a new one."""
    experiment = proposer.experiment
    folder: Path | None = None
    if storage is None:
        folder = _new_folder(out, experiment)
        path = folder / "study.log"
    else:
        path = Path(storage)
    higher = primary_direction(experiment.score.primary)
    study = open_study(
        open_storage(path.absolute()),
        _begun_with(proposer),
        name=experiment.name,
        higher_is_better=higher,
        sampler=SteadySampler(settings.method, experiment.seed),
        pruner=MedianPruner(),
    )
    known = study.user_attrs.get("folder")
    if folder is None:
        folder = Path(known) if known and Path(known).is_dir() else _new_folder(out, experiment)
    study.set_user_attr("folder", str(folder))
    current_progress().note(f"study: {path}\nfolder: {folder}")
    _try_given_first(study, proposer)
    return study, folder


def _try_given_first(study: optuna.Study, proposer: Proposer) -> None:
    """Puts the experiment's own values before all others, so that the best is never worse."""
    if study.get_trials(deepcopy=False):
        return
    own = proposer.given()
    if own is None:
        current_progress().note(
            "the experiment's own values are not tried: some lie outside their ranges"
        )
    else:
        study.enqueue_trial(own, user_attrs={"given": True}, skip_if_exists=True)


def _begun_with(proposer: Proposer) -> dict[str, Any]:
    """What trials of one study have in common."""
    experiment = proposer.experiment
    return {
        "experiment": {"name": experiment.name, "hash": experiment.content_hash()},
        "space": proposer.space.content(),
        "epochs": proposer.epochs,
        "seed": experiment.seed,
    }


def _new_folder(out: Path, experiment: Experiment) -> Path:
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    base = f"tune-{experiment.name}-{stamp}-{experiment.content_hash()[:4]}"
    for attempt in range(1, 1000):
        folder = out / (base if attempt == 1 else f"{base}-{attempt}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder.resolve()
    raise UsageError(f"{out} already holds a thousand studies named {base}.")


def _nothing(result: StudyResult) -> str:
    reasons = dict.fromkeys(t.reason.splitlines()[0] for t in result.trials if t.reason)
    listed = "\n".join(f"  - {reason}" for reason in list(reasons)[:5])
    return (
        f"none of {len(result.trials)} trials has finished; see {result.folder / 'trials.csv'}.\n"
        f"{listed}\nTo mend it: narrow the ranges with --space, or look at the experiment with "
        "`quadrat check`."
    )
