"""What grows in a quadrat, and that the picture draws just that."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from quadrat.worlds import _paint, _sward
from quadrat.worlds._sward import Quadrat, grow
from quadrat.worlds._visit import SWARD_TYPES, SwardType, Visit, plan_visit


def visit_of(sward: SwardType, seed: int = 0) -> Visit:
    return plan_visit(0, "Tas", "2015/9/4", sward, [seed])


def quadrats(sward: SwardType, count: int) -> list[Quadrat]:
    visit = visit_of(sward)
    return [grow(visit, np.random.default_rng((7, index))) for index in range(count)]


def area(outlines: NDArray[np.float64]) -> float:
    """Total area of polygons by the shoelace formula."""
    x, y = np.moveaxis(outlines.reshape(len(outlines), -1, 2), -1, 0)
    twice = (x * np.roll(y, -1, 1) - y * np.roll(x, -1, 1)).sum(1)
    return float(np.abs(twice).sum() / 2)


@pytest.mark.parametrize("sward", SWARD_TYPES, ids=lambda sward: sward.species)
def test_a_component_that_does_not_grow_weighs_exactly_nothing(sward: SwardType) -> None:
    for quadrat in quadrats(sward, 6):
        for parts, typical in (
            (quadrat.green, sward.green_g),
            (quadrat.clover, sward.clover_g),
            (quadrat.dead, sward.dead_g),
        ):
            if typical == 0:
                assert parts.mass_g == 0.0
                assert len(parts) == 0
        assert quadrat.green.mass_g + quadrat.clover.mass_g + quadrat.dead.mass_g > 1


@pytest.mark.parametrize("sward", SWARD_TYPES, ids=lambda sward: sward.species)
def test_masses_are_near_the_typical_ones(sward: SwardType) -> None:
    visit = visit_of(sward)
    many = quadrats(sward, 30)
    green = np.median([quadrat.green.mass_g for quadrat in many])
    assert green == pytest.approx(sward.green_g * visit.growth, rel=0.5)


def test_every_part_is_rooted_in_the_frame() -> None:
    for quadrat in quadrats(SWARD_TYPES[1], 3):
        for parts in (quadrat.green, quadrat.clover, quadrat.dead):
            assert (parts.base >= 0).all()
            assert (parts.base <= _sward.QUADRAT_CM).all()
            assert (parts.mass > 0).all()


def test_mass_follows_from_the_drawn_leaf_area() -> None:
    quadrat = quadrats(SWARD_TYPES[1], 1)[0]
    scale, rng = np.ones(2), np.random.default_rng(0)
    white = np.ones(3)
    blade = _paint._blade_layers(quadrat.dead, white, white, 0.0, scale, rng)[0]
    leaves = _paint._clover_layers(quadrat.clover, white, white, scale, rng)
    assert area(blade.outlines) == pytest.approx(quadrat.dead.leaf_cm2, rel=0.005)
    drawn = sum(area(layer.outlines) for layer in leaves[::2])
    assert drawn == pytest.approx(quadrat.clover.leaf_cm2, rel=0.005)
    petioles = _sward._PETIOLE_G_CM * quadrat.clover.height.sum()
    per_cm2 = _sward._CLOVER_G_CM2 * quadrat.visit.leaf_mass
    assert quadrat.clover.mass_g == pytest.approx(per_cm2 * drawn + petioles, rel=0.005)


def test_more_mass_is_more_green_in_the_same_light() -> None:
    """Within one visit nothing but the plants changes, so the green share tells the mass."""
    shares, masses = [], []
    for index, quadrat in enumerate(quadrats(SWARD_TYPES[0], 16)):
        picture = _paint.paint(quadrat, (240, 120), np.random.default_rng(index))
        red, green, blue = np.moveaxis(np.asarray(picture, float), -1, 0)
        shares.append(((green > 1.1 * red) & (green > 1.1 * blue)).mean())
        masses.append(quadrat.green.mass_g)
    assert np.corrcoef(shares, masses)[0, 1] > 0.9


def test_parts_that_stand_higher_hide_the_lower_ones() -> None:
    low, high = np.array([[0.0, 0, 9, 0, 9, 9, 0, 9]]), np.array([[3.0, 3, 6, 3, 6, 6, 3, 6]])
    canvas = Image.new("RGB", (10, 10))
    layers = [
        _paint._Layer(high, np.array([[0.0, 1.0, 0.0]]), np.array([5.0])),
        _paint._Layer(low, np.array([[1.0, 0.0, 0.0]]), np.array([1.0])),
    ]
    _paint._draw(canvas, layers, shade=0.4)
    assert canvas.getpixel((5, 5)) == (0, 255, 0)
    assert canvas.getpixel((1, 1)) == (153, 0, 0)
