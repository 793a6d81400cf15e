from __future__ import annotations

import numpy as np
import pytest

from quadrat.photos.cleaning.simulation import simulate_marks, simulate_red_dots, simulate_stamp
from quadrat.runtime.cleaning.stamps import find_stamps
from tests.runtime.cleaning.textures import GRASS, blades

PHOTO = blades(GRASS, seed=9)


@pytest.mark.parametrize("draw", [simulate_stamp, simulate_red_dots])
def test_marks_are_small_and_come_from_the_generator_alone(draw):
    before = PHOTO.copy()
    one, again, other = (draw(PHOTO, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(PHOTO, before)
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert (one.shape, one.dtype) == (PHOTO.shape, np.uint8)
    changed = (one != PHOTO).any(axis=2)
    assert 0.0 < changed.mean() < 0.1


def test_most_simulated_dates_are_found_by_who_looks_for_dates():
    found = 0
    for seed in range(24):
        drawn = simulate_stamp(PHOTO, np.random.default_rng(seed))
        stamps, mask = find_stamps(drawn)
        found += bool(stamps)
        if stamps:
            changed = (drawn != PHOTO).any(axis=2)
            assert mask[changed].mean() > 0.6
    assert found >= 20


def test_dates_stand_in_all_four_corners():
    corners = set()
    for seed in range(40):
        changed = (simulate_stamp(PHOTO, np.random.default_rng(seed)) != PHOTO).any(axis=2)
        rows, columns = np.nonzero(changed)
        corners.add((rows.mean() > 180, columns.mean() > 320))
    assert len(corners) == 4


def test_dots_are_red():
    drawn = simulate_red_dots(PHOTO, np.random.default_rng(3)).astype(int)
    changed = np.abs(drawn - PHOTO).max(axis=2) > 100
    assert changed.any()
    assert (drawn[changed, 0] > drawn[changed, 1] + 60).all()


def test_a_probability_is_kept():
    assert simulate_marks(PHOTO, np.random.default_rng(0), 0.0) is PHOTO
    generator = np.random.default_rng(0)
    small = PHOTO[:120, :160]
    kept = sum(simulate_marks(small, generator, 0.3) is small for _ in range(200))
    assert abs(kept / 200 - 0.7**2) < 0.1


def test_what_is_drawn_does_not_disturb_later_draws():
    after = []
    for probability in (0.0, 1.0):
        generator = np.random.default_rng(7)
        simulate_marks(PHOTO, generator, probability)
        after.append(generator.random())
    assert after[0] == after[1]
