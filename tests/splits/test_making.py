"""No group ever crosses, every row is held out once a repeat, and inner rows come from training."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadrat.errors import DataError, UnknownNameError
from quadrat.splits import Fold, Folds, combine, group_folds, inner_split, make_folds

group_labels = st.lists(st.integers(0, 11), min_size=12, max_size=80).filter(
    lambda labels: len(set(labels)) >= 4
)


def check_fold(fold: Fold, count: int) -> None:
    sides = np.concatenate([fold.train, fold.inner, fold.held_out])
    np.testing.assert_array_equal(np.sort(sides), np.arange(count))
    assert min(len(fold.train), len(fold.held_out)) > 0


def check_groups(fold: Fold, labels: np.ndarray) -> None:
    train, inner, held_out = (set(labels[r]) for r in (fold.train, fold.inner, fold.held_out))
    assert not train & inner
    assert not train & held_out
    assert not inner & held_out
    assert inner


def check_once(folds: Folds, repeats: int = 1) -> None:
    np.testing.assert_array_equal(np.bincount(folds.rows(), minlength=folds.samples), repeats)
    for repeat in range(repeats):
        rows = np.concatenate([fold.held_out for fold in folds if fold.repeat == repeat])
        np.testing.assert_array_equal(np.sort(rows), np.arange(folds.samples))


@given(group_labels, st.integers(3, 4), st.integers(1, 3), st.booleans(), st.integers(0, 999))
@settings(deadline=None)
def test_groups_never_cross(
    groups: list[int], number: int, repeats: int, stratified: bool, seed: int
) -> None:
    labels = np.array(groups)
    target = np.sqrt(labels) + np.arange(len(labels)) % 3 if stratified else None
    folds = make_folds(
        "group",
        len(labels),
        groups=labels,
        folds=number,
        repeats=repeats,
        stratify=target,
        seed=seed,
        inner=0.2,
    )
    check_once(folds, repeats)
    assert len(folds) == number * repeats
    for fold in folds:
        check_fold(fold, len(labels))
        check_groups(fold, labels)


@given(group_labels, st.integers(0, 999))
@settings(deadline=None)
def test_leaving_groups_out_holds_each_out_once(groups: list[int], seed: int) -> None:
    labels = np.array(groups).astype(str)
    folds = make_folds("leave-group-out", len(labels), groups=labels, seed=seed)
    check_once(folds)
    assert [fold.name for fold in folds] == sorted(set(labels))
    for fold in folds:
        assert set(labels[fold.held_out]) == {fold.name}
        check_fold(fold, len(labels))
        check_groups(fold, labels)


@given(st.integers(10, 60), st.integers(2, 5), st.integers(1, 2), st.integers(0, 999))
@settings(deadline=None)
def test_random_folds_hold_every_row_out_once(
    count: int, number: int, repeats: int, seed: int
) -> None:
    folds = make_folds("random", count, folds=number, repeats=repeats, seed=seed)
    check_once(folds, repeats)
    for fold in folds:
        check_fold(fold, count)
        assert len(fold.inner) == max(1, round(0.15 * (count - len(fold.held_out))))
        assert abs(len(fold.held_out) - count / number) < 1


@given(st.integers(0, 999))
@settings(deadline=None, max_examples=30)
def test_spatial_blocks_never_cross(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lat, lon = rng.uniform(-90, 90, 80), rng.uniform(-180, 180, 80)
    folds = make_folds("spatial-block", 80, lat=lat, lon=lon, block_km=2500.0, folds=4, seed=seed)
    check_once(folds)
    assert folds.groups is not None
    for fold in folds:
        check_fold(fold, 80)
        check_groups(fold, folds.groups)


def test_a_seed_gives_the_same_folds_and_another_one_others() -> None:
    labels = np.arange(60) // 3
    one, same, other = (make_folds("group", 60, groups=labels, seed=seed) for seed in (1, 1, 2))
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a.held_out, b.held_out)
        np.testing.assert_array_equal(a.inner, b.inner)
    assert any(len(np.setxor1d(a.held_out, b.held_out)) for a, b in zip(one, other, strict=True))


def test_repeats_differ() -> None:
    folds = make_folds("group", 60, groups=np.arange(60) // 3, repeats=2)
    first = {frozenset(fold.held_out.tolist()) for fold in folds if fold.repeat == 0}
    second = {frozenset(fold.held_out.tolist()) for fold in folds if fold.repeat == 1}
    assert not first & second
    assert folds[7].name == "repeat 2, fold 3"


def test_inner_groups_have_about_the_share_and_the_mixture() -> None:
    labels = np.arange(400) // 8
    target = np.exp(np.random.default_rng(0).normal(size=50))[labels]
    train, inner = inner_split(np.arange(40, 400), labels, 0.2, seed=0, stratify=target)
    assert 64 <= len(inner) <= 80
    assert len(train) + len(inner) == 360
    assert np.median(target[inner]) == pytest.approx(np.median(target[train]), rel=0.2)


def test_an_inner_share_of_zero_leaves_all_to_training() -> None:
    for fold in make_folds("group", 20, groups=np.arange(20) // 2, inner=0.0):
        assert len(fold.inner) == 0
        check_fold(fold, 20)


def test_one_training_group_is_not_parted_silently() -> None:
    with pytest.raises(DataError, match=r"single group .a..*\n.*split\.inner = 0"):
        make_folds("group", 4, groups=["a", "a", "b", "b"], folds=2)


def test_too_few_groups_are_named() -> None:
    with pytest.raises(
        DataError, match=r"5 folds need.*(\n.*)*'Tas': 2 samples(\n.*)*set split\.folds to 2"
    ):
        group_folds(["Tas", "Tas", "WA"], 5, seed=0)


def test_a_column_tells_the_test_rows() -> None:
    column = np.array(["train", "test", "train", "train", "test", "train"])
    folds = make_folds("column", 6, column=column, test=["test"])
    assert len(folds) == 1
    assert folds[0].held_out.tolist() == [1, 4]
    check_fold(folds[0], 6)
    assert "2 of 6 samples are held out" in folds.protocol()["words"]


def test_a_column_tells_the_folds() -> None:
    folds = make_folds("column", 9, column=np.arange(9) % 3, inner=0.3)
    check_once(folds)
    assert [fold.name for fold in folds] == ["0", "1", "2"]


def test_a_column_that_parts_a_group_is_refused() -> None:
    with pytest.raises(DataError, match="group 'b' crosses the edge of 'test'"):
        make_folds(
            "column",
            4,
            column=["train", "train", "test", "test"],
            test=["test"],
            groups=["a", "b", "b", "c"],
        )


@pytest.mark.parametrize(
    ("column", "test", "message"),
    [
        (["a", "b"], ["c"], "does not hold: c"),
        (["a", "b"], ["a", "b"], "nothing is left"),
        (["a", "a"], [], "only the value 'a'"),
        (["a", None], ["a"], r"row 1"),
    ],
)
def test_columns_that_part_nothing_are_refused(column: list, test: list, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make_folds("column", 2, column=column, test=test)


def test_an_unknown_kind_offers_the_closest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'group'"):
        make_folds("groups", 5, groups=list("abcde"))


def test_combined_labels_tell_all_combinations_apart() -> None:
    one, other = ["a | b", "a", "a"], ["c", "b | c", "b | c"]
    labels = combine(one, other)
    assert labels[0] != labels[1]
    assert labels[1] == labels[2]
    assert combine(["Tas"], ["2015-09-04"])[0] == "Tas | 2015-09-04"
    assert combine([3, 4]).tolist() == ["3", "4"]
    with pytest.raises(DataError, match=r"1 rows have no value of column 2"):
        combine(["Tas", "WA"], ["2015", None])


def test_the_protocol_says_how() -> None:
    labels = np.arange(60) // 3
    protocol = make_folds(
        "group", 60, groups=labels, by=["State", "Sampling_Date"], repeats=2
    ).protocol()
    assert json.loads(json.dumps(protocol)) == protocol
    assert protocol["kind"] == "group"
    assert protocol["groups"] == 20
    assert protocol["folds"] == 10
    assert sum(protocol["sizes"]) == 120
    assert protocol["words"].startswith(
        "5 folds over 20 groups of State x Sampling_Date (60 samples), drawn 2 times; no group"
    )


def test_stacked_rows_know_their_fold() -> None:
    folds = make_folds("random", 12, folds=3)
    for row, fold in zip(folds.rows(), folds.fold_of_rows(), strict=True):
        assert row in folds[int(fold)].held_out
    for (training, held_out), fold in zip(folds.parts(), folds, strict=True):
        assert len(np.intersect1d(training, held_out)) == 0
        assert set(training) == set(fold.train) | set(fold.inner)


def test_a_single_group_is_told_to_be_parted_not_to_be_one_fold() -> None:
    with pytest.raises(DataError, match="5 folds need at least 5 groups, found: 1") as caught:
        make_folds("group", 6, groups=np.zeros(6), folds=5, seed=0, inner=0.2)
    assert "split.folds" not in caught.value.fix
    assert "make the groups smaller" in caught.value.fix
