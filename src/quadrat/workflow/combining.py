"""Ensembles in one call: the experiment is made from the runs that are named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quadrat.errors import UsageError
from quadrat.experiment import parse
from quadrat.workflow.training import train

if TYPE_CHECKING:
    from quadrat.predictors import Run


def ensemble(
    runs: Sequence[Path | str],
    *,
    method: str = "mean",
    name: str = "ensemble",
    jit: bool = False,
    copy: bool = False,
    drop_broken: bool = False,
    out: Path | str = "runs",
    overrides: Sequence[str] = (),
) -> Run:
    """Combines finished runs into one that predicts, with its scores and its report.

    Args:
        runs: Their folders, all of photos or all of species networks; the first says which
            targets and columns, or in which order the species, there are.
        method: ``mean``, ``median``, or ``weighted``: by weights fitted to the out-of-fold
            predictions.
        name: The first part of the new run folder's name.
        jit: Load, use and free members one at a time.
        copy: Copy the members into the new run folder.
        drop_broken: Leave out members whose R² is below 0.
        out: The folder in which the new run folder is made.
        overrides: ``"section.key=value"``.

    Returns:
        The new run.

    Raises:
        ExperimentError: The request cannot be an ensemble.
        DataError: The members cannot be combined or judged together.
    """
    if len(runs) < 2:
        raise UsageError("an ensemble needs two runs or more.")
    document = {
        "family": "ensemble",
        "name": name,
        "member": [{"run": str(run)} for run in runs],
        "combine": {"method": method, "jit": jit, "copy": copy, "drop_broken": drop_broken},
    }
    return train(parse(document, overrides), out=out)
