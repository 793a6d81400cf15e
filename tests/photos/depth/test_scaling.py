"""Scales are those of plain arithmetic, and keep or remove what they say."""

from __future__ import annotations

import numpy as np
import pytest

from quadrat.errors import DataError
from quadrat.photos.depth.scaling import METRES, DepthScale

RNG = np.random.default_rng(2)
MAPS = (RNG.uniform(0, 9, (5, 8, 8)) + np.arange(5)[:, None, None]).astype(np.float16)


def test_dataset_has_mean_0_and_sd_1_over_all_pixels():
    scale = DepthScale.fit("dataset", MAPS)
    np.testing.assert_allclose(scale.mean, MAPS.astype(np.float64).mean(), rtol=1e-12)
    np.testing.assert_allclose(scale.sd, MAPS.astype(np.float64).std(), rtol=1e-12)
    scaled = scale.apply(MAPS)
    assert scaled.dtype == np.float32
    assert abs(scaled.mean()) < 1e-5
    assert abs(scaled.std() - 1.0) < 1e-5
    assert scaled[4].mean() > scaled[0].mean() + 0.5


def test_metric_is_metres_by_a_constant():
    scaled = DepthScale.fit("metric", MAPS).apply(MAPS)
    np.testing.assert_allclose(scaled, MAPS.astype(np.float64) / METRES, rtol=1e-6)


def test_image_goes_from_0_to_1_in_every_photo():
    scaled = DepthScale.fit("image", MAPS).apply(MAPS)
    assert scaled.min(axis=(1, 2)).tolist() == [0.0] * 5
    assert scaled.max(axis=(1, 2)).tolist() == [1.0] * 5
    shifted = DepthScale.fit("image", MAPS).apply(3.0 * MAPS.astype(np.float64) + 7.0)
    np.testing.assert_allclose(shifted, scaled, atol=1e-5)
    flat = np.full((1, 4, 4), 3.0, dtype=np.float16)
    assert DepthScale("image").apply(flat).tolist() == np.zeros((1, 4, 4)).tolist()


def test_one_map_is_scaled_as_among_others():
    for kind in ("dataset", "metric", "image"):
        scale = DepthScale.fit(kind, MAPS)
        np.testing.assert_array_equal(scale.apply(MAPS[2:3])[0], scale.apply(MAPS)[2])
        assert DepthScale.from_json(scale.to_json()) == scale
        assert scale.apply(MAPS[:0]).shape == (0, 8, 8)


def test_flat_maps_cannot_be_standardised():
    with pytest.raises(DataError, match="say 0 everywhere"):
        DepthScale.fit("dataset", np.zeros((3, 4, 4), dtype=np.float16))
