"""The experiment file: sections and keys, loading, overriding, checking, hashing, writing."""

from quadrat.experiment.checks import CheckReport
from quadrat.experiment.loading import (
    FAMILIES,
    experiment_class,
    json_schema,
    load,
    parse,
    read_document,
)
from quadrat.experiment.paths import FilePath, Located, located
from quadrat.experiment.sections import (
    AverageSection,
    Experiment,
    OptimiserSection,
    RunSection,
    ScoreSection,
    Section,
)

__all__ = [
    "FAMILIES",
    "AverageSection",
    "CheckReport",
    "Experiment",
    "FilePath",
    "Located",
    "OptimiserSection",
    "RunSection",
    "ScoreSection",
    "Section",
    "experiment_class",
    "json_schema",
    "load",
    "located",
    "parse",
    "read_document",
]
