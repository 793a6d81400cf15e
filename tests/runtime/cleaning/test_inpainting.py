from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from quadrat.runtime.cleaning.inpainting import inpaint


def dense(pixels, mask):
    """The same by elimination in double precision, channel by channel."""
    places = {place: row for row, place in enumerate(map(tuple, np.argwhere(mask)))}
    matrix, known = np.zeros((len(places), len(places))), np.zeros((len(places), 3))
    for (y, x), row in places.items():
        for place in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if not (0 <= place[0] < mask.shape[0] and 0 <= place[1] < mask.shape[1]):
                continue
            matrix[row, row] += 1
            if place in places:
                matrix[row, places[place]] -= 1
            else:
                known[row] += pixels[place]
    filled = pixels.astype(float)
    filled[mask] = np.linalg.solve(matrix, known)
    return filled


@given(arrays(np.uint8, (7, 9, 3)), arrays(bool, (7, 9), elements=st.booleans()))
def test_holes_are_filled_as_by_elimination(pixels, mask):
    if mask.all():
        assert inpaint(pixels, mask) is pixels
        return
    filled = inpaint(pixels, mask)
    np.testing.assert_array_equal(filled[~mask], pixels[~mask])
    assert np.abs(filled - dense(pixels, mask)).max() <= 0.51, "rounded, and nothing more"


def test_a_slope_goes_through_a_hole_undisturbed():
    slope = np.tile((4 * np.arange(40, dtype=np.uint8))[:, None], (1, 3))
    pixels = np.broadcast_to(slope, (30, 40, 3)).copy()
    mask = np.zeros((30, 40), dtype=bool)
    mask[8:20, 10:30] = True
    damaged = pixels.copy()
    damaged[mask] = 255
    np.testing.assert_array_equal(inpaint(damaged, mask), pixels)


def test_no_value_leaves_the_range_of_the_rim():
    pixels = np.random.default_rng(1).integers(90, 110, (50, 60, 3), dtype=np.uint8)
    mask = np.zeros((50, 60), dtype=bool)
    mask[10:40, 10:50] = True
    pixels[mask] = 250
    filled = inpaint(pixels, mask)
    assert filled.min() >= 90
    assert filled.max() < 110


def test_nothing_marked_is_the_same_object():
    pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    assert inpaint(pixels, np.zeros((4, 4), dtype=bool)) is pixels
