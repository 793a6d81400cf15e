"""Keys of experiment files."""

from __future__ import annotations

from quadrat.experiment import Experiment
from quadrat.experiment.keys import inner_model


def key_exists(experiment: type[Experiment], key: str) -> bool:
    """Whether a family's experiment files have a key, such as ``optimiser.epochs``."""
    model = experiment
    for part in key.split("."):
        if model is None or part not in model.model_fields:
            return False
        model = inner_model(model.model_fields[part].annotation)
    return True
