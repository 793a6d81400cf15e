"""Numbers and scores in plain words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quadrat.errors import UnknownNameError
from quadrat.errors import counted as counted  # where a report looks for its wording


@dataclass(frozen=True)
class Words:
    """How a score is spoken of.

    Args:
        label: Its name for people.
        sentence: The end of "… the model", with ``{value}`` and ``{interval}``.
        kind: ``share`` is written in percent, ``number`` as it is, ``unit`` with the targets' unit.
        short: The usual abbreviation, if there is one.
    """

    label: str
    sentence: str = "scores {value}{interval} in {label}"
    kind: str = "number"
    short: str = ""

    @property
    def column(self) -> str:
        """The name as a narrow table has it."""
        return self.short or self.label


_EXPLAINS = "explains {value} of the variance{interval}"
_ERROR = "is off by {value}{interval} on average ({label})"

_WORDS = {
    "weighted_r2": Words(
        "weighted R²", "explains {value} of the weighted variance{interval}", "share"
    ),
    "mean_weighted_r2": Words(
        "mean weighted R²",
        "explains {value} of the variance, weighted over targets{interval}",
        "share",
    ),
    "r2": Words("R²", _EXPLAINS, "share"),
    "rmse": Words("root mean square error", _ERROR, "unit", "RMSE"),
    "mae": Words("mean absolute error", _ERROR, "unit", "MAE"),
    "bias": Words("bias", "is off by {value}{interval} in one direction", "unit"),
    "crps": Words("continuous ranked probability score", kind="unit", short="CRPS"),
    "crps_skill": Words("skill of the continuous ranked probability score", short="CRPS skill"),
    "map": Words(
        "mean average precision",
        "puts the species that are there first with a mean average precision of {value}{interval}",
        short="mAP",
    ),
    "holdout_map": Words("mean average precision in held-out regions"),
    "watchlist_map": Words("mean average precision of the watch list"),
    "map_sparse": Words("mean average precision, sparsest quarter of cells"),
    "map_dense": Words("mean average precision, densest quarter of cells"),
    "map_density_ratio": Words("sparse over dense mean average precision"),
    "pred_density_r": Words("correlation of list length with observations"),
    "macro_auc": Words(
        "AUC, mean over species",
        "ranks a place with a species above one without it {value} of the time{interval} "
        "(mean AUC over species)",
        "share",
        "AUC",
    ),
    "macro_ap": Words("average precision, mean over species", short="AP"),
    "f1_threshold": Words("F1 at the species' own thresholds"),
    "precision_threshold": Words("precision at the species' own thresholds"),
    "recall_threshold": Words("recall at the species' own thresholds"),
    "list_ratio_threshold": Words("predicted over true list length at own thresholds"),
    "mean_list_length_threshold": Words("mean list length at own thresholds"),
    "macro_f1_threshold": Words("F1 at own thresholds, mean over species", short="F1, own"),
    "macro_precision_threshold": Words("precision at own thresholds, mean over species"),
    "macro_recall_threshold": Words("recall at own thresholds, mean over species"),
    "brier": Words("Brier score"),
    "log_loss": Words("log loss"),
    "ece": Words("expected calibration error"),
    "geoscore": Words("GeoScore", "reaches a GeoScore of {value}{interval}, where 1 is perfect"),
    "geoscore_first": Words("GeoScore, first form"),
    "geoscore_map": Words("GeoScore, its effort parts times mean average precision"),
}

_PATTERNS: tuple[tuple[str, str, str], ...] = (
    (r"top(\d+)_recall", "recall of the top {0}", ""),
    (r"f1_(\d+)", "F1 at {0} %", ""),
    (r"precision_(\d+)", "precision at {0} %", ""),
    (r"recall_(\d+)", "recall at {0} %", ""),
    (r"list_ratio_(\d+)", "predicted over true list length at {0} %", ""),
    (r"mean_list_length_(\d+)", "mean list length at {0} %", ""),
    (r"coverage_(\d+)", "coverage of the {0} % interval", "in {0} % interval"),
    (r"holdout_f1_(\d+)", "F1 at {0} % in held-out regions", ""),
    (r"watchlist_ap_(\w+)", "average precision of {0}", ""),
)

_BASELINES = {
    "mean": ("the mean", "always predicting the mean"),
    "median": ("the median", "always predicting the median"),
    "metadata": ("metadata alone", "the metadata alone, without a photo"),
    "prevalence": ("prevalence", "listing species by how common they are"),
    "no_skill": ("no skill", "the same answer everywhere"),
    "quadratic_logistic": ("quadratic logistic", "a regression on covariates and their squares"),
    "best_member": ("best member", "its best member alone"),
    "members_mean": ("plain mean", "the plain mean of its members"),
    "seasonal": ("prevalence by week", "listing the common species of the season"),
}


def words(score: str) -> Words:
    """How a score of ``metrics.json`` is spoken of."""
    if score in _WORDS:
        return _WORDS[score]
    if score.endswith("_log1p"):
        base = words(score.removesuffix("_log1p"))
        kind = "number" if base.kind == "unit" else base.kind
        sentence = base.sentence if base.kind == "share" else Words("").sentence
        return Words(f"{base.label} on log(1 + x)", sentence, kind, f"{base.column}, log")
    for pattern, label, short in _PATTERNS:
        found = re.fullmatch(pattern, score)
        if found:
            return Words(label.format(*found.groups()), short=short.format(*found.groups()))
    return Words(score.replace("_", " "))


def direction(score: str) -> str:
    """An arrow that says which way a score is better; nothing where neither end is, or unknown."""
    better = _info(score)[0]
    return "" if better is None else "↑" if better else "↓"


def meaning(score: str) -> str:
    """What a score is, in a line; nothing where it is not known."""
    return _info(score)[1]


def _info(score: str) -> tuple[bool | None, str]:
    from quadrat.scoring.names import score_info

    try:
        info = score_info(score)
    except UnknownNameError:
        return None, ""
    return info.higher_is_better, info.meaning


_RARELY_ASKED = re.compile(
    r".*_log1p|.*_(5|25)|watchlist_ap_.*|mean_list_length_.*|(precision|recall|list_ratio)_threshold|geoscore_first|geoscore_map"
)


def everyday(scores: Iterable[str], primary: str) -> list[str]:
    """Scores for a small table: the primary one first, without what few people ask for."""
    kept = [name for name in scores if name == primary or not _RARELY_ASKED.fullmatch(name)]
    return sorted(kept, key=lambda name: name != primary)


VARIANTS = {
    "photo_alone": ("photo alone", "From the photo alone, with all metadata hidden, it comes to"),
}
"""What stands among the baselines and is the model itself, told less: short name, sentence."""


def baseline(name: str) -> str:
    """What a baseline does, as a part of a sentence."""
    return _BASELINES[name][1] if name in _BASELINES else f"the baseline {name.replace('_', ' ')}"


def baseline_label(name: str) -> str:
    """A baseline's short name, for tables and axes."""
    known = {**_BASELINES, **VARIANTS}
    short = known[name][0] if name in known else name.replace("_", " ")
    return short[:1].upper() + short[1:]


def number(value: object, digits: int = 3) -> str:
    """A number to so many digits, as decimals where it is small; a dash where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "–"
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    size = abs(value)
    if 0 < size < 10**-digits:  # small but not nothing: two digits that tell
        return f"{value:.{min(1 - math.floor(math.log10(size)), 9)}f}".replace("-", "−")
    decimals = digits if size < 1 else digits - 1 if size < 10 else digits - 2 if size < 100 else 0
    return f"{value:,.{max(decimals, 0)}f}".replace("-", "−")


def percent(value: float) -> str:
    """A share in whole percent, such as ``67 %``."""
    return f"{round(100 * value)} %".replace("-", "−")


def spoken(score: str, value: object, unit: str = "") -> str:
    """A score's value for a sentence: percent, a number with its unit, or a number.

    A share below nothing, such as a negative R², is a number with its name.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "nothing that can be counted"
    kind = words(score).kind
    if kind == "share" and value < 0:
        return "0 %" if value > -0.005 else f"{words(score).label} {number(float(value))}"
    if kind == "share":
        return percent(value)
    return f"{number(float(value))} {unit}".rstrip() if kind == "unit" else number(float(value))


def spoken_interval(
    score: str, interval: Sequence[float] | None, unit: str = "", *, beside: float = 0.0
) -> str:
    """An interval for a sentence, such as `` [61–72 %]``; nothing where there is none.

    Args:
        score: The score's name.
        interval: Low and high.
        unit: The targets' unit.
        beside: The value that it stands beside: a share below nothing is no percentage.
    """
    pair = usable(interval)
    if pair is None:
        return ""
    low, high = pair
    between = " to " if low < 0 else "–"
    if words(score).kind == "share" and beside >= 0:
        return f" [{100 * low:.0f}{between}{100 * high:.0f} %]".replace("-", "−")
    unit = f" {unit}" if unit and words(score).kind == "unit" else ""
    return f" [{number(low)}{between}{number(high)}{unit}]"


def usable(interval: object) -> tuple[float, float] | None:
    """Low and high, or None where an interval is missing or incomplete."""
    if not isinstance(interval, list | tuple) or len(interval) != 2:
        return None
    low, high = interval
    if not all(isinstance(end, int | float) and math.isfinite(end) for end in (low, high)):
        return None
    return float(low), float(high)


def unit_of(target: str, units: Mapping[str, Any]) -> str:
    """The unit of a target: as the experiment says, or as its name ends.

    Args:
        target: The target's name.
        units: ``data.units`` of the experiment.
    """
    if target in units:
        return str(units[target])
    endings = {
        "g": "g",
        "kg": "kg",
        "km": "km",
        "m": "m",
        "cm": "cm",
        "mm": "mm",
        "pct": "%",
        "percent": "%",
        "days": "days",
        "gm2": "g/m²",
        "ha": "ha",
    }
    return endings.get(target.rsplit("_", 1)[-1], "") if "_" in target else ""


def listed(names: Sequence[str], last: str = "and") -> str:
    """Names as a sentence holds them: ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
