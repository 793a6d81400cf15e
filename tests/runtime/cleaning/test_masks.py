from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from quadrat.runtime.cleaning.masks import connected_parts, depth, local_mean, widened

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))
MASKS = arrays(bool, SHAPES)
EIGHT = np.ones((3, 3), dtype=int)


@given(MASKS)
def test_parts_are_those_of_scipy(mask):
    parts = connected_parts(mask)
    labels, count = ndimage.label(mask, structure=EIGHT)
    assert len(parts.areas) == count
    assert (parts.labels[~mask] == -1).all()
    pairs = set(zip(parts.labels[mask].tolist(), labels[mask].tolist(), strict=True))
    assert len(pairs) == count, "the same pixels have the same number in both"
    for mine, theirs in pairs:
        rows, columns = ndimage.find_objects(labels)[theirs - 1]
        assert parts.boxes[mine].tolist() == [columns.start, rows.start, columns.stop, rows.stop]
        assert parts.areas[mine] == (labels == theirs).sum()


def test_a_long_winding_part_is_one():
    mask = np.zeros((41, 41), dtype=bool)
    mask[::2] = True
    mask[1::4, -1] = mask[3::4, 0] = True
    parts = connected_parts(mask)
    assert parts.areas.tolist() == [mask.sum()]


@given(MASKS, st.integers(0, 3))
def test_widening_is_that_of_scipy(mask, steps):
    expected = ndimage.binary_dilation(mask, iterations=steps) if steps else mask
    np.testing.assert_array_equal(widened(mask, steps), expected)


@given(MASKS)
def test_depth_is_the_largest_chessboard_distance(mask):
    distances = ndimage.distance_transform_cdt(np.pad(mask, 1), metric="chessboard")
    assert depth(mask) == distances.max()


@pytest.mark.parametrize("side", [1, 3, 9, 31])
def test_local_means_are_those_of_a_loop(side):
    values = np.random.default_rng(0).random((9, 14), dtype=np.float32)
    reach = side // 2
    expected = [
        [
            values[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1].mean()
            for x in range(14)
        ]
        for y in range(9)
    ]
    np.testing.assert_allclose(local_mean(values, side), expected, rtol=1e-5)
