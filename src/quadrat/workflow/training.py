"""Training: a run folder is made or taken up, the family trains into it, the report is written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from quadrat import predictors, runs
from quadrat.engine import current_progress, stops_gracefully
from quadrat.errors import QuadratError, RunError, Stopped
from quadrat.experiment import Experiment
from quadrat.workflow.experiments import ExperimentSource, load_experiment
from quadrat.workflow.provenance import provenance

if TYPE_CHECKING:
    from quadrat.engine import Backend


def train(
    experiment: ExperimentSource,
    *,
    out: Path | str = "runs",
    resume: Literal["auto"] | Path | str | None = None,
    overrides: Sequence[str] = (),
) -> predictors.Run:
    """Trains all folds of an experiment and writes its report.

    Args:
        experiment: A file, a recipe's name, a mapping or an experiment.
        out: The folder of runs; the new run folder is made in it.
        resume: A run folder to go on with, or ``"auto"``: the newest run of this experiment in
            ``out`` that is not over, and a new run where there is none. With more epochs a
            finished run goes on.
        overrides: ``"section.key=value"``.

    Returns:
        The run, which predicts.

    Raises:
        ExperimentError: The experiment file is wrong.
        DataError: The data cannot be used.
        RunError: The run to resume is another experiment's, or is being trained at this moment.
        Stopped: A signal asked to stop; the state was saved.
    """
    checked = load_experiment(experiment, overrides)
    run = _find_run(checked, Path(out), resume)
    family = predictors.family_of(checked)
    with _discarded_if_refused(run), _marked(run, checked), stops_gracefully():
        current_progress().note(f"run folder: {run.folder}")
        if is_main():
            run.write_experiment(checked)
            runs.write_json(run.path("provenance.json"), provenance(checked))
        family.train(run.experiment(), run, history=run.history())
        if is_main():
            from quadrat.report import write_report

            write_report(run)
    if _processes() > 1:
        # A process that ends or asks for the scores too early takes the writing one with it.
        _backend(checked).wait()
    return predictors.load_run(run.folder)


def _find_run(
    experiment: Experiment, out: Path, resume: Literal["auto"] | Path | str | None
) -> runs.Run:
    if is_main():
        run = _resumed(experiment, out, resume) or runs.Run.create(out, experiment)
        folder = str(run.folder)
    else:
        folder = ""
    if _processes() > 1:
        folder = _backend(experiment).agree(folder)
    return runs.Run(Path(folder))


def _resumed(
    experiment: Experiment, out: Path, resume: Literal["auto"] | Path | str | None
) -> runs.Run | None:
    if resume is None:
        return None
    if resume == "auto":
        return runs.Run.latest(out, experiment)
    run = runs.Run.open(resume)
    if run.is_alive():
        raise RunError(
            f"{run.folder} is being trained at this moment by process {run.status()['pid']}. "
            "Wait for it, or stop it first."
        )
    before = run.experiment()
    if before.content_hash() != experiment.content_hash():
        changed = "\n".join(f"  - {line}" for line in _differences(before, experiment))
        raise RunError(
            f"{run.folder} was begun with another experiment:\n{changed}\n"
            "A resumed run may have other epochs, patience, learning_rate_min, name and [run] "
            "settings only. Set the rest back, or start a new run without --resume."
        )
    return run


def _differences(before: Experiment, now: Experiment) -> list[str]:
    old, new = _flat(before.content()), _flat(now.content())
    keys = sorted(key for key in old | new if old.get(key) != new.get(key))
    return [f"{key}: {old.get(key, 'unset')!r} then, {new.get(key, 'unset')!r} now" for key in keys]


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _backend(experiment: Experiment) -> Backend:
    from quadrat.engine import Backend

    return Backend.create(experiment.run.device, experiment.optimiser.precision)


def _processes() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this is the process that writes, when several train together."""
    return int(os.environ.get("RANK", "0")) == 0


@contextlib.contextmanager
def _discarded_if_refused(run: runs.Run) -> Iterator[None]:
    """A run whose data cannot be used leaves no folder behind."""
    try:
        yield
    except QuadratError as error:
        if is_main() and not isinstance(error, Stopped):
            run.discard_if_unused()
        raise


def _marked(run: runs.Run, experiment: Experiment) -> contextlib.AbstractContextManager[None]:
    return run.running(experiment) if is_main() else contextlib.nullcontext()
