"""The balance of stratified group folds, measured."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from quadrat.splits import group_folds, random_folds
from quadrat.splits._assignment import strata


def imbalance(parts: list[np.ndarray], stratum: np.ndarray) -> float:
    """Mean total variation between the strata of a fold and those of all rows."""
    whole = np.bincount(stratum) / len(stratum)
    shares = [np.bincount(stratum[part], minlength=len(whole)) / len(part) for part in parts]
    return float(np.mean([np.abs(share - whole).sum() / 2 for share in shares]))


def site_data(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Thirty groups of 3 to 22 rows, each with a level of its own, as pasture sites have."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(30), rng.integers(3, 23, size=30))
    return group, np.exp(rng.normal(3.0, 0.8, size=30)[group] + rng.normal(0, 0.4, len(group)))


@pytest.mark.parametrize("seed", range(5))
def test_a_continuous_target_is_spread_alike(seed: int) -> None:
    group, target = site_data(seed)
    stratum = strata(target)
    ours = group_folds(group, 5, seed=seed, stratify=target)
    plain = group_folds(group, 5, seed=seed)
    theirs = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    reference = [rows for _, rows in theirs.split(target, stratum, group)]
    assert imbalance(ours, stratum) < 0.08
    assert imbalance(ours, stratum) < 0.6 * imbalance(plain, stratum)
    assert imbalance(ours, stratum) <= imbalance(reference, stratum) + 0.01


@pytest.mark.parametrize("seed", range(5))
def test_sizes_are_even(seed: int) -> None:
    group, target = site_data(seed)
    for stratify in (None, target):
        sizes = [len(rows) for rows in group_folds(group, 5, seed=seed, stratify=stratify)]
        assert max(sizes) - min(sizes) <= 0.15 * np.mean(sizes)


def test_a_category_of_groups_reaches_every_fold() -> None:
    group = np.repeat(np.arange(20), 6)
    state = np.array(["Tas", "Vic", "NSW", "WA"])[group % 4]
    for rows in group_folds(group, 5, seed=3, stratify=state):
        assert sorted(set(state[rows])) == ["NSW", "Tas", "Vic", "WA"]
        assert len(rows) == 24


def test_single_rows_are_stratified_exactly() -> None:
    state = np.repeat(["a", "b", "c"], [50, 35, 15])
    for rows in random_folds(100, 5, seed=0, stratify=state):
        assert np.unique(state[rows], return_counts=True)[1].tolist() == [10, 7, 3]


def test_numbers_become_quantile_bins_and_gaps_a_stratum() -> None:
    numbers = np.arange(100.0)
    numbers[:10] = np.nan
    assert np.bincount(strata(numbers)).tolist() == [18, 18, 18, 18, 18, 10]
    many_zeros = np.where(np.arange(100) < 70, 0.0, np.arange(100.0))
    assert np.bincount(strata(many_zeros)).tolist() == [70, 10, 20]
    assert strata([3, 1, 1, 2]).tolist() == [2, 0, 0, 1]
    assert strata(["x", None, "x"]).tolist() == [1, 0, 1]


def test_one_giant_group_still_leaves_no_fold_empty() -> None:
    group = np.array([0] * 100 + [1, 2, 3, 4])
    sizes = sorted(len(rows) for rows in group_folds(group, 5, seed=0))
    assert sizes == [1, 1, 1, 1, 100]
