from __future__ import annotations

import itertools

import numpy as np
import pytest

from quadrat.photos.curriculum import edges, fractal_dimension
from quadrat.photos.curriculum.fractal import box_counts, box_sizes, sobel_magnitude


def koch(depth: int, side: int) -> np.ndarray:
    """The Koch curve, drawn as pixels."""
    points = np.array([0.0, 1.0], dtype=complex)
    bend = np.exp(1j * np.pi / 3)
    for _ in range(depth):
        start, step = points[:-1], np.diff(points) / 3
        parts = [start, start + step, start + step + step * bend, start + 2 * step]
        points = np.append(np.stack(parts, axis=1).ravel(), points[-1])
    fine = np.concatenate([np.linspace(a, b, 8) for a, b in itertools.pairwise(points)])
    mask = np.zeros((side, side), dtype=bool)
    pixels = (fine * (side - 1)).round()
    mask[pixels.imag.astype(int), pixels.real.astype(int)] = True
    return mask


def carpet(depth: int) -> np.ndarray:
    """Sierpinski's carpet: every pixel but those with a digit 1 in both base-3 coordinates."""
    rows, columns = np.indices((3**depth, 3**depth))
    hole = np.zeros(rows.shape, dtype=bool)
    for _ in range(depth):
        hole |= (rows % 3 == 1) & (columns % 3 == 1)
        rows, columns = rows // 3, columns // 3
    return ~hole


def triangle(side: int) -> np.ndarray:
    """Sierpinski's triangle: Pascal's triangle modulo 2."""
    rows, columns = np.indices((side, side))
    return (rows & columns) == 0


def test_a_filled_square_has_dimension_two():
    assert fractal_dimension(np.ones((512, 512), dtype=bool)) == pytest.approx(2.0)


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_a_straight_line_has_dimension_one(slope):
    mask = np.zeros((512, 512), dtype=bool)
    columns = np.arange(512)
    mask[(slope * columns).astype(int), columns] = True
    assert fractal_dimension(mask) == pytest.approx(1.0, abs=0.03)


def test_known_fractals():
    assert fractal_dimension(triangle(512)) == pytest.approx(np.log(3) / np.log(2), abs=1e-9)
    assert fractal_dimension(carpet(6)) == pytest.approx(np.log(8) / np.log(3), abs=0.03)
    assert fractal_dimension(koch(7, 1024)) == pytest.approx(np.log(4) / np.log(3), abs=0.04)


def test_points_and_nothing_have_none():
    mask = np.zeros((256, 256), dtype=bool)
    assert fractal_dimension(mask) == 0.0
    mask[40, 200] = True
    assert fractal_dimension(mask) == pytest.approx(0.0)


def test_boxes_are_counted_one_by_one():
    mask = np.random.default_rng(0).random((50, 67)) < 0.02
    sizes = np.array([1, 2, 4, 8, 16])
    expected = [
        sum(
            mask[row : row + size, column : column + size].any()
            for row in range(0, 50, size)
            for column in range(0, 67, size)
        )
        for size in sizes.tolist()
    ]
    assert box_counts(mask, sizes).tolist() == expected


def test_sizes_go_up_to_a_quarter_of_the_shorter_side():
    assert box_sizes((512, 900)).tolist() == [2, 4, 8, 16, 32, 64, 128]
    assert box_sizes((40, 32)).tolist() == [2, 4, 8]
    with pytest.raises(ValueError, match="20 x 40 pixels is too small"):
        box_sizes((40, 20))


def test_the_gradient_is_that_of_scipy():
    from scipy import ndimage

    grey = np.random.default_rng(1).random((30, 41)).astype(np.float32)
    expected = np.hypot(
        ndimage.sobel(grey, 0, mode="nearest"), ndimage.sobel(grey, 1, mode="nearest")
    )
    np.testing.assert_allclose(sobel_magnitude(grey), expected, rtol=1e-4, atol=1e-5)


def test_edges_are_where_the_picture_changes():
    grey = np.full((64, 64), 0.2, dtype=np.float32)
    grey[:, 30:] = 0.9
    grey += np.random.default_rng(2).normal(0.0, 0.01, grey.shape).astype(np.float32)
    assert set(np.unique(np.nonzero(edges(grey))[1])) == {29, 30}
    assert not edges(np.full((64, 64), 0.5, dtype=np.float32)).any()


def test_an_outline_is_a_line_and_grass_is_more():
    rows, columns = np.indices((512, 512))
    disc = ((rows - 256) ** 2 + (columns - 256) ** 2 < 180**2).astype(np.float32)
    assert fractal_dimension(edges(disc)) == pytest.approx(1.0, abs=0.1)
    rng = np.random.default_rng(3)
    grass = np.zeros((512, 512), dtype=np.float32)
    for _ in range(600):
        row, column, lean = rng.integers(0, 470), rng.integers(5, 500), rng.normal(0.0, 0.2)
        along = np.arange(40)
        grass[row + along, np.clip(column + lean * along, 0, 511).astype(int)] = rng.uniform(0.3, 1)
    assert fractal_dimension(edges(grass)) > 1.4
