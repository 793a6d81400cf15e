"""Scores by name, with baselines and intervals beside them: the same for all families.

Only the scores of species predictions need torch, and they are imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quadrat._lazy import lazy_exports
from quadrat.scoring.baselines import mean_baseline, metadata_baseline
from quadrat.scoring.bootstrap import bootstrap_means, bootstrap_ratios, bootstrap_regression
from quadrat.scoring.geoscore import GeoScore, geoscore, geoscores
from quadrat.scoring.metrics import Metrics, regression_metrics, weight_vector
from quadrat.scoring.names import ScoreInfo, choosing, primary_direction, score_info, score_names
from quadrat.scoring.regression import (
    mean_weighted_r2,
    regression_scores,
    target_scores,
    weighted_r2,
)
from quadrat.scoring.skill import crps_normal, crps_skill

if TYPE_CHECKING:
    from quadrat.scoring._ranking import column_average_precision as column_average_precision
    from quadrat.scoring.occurrence import OccurrenceEvaluator as OccurrenceEvaluator
    from quadrat.scoring.occurrence import Reliability as Reliability

_NEED_TORCH = {
    "OccurrenceEvaluator": "quadrat.scoring.occurrence",
    "Reliability": "quadrat.scoring.occurrence",
    "column_average_precision": "quadrat.scoring._ranking",
}

__all__ = [
    "GeoScore",
    "Metrics",
    "OccurrenceEvaluator",
    "Reliability",
    "ScoreInfo",
    "bootstrap_means",
    "bootstrap_ratios",
    "bootstrap_regression",
    "choosing",
    "column_average_precision",
    "crps_normal",
    "crps_skill",
    "geoscore",
    "geoscores",
    "mean_baseline",
    "mean_weighted_r2",
    "metadata_baseline",
    "primary_direction",
    "regression_metrics",
    "regression_scores",
    "score_info",
    "score_names",
    "target_scores",
    "weight_vector",
    "weighted_r2",
]

__getattr__ = lazy_exports(__name__, _NEED_TORCH)
