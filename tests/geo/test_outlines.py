from __future__ import annotations

import numpy as np
import pytest

from quadrat.geo import all_cells, cell_centres, cell_outlines, cells_at


def area(ring: np.ndarray) -> float:
    x, y = ring.T
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


@pytest.mark.parametrize("resolution", [0, 1, 2])
def test_all_cells_cover_the_flat_map_exactly_once(resolution: int):
    """Neighbours share their edges, so the areas add up to 360 × 180 square degrees."""
    parts = [ring for cell in cell_outlines(all_cells(resolution)) for ring in cell]
    areas = [area(ring) for ring in parts]
    assert min(areas) > 0, "counterclockwise"
    assert sum(areas) == pytest.approx(360 * 180, abs=1e-6)
    points = np.concatenate(parts)
    assert np.abs(points[:, 0]).max() <= 180
    assert np.abs(points[:, 1]).max() <= 90


def test_a_cell_across_the_dateline_is_cut_there():
    (cell,) = cell_outlines(cells_at([-17.0], [179.99], 3))
    assert len(cell) == 2
    assert sorted(float(np.sign(ring[:, 0].mean())) for ring in cell) == [-1, 1]
    for ring in cell:
        assert np.abs(ring[:, 0]).max() == 180
        assert np.ptp(ring[:, 0]) < 3


def test_a_cell_around_a_pole_reaches_it():
    for pole in (90.0, -90.0):
        (cell,) = cell_outlines(cells_at([pole], [0.0], 2))
        points = np.concatenate(cell)
        assert pole in points[:, 1]
        assert {-180.0, 180.0} <= set(points[:, 0].tolist())


def test_other_cells_are_as_h3_has_them():
    import h3

    cells = cells_at([47.0, 0.3], [8.0, 30.0], 3)
    for cell, parts in zip(cells, cell_outlines(cells), strict=True):
        boundary = h3.cell_to_boundary(f"{cell:x}")
        np.testing.assert_allclose(parts[0][:, ::-1], boundary, atol=1e-12)
    lat, lon = cell_centres(cells)
    for (ring,), y, x in zip(cell_outlines(cells), lat, lon, strict=True):
        np.testing.assert_allclose(ring.mean(axis=0), [x, y], atol=0.05)


def test_no_cells():
    assert cell_outlines(np.empty(0, np.uint64)) == []
