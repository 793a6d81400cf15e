from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from quadrat.splits import Fold, find_leaks, make_folds, shift_report


def fold(train: list[int], inner: list[int], held_out: list[int]) -> Fold:
    sides = (np.array(rows, dtype=np.int64) for rows in (train, inner, held_out))
    return Fold(0, "fold 1", *sides)


def test_distances_are_those_of_scipy() -> None:
    values = np.random.default_rng(0).gamma(2.0, 20.0, size=200)
    values[::9] = np.nan
    folds = make_folds("group", 200, groups=np.argsort(np.argsort(values)) // 10, folds=4)
    rows = shift_report(folds, {"total": values}).targets
    for row, one in zip(rows, folds, strict=True):
        train, held_out = values[one.training_part], values[one.held_out]
        train, held_out = train[~np.isnan(train)], held_out[~np.isnan(held_out)]
        assert row["ks"] == pytest.approx(stats.ks_2samp(train, held_out).statistic)
        assert row["wasserstein"] == pytest.approx(stats.wasserstein_distance(train, held_out))
        pooled = np.sqrt((train.var(ddof=1) + held_out.var(ddof=1)) / 2)
        assert row["smd"] == pytest.approx((held_out.mean() - train.mean()) / pooled)
        assert (row["n_train"], row["n_held_out"]) == (len(train), len(held_out))


def test_a_shift_is_told_in_words() -> None:
    report = shift_report(
        [fold([0, 1, 2], [3], [4, 5, 6])],
        {"total": [10.0, 12.0, 11.0, 9.0, 30.0, 32.0, 31.0], "dead": [1, 2, 3, 4, 1, 2, 3.5]},
        {"State": list("aabbccc")},
    )
    assert report.categories == [
        {
            "fold": "fold 1",
            "column": "State",
            "total_variation": 1.0,
            "unseen": ["c"],
            "unseen_share": 1.0,
        }
    ]
    shifted, unseen = report.warnings
    assert shifted.startswith("fold 1: total is")
    assert "higher in the held-out part (mean 31) than in training (mean 10.5)" in shifted
    assert unseen == "fold 1: 100% of the held-out samples have a State not seen in training: 'c'"


def test_even_parts_give_no_warning() -> None:
    values = np.tile([1.0, 2.0, 3.0, 4.0], 10)
    folds = make_folds("random", 40, folds=2, stratify=values)
    report = shift_report(folds, {"total": values}, {"kind": values})
    assert report.warnings == []
    assert max(abs(row["smd"]) for row in report.targets) < 0.2


def test_targets_without_values_are_mentioned() -> None:
    report = shift_report([fold([0, 1], [], [2])], {"total": [1.0, 2.0, np.nan]})
    assert report.warnings == ["fold 1: no held-out sample has a value of total"]
    assert np.isnan(report.targets[0]["ks"])


def test_a_constant_target_shifts_not_at_all_or_without_bound() -> None:
    same, other = (
        shift_report([fold([0, 1], [], [2, 3])], {"x": values}).targets[0]["smd"]
        for values in ([5.0] * 4, [5.0, 5.0, 6.0, 6.0])
    )
    assert same == 0.0
    assert other == np.inf


def test_leaks_name_value_sides_and_rows() -> None:
    parted = fold([0, 1, 2], [3, 4], [5, 6])
    hashes = ["a", "b", None, "b", "", "a", None]
    held_out, inner = find_leaks([parted], "photo hash", hashes)
    assert str(held_out) == (
        "fold 1: photo hash 'a' is in train (1 samples) and in held out (1 samples)"
    )
    assert [rows.tolist() for rows in held_out.rows] == [[0], [5]]
    assert (inner.value, inner.sides) == ("b", ("train", "inner"))


def test_folds_over_groups_have_no_leak_and_random_ones_do() -> None:
    groups = np.arange(60) // 6
    assert find_leaks(make_folds("group", 60, groups=groups), "site", groups) == []
    leaks = find_leaks(make_folds("random", 60), "site", groups)
    assert {leak.value for leak in leaks} == {str(g) for g in range(10)}
