"""How targets and categories shift between the training and the held-out part of a fold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.splits.folds import Fold

Array = NDArray[np.float64]

LARGE_DIFFERENCE = 0.5
"""A standardised mean difference from here on is mentioned (Cohen's "medium" effect)."""
LARGE_VARIATION = 0.5
"""A total variation distance from here on is mentioned."""


@dataclass(frozen=True)
class ShiftReport:
    """Shifts as rows of two tables, and what is worth mentioning, in words.

    Attributes:
        targets: fold, target, n_train, n_held_out, mean_train, mean_held_out, smd, ks, wasserstein.
        categories: fold, column, total_variation, unseen (values), unseen_share (of held-out rows).
        warnings: Sentences.
    """

    targets: list[dict[str, object]]
    categories: list[dict[str, object]]
    warnings: list[str]


def shift_report(
    folds: Iterable[Fold],
    targets: Mapping[str, ArrayLike],
    categories: Mapping[str, ArrayLike] | None = None,
) -> ShiftReport:
    """Compares the training part (train and inner) of every fold with what is held out.

    * smd: ``(mean_held_out - mean_train) / sd``, with sd² the mean of both variances (n - 1).
    * ks: the largest difference between the two empirical distribution functions
      (Kolmogorov-Smirnov).
    * wasserstein: the area between them, in the target's unit.
    * total_variation: half the sum of the absolute differences of the categories' shares.

    Args:
        folds: The folds.
        targets: Name → values ``(N,)``, NaN where unknown.
        categories: Name → values ``(N,)``.
    """
    target_rows, category_rows, warnings = [], [], []
    columns = {name: np.asarray(v, dtype=np.float64) for name, v in targets.items()}
    labels = {name: np.asarray(v).astype(str) for name, v in (categories or {}).items()}
    for fold in folds:
        train = fold.training_part
        for name, values in columns.items():
            row = _target_row(values[train], values[fold.held_out])
            target_rows.append({"fold": fold.name, "target": name, **row})
            warnings += [f"{fold.name}: {text}" for text in _target_words(name, row)]
        for name, texts in labels.items():
            entry = _category_row(texts[train], texts[fold.held_out])
            category_rows.append({"fold": fold.name, "column": name, **entry})
            warnings += [f"{fold.name}: {text}" for text in _category_words(name, entry)]
    return ShiftReport(target_rows, category_rows, warnings)


def _target_row(train: Array, held_out: Array) -> dict[str, float]:
    train, held_out = train[~np.isnan(train)], held_out[~np.isnan(held_out)]
    row: dict[str, float] = {"n_train": len(train), "n_held_out": len(held_out)}
    if not len(train) or not len(held_out):
        empty = ("mean_train", "mean_held_out", "smd", "ks", "wasserstein")
        return row | dict.fromkeys(empty, float("nan"))
    difference = float(held_out.mean() - train.mean())
    sd = float(np.sqrt((_variance(train) + _variance(held_out)) / 2))
    ks, area = _distribution_distances(train, held_out)
    smd = difference / sd if sd > 0 else (0.0 if difference == 0 else float("inf"))
    return row | {
        "mean_train": float(train.mean()),
        "mean_held_out": float(held_out.mean()),
        "smd": smd,
        "ks": ks,
        "wasserstein": area,
    }


def _variance(values: Array) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0


def _distribution_distances(one: Array, other: Array) -> tuple[float, float]:
    """Largest difference of the distribution functions, and the area between them."""
    both = np.sort(np.concatenate([one, other]))
    below_one = np.searchsorted(np.sort(one), both, side="right") / len(one)
    below_other = np.searchsorted(np.sort(other), both, side="right") / len(other)
    gap = np.abs(below_one - below_other)
    return float(gap.max()), float((gap[:-1] * np.diff(both)).sum())


def _category_row(train: NDArray[np.str_], held_out: NDArray[np.str_]) -> dict[str, object]:
    names, code = np.unique(np.concatenate([train, held_out]), return_inverse=True)
    before = np.bincount(code[: len(train)], minlength=len(names))
    after = np.bincount(code[len(train) :], minlength=len(names))
    unseen = (before == 0) & (after > 0)
    return {
        "total_variation": float(np.abs(before / len(train) - after / len(held_out)).sum() / 2),
        "unseen": names[unseen].tolist(),
        "unseen_share": float(after[unseen].sum() / len(held_out)),
    }


def _target_words(name: str, row: Mapping[str, float]) -> Iterator[str]:
    if row["n_held_out"] == 0:
        yield f"no held-out sample has a value of {name}"
    elif row["n_train"] == 0:
        yield f"no training sample has a value of {name}"
    elif abs(row["smd"]) >= LARGE_DIFFERENCE:
        direction = "higher" if row["smd"] > 0 else "lower"
        yield (
            f"{name} is {abs(row['smd']):.1f} standard deviations {direction} in the held-out part "
            f"(mean {row['mean_held_out']:.3g}) than in training (mean {row['mean_train']:.3g})"
        )


def _category_words(name: str, row: Mapping[str, object]) -> Iterator[str]:
    unseen, share, variation = row["unseen"], row["unseen_share"], row["total_variation"]
    if isinstance(unseen, list) and unseen:
        shown = ", ".join(f"'{value}'" for value in unseen[:5])
        more = f" and {len(unseen) - 5} more" if len(unseen) > 5 else ""
        yield (
            f"{share:.0%} of the held-out samples have a {name} not seen in training: {shown}{more}"
        )
    elif isinstance(variation, float) and variation >= LARGE_VARIATION:
        yield (
            f"the values of {name} differ between training and held-out part (total variation "
            f"{variation:.2f} of 1)"
        )
