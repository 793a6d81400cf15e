"""A look at experiment and data before any training."""

from __future__ import annotations

from collections.abc import Sequence

from quadrat.experiment import CheckReport
from quadrat.predictors import family_of
from quadrat.workflow.experiments import ExperimentSource, load_experiment


def check(experiment: ExperimentSource, *, overrides: Sequence[str] = ()) -> CheckReport:
    """Validates an experiment and its data, and estimates what training will take.

    Args:
        experiment: A file, a recipe's name, a mapping or an experiment.
        overrides: ``"section.key=value"``.

    Raises:
        ExperimentError: The experiment file is wrong.
        DataError: The data cannot be read at all; findings that can be listed are in the report.
    """
    checked = load_experiment(experiment, overrides)
    return family_of(checked).check(checked)
