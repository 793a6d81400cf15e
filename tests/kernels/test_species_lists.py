"""Lists of species against sets of Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadrat.kernels.species_lists import (
    as_sets,
    every,
    kept_at_most,
    selected,
    united,
    within_reach,
)

COLUMNS = 130
ROWS = st.lists(st.sets(st.integers(0, COLUMNS - 1), max_size=12), max_size=14)


def listed(rows: list[set[int]]) -> tuple[np.ndarray, np.ndarray]:
    indptr = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return indptr, np.array([s for row in rows for s in sorted(row)], np.int32)


def rows_of(indptr: np.ndarray, indices: np.ndarray) -> list[list[int]]:
    return [part.tolist() for part in np.split(indices, indptr[1:-1])] if len(indptr) > 1 else []


def members(sets: np.ndarray) -> list[set[int]]:
    flags = np.unpackbits(sets.view(np.uint8), axis=1, bitorder="little")
    return [set(np.flatnonzero(row).tolist()) for row in flags]


@given(ROWS)
def test_lists_as_sets(rows):
    assert members(as_sets(*listed(rows), COLUMNS)) == rows


@given(ROWS, st.data())
def test_selected_entries(rows, data):
    indptr, indices = listed(rows)
    flags = st.lists(st.booleans(), min_size=len(indices), max_size=len(indices))
    kept = np.array(data.draw(flags), bool)
    chosen = {(row, s) for row, part in enumerate(rows_of(indptr, np.arange(len(indices))))
              for s in part if kept[s]}  # fmt: skip
    found = rows_of(*selected(indptr, indices, kept))
    assert found == [[int(indices[s]) for r, s in sorted(chosen) if r == row]
                     for row in range(len(rows))]  # fmt: skip


@given(ROWS, ROWS, st.integers(1, 4), st.data())
def test_unions_are_sorted_and_hold_what_is_allowed(rows, allowed, size, data):
    joined = data.draw(st.lists(st.sets(st.integers(0, len(rows) - 1)), max_size=9)) if rows else []
    needed = -(-len(joined) // size)
    allowed = (allowed + [set(range(COLUMNS))] * needed)[:needed]
    found = united(listed(joined), listed(rows), as_sets(*listed(allowed), COLUMNS), size)
    expected = [
        sorted(set().union(*(rows[r] for r in donors)) & allowed[number // size])
        for number, donors in enumerate(joined)
    ]
    assert rows_of(*found) == expected


def test_a_union_without_a_limit():
    rows = [{3, 64}, {0, 129}, {3}]
    found = united(listed([{0, 1, 2}, set()]), listed(rows), every(COLUMNS), 2)
    assert rows_of(*found) == [[0, 3, 64, 129], []]


def test_reach_is_of_wide_species_everywhere_and_of_narrow_ones_nearby():
    wide, narrow = [{1, 70}, set(), {2}], [{5}, {5, 128}, {6}]
    near = (np.array([0, 2, 3]), np.array([0, 1, 2]), np.array([0.0, 0.3, 0.2]))
    limits = np.zeros(COLUMNS)
    limits[[5, 6, 128]] = 0.1, 0.2, 0.3
    found = within_reach(near, as_sets(*listed(wide), COLUMNS), listed(narrow), limits)
    assert members(found) == [{1, 70, 5, 128}, {2, 6}]


@pytest.mark.parametrize("most", [0, 1, 7, 1000])
def test_each_species_keeps_its_number(most):
    rng = np.random.default_rng(0)
    species = (rng.random(5000) ** 3 * 40).astype(np.int32)
    counts = np.bincount(species, minlength=41)
    kept = kept_at_most(species, counts, most, np.random.default_rng(1))
    left = np.bincount(species[kept], minlength=41)
    np.testing.assert_array_equal(left, np.minimum(counts, most))


def test_every_choice_of_two_among_five_is_as_likely():
    species, counts = np.zeros(5, np.int32), np.array([5])
    rng = np.random.default_rng(3)
    drawn = [tuple(np.flatnonzero(kept_at_most(species, counts, 2, rng))) for _ in range(10_000)]
    choices, times = np.unique(drawn, axis=0, return_counts=True)
    assert len(choices) == 10
    assert np.abs(times - 1000).max() < 150
