"""What the occurrence family asks of points, in the same words as of cells."""

from __future__ import annotations

from quadrat.occurrence.points.checking import check
from quadrat.occurrence.points.data import prepare
from quadrat.occurrence.points.evaluating import evaluate
from quadrat.occurrence.points.predictor import PointsPredictor
from quadrat.occurrence.points.training import KIND, train
from quadrat.occurrence.points.trials import validation_score

__all__ = [
    "KIND",
    "PointsPredictor",
    "check",
    "evaluate",
    "prepare",
    "train",
    "validation_score",
]
