"""The names of all scores, which way they point, and what they mean in a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from quadrat.errors import UnknownNameError, UsageError


@dataclass(frozen=True)
class ScoreInfo:
    """What is known about a score.

    Attributes:
        name: Its name in files.
        higher_is_better: Which way it points; None where neither end is good (best is a certain
            value), so that it describes but cannot choose a model.
        meaning: One line.
    """

    name: str
    higher_is_better: bool | None
    meaning: str


_REGRESSION = {
    "weighted_r2": (True, "R² over all (sample, target) pairs, weighted by target, one mean"),
    "mean_weighted_r2": (True, "weighted mean of the targets' own R²"),
    "r2": (True, "mean of the targets' own R²"),
    "rmse": (False, "root of the mean squared error over all (sample, target) pairs"),
    "mae": (False, "mean absolute error over all (sample, target) pairs"),
}
_ALL = {
    **_REGRESSION,
    **{
        f"{name}_log1p": (higher, f"{meaning}, on log(1 + x) of values clipped at 0")
        for name, (higher, meaning) in _REGRESSION.items()
    },
    "crps": (False, "mean continuous ranked probability score of normal predictions"),
    "crps_skill": (True, "1 - CRPS / CRPS of the climatology"),
    "map": (True, "mean over samples of the average precision of the species ranking"),
    "top10_recall": (True, "share of all present species among the first 10 of their sample"),
    "top30_recall": (True, "share of all present species among the first 30 of their sample"),
    "watchlist_map": (True, "mean over watch-list species of the average precision over samples"),
    "holdout_map": (True, "map in the held-out regions"),
    "holdout_f1_10": (True, "f1_10 in the held-out regions"),
    "map_sparse": (True, "map of the quarter of samples with the fewest observations"),
    "map_dense": (True, "map of the quarter of samples with the most observations"),
    "map_density_ratio": (None, "map_sparse / map_dense; 1 is best"),
    "pred_density_r": (
        None,
        "Pearson r of observation density and number of species predicted at 10 %; 0 is best",
    ),
    "macro_auc": (True, "mean over species of the area under the ROC curve over samples"),
    "macro_ap": (True, "mean over species of the average precision over samples"),
    "f1_threshold": (True, "micro-averaged F1 of lists cut at the species' own thresholds"),
    "precision_threshold": (True, "share of the species on these lists that are present"),
    "recall_threshold": (True, "share of the present species that are on these lists"),
    "list_ratio_threshold": (None, "mean of the length of these lists / true length; 1 is best"),
    "mean_list_length_threshold": (None, "mean length of these lists"),
    "macro_f1_threshold": (True, "mean over species of F1 over samples at the own threshold"),
    "macro_precision_threshold": (True, "mean over species of precision at the own threshold"),
    "macro_recall_threshold": (True, "mean over species of recall at the own threshold"),
    "brier": (False, "mean squared difference of probability and presence"),
    "log_loss": (False, "mean of -log p over present and -log(1 - p) over absent species"),
    "ece": (False, "expected calibration error over 15 bins of the probability"),
    "geoscore": (True, "composite of the BirdNET geomodel, later form"),
    "geoscore_first": (True, "the same in the form published first"),
    "geoscore_map": (True, "geoscore with density ratio and decorrelation multiplied by map"),
}

_PATTERNS: tuple[tuple[str, Callable[[str], tuple[bool | None, str]]], ...] = (
    (
        r"coverage_(\d+)",
        lambda p: (None, f"share of truths inside the {p} % interval; {int(p) / 100:g} is best"),
    ),
    (r"f1_(\d+)", lambda p: (True, f"micro-averaged F1 of the species predicted above {p} %")),
    (
        r"precision_(\d+)",
        lambda p: (True, f"share of the species predicted above {p} % that are present"),
    ),
    (
        r"recall_(\d+)",
        lambda p: (True, f"share of the present species that are predicted above {p} %"),
    ),
    (
        r"list_ratio_(\d+)",
        lambda p: (None, f"mean of predicted (above {p} %) / true list length; 1 is best"),
    ),
    (
        r"mean_list_length_(\d+)",
        lambda p: (None, f"mean number of species predicted above {p} %"),
    ),
    (
        r"reference_(\w+)",
        lambda name: (
            score_info(name).higher_is_better,
            f"{name} with whole years among the samples, as the BirdNET geomodel judges",
        ),
    ),
    (
        r"watchlist_ap_(\w+)",
        lambda code: (True, f"average precision over samples of the species {code}"),
    ),
)
_EXAMPLES = (
    "coverage_90",
    *(
        f"{name}_{percent}"
        for name in ("f1", "precision", "recall", "list_ratio", "mean_list_length")
        for percent in (5, 10, 25)
    ),
)


def score_names() -> list[str]:
    """All score names, sorted; of those with a number, the usual ones."""
    return sorted((*_ALL, *_EXAMPLES))


def score_info(name: str) -> ScoreInfo:
    """What is known about a score.

    Raises:
        UnknownNameError: There is no such score; the message offers the closest.
    """
    if name in _ALL:
        return ScoreInfo(name, *_ALL[name])
    for pattern, describe in _PATTERNS:
        match = re.fullmatch(pattern, name)
        if match:
            return ScoreInfo(name, *describe(match[1]))
    raise UnknownNameError("score", name, score_names())


def primary_direction(name: str, computed: Iterable[str] | None = None) -> bool:
    """Whether higher is better, for a score that shall choose a model.

    Args:
        name: The score.
        computed: The scores that are offered instead; all by default.

    Raises:
        UnknownNameError: There is no such score.
        UsageError: The score has no better end.
    """
    others = score_names() if computed is None else computed
    try:
        info = score_info(name)
    except UnknownNameError:
        raise UnknownNameError("score", name, choosing(others)) from None
    if info.higher_is_better is None:
        raise UsageError(
            f"the score '{name}' cannot choose a model ({info.meaning}). Set score.primary to one "
            f"with a better end: {', '.join(choosing(others))}."
        )
    return info.higher_is_better


def choosing(names: Iterable[str]) -> list[str]:
    """Those of some scores that can choose a model, sorted."""
    return sorted(name for name in names if score_info(name).higher_is_better is not None)
