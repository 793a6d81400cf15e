import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from quadrat.geo import great_circle_km, unit_vectors
from quadrat.occurrence.network.encodings import (
    ENCODINGS,
    HarmonicEncoding,
    HarmonicProductEncoding,
    SphericalEncoding,
    SphericalHarmonicsEncoding,
    week_table,
)
from quadrat.occurrence.schema import NetworkSection

ENCODING = SphericalEncoding(8, seed=3)


def encode(lat, lon, encoding=ENCODING):
    return encoding(torch.tensor([[lat, lon]], dtype=torch.float32))[0]


@settings(deadline=None)  # torch's first call takes seconds
@given(st.floats(-720, 720))
def test_the_poles_are_one_place_whatever_the_longitude(lon):
    for pole in (90.0, -90.0):
        torch.testing.assert_close(encode(pole, lon), encode(pole, 0.0), atol=1e-5, rtol=0)


@settings(deadline=None)
@given(st.floats(-90, 90))
def test_the_dateline_is_no_border(lat):
    torch.testing.assert_close(encode(lat, 180.0), encode(lat, -180.0), atol=1e-4, rtol=0)


@settings(deadline=None)
@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180))
def test_near_places_have_near_features(lat, lon, other_lat, other_lon):
    """The features change by no more than the steepest wave, times the way."""
    km = great_circle_km(lat, lon, other_lat, other_lon)
    steepest = math.sqrt(1 + ENCODING.frequencies.square().sum().item())
    change = (encode(lat, lon) - encode(other_lat, other_lon)).norm().item()
    assert change <= steepest * km / 6371 + 1e-3


def test_the_unit_vector_comes_first():
    np.testing.assert_allclose(encode(48.2, 16.4)[:3], unit_vectors(48.2, 16.4), atol=1e-6)


def test_size_and_detail_follow_the_harmonics():
    assert ENCODING.size == 195 == len(encode(0.0, 0.0))
    lengths = ENCODING.frequencies.norm(dim=1)
    assert lengths.min().item() == pytest.approx(1)
    assert lengths.max().item() == pytest.approx(16)
    assert SphericalEncoding(16, seed=3).frequencies.norm(dim=1).max().item() == pytest.approx(32)


def test_the_seed_makes_the_waves():
    same, other = SphericalEncoding(8, seed=3), SphericalEncoding(8, seed=4)
    assert torch.equal(same.frequencies, ENCODING.frequencies)
    assert not torch.equal(other.frequencies, ENCODING.frequencies)


def test_autocast_does_not_blur_the_waves():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = encode(35.3, 139.7)
    torch.testing.assert_close(cast.float(), encode(35.3, 139.7))


def test_harmonics_of_latitude_and_longitude():
    features = encode(30.0, -120.0, HarmonicEncoding(3))
    lat, lon = math.radians(30), math.radians(-120)
    expected = [
        f(k * angle) for angle in (lat, lon) for f in (math.sin, math.cos) for k in (1, 2, 3)
    ]
    np.testing.assert_allclose(features, expected, atol=1e-6)


def test_harmonics_tear_the_pole_apart():
    """The fault that the spherical encoding is there to avoid."""
    encoding = HarmonicEncoding(8)
    assert (encode(90.0, 0.0, encoding) - encode(90.0, 90.0, encoding)).norm() > 1


def test_weeks_lie_on_a_circle_with_the_year_at_its_centre():
    weeks = week_table(8)
    assert weeks.shape == (49, 16)
    torch.testing.assert_close(weeks[1], torch.cat([torch.zeros(8), torch.ones(8)]))
    assert torch.equal(weeks[0], torch.zeros(16))
    torch.testing.assert_close(weeks[1:].mean(0), weeks[0], atol=1e-6, rtol=0)
    steps = (weeks[1:] - weeks[1:].roll(1, 0)).norm(dim=1)
    torch.testing.assert_close(steps, steps[:1].expand(48), atol=1e-5, rtol=0)


def test_no_two_weeks_are_encoded_alike():
    distances = torch.cdist(week_table(8), week_table(8)) + torch.eye(49)
    assert distances.min() > 0.1


def test_every_encoding_can_be_asked_for_and_the_schema_knows_it():
    choices = NetworkSection.model_json_schema()["properties"]["encoding"]["enum"]
    assert sorted(choices) == ENCODINGS.names()
    for name in choices:
        encoding = ENCODINGS[name](5, 0)
        assert encoding(torch.zeros(3, 2)).shape == (3, encoding.size)
        assert ENCODINGS.info(name).summary


@pytest.mark.parametrize("degree", [1, 8, 64])
def test_spherical_harmonics_are_those_of_scipy(degree):
    generator = np.random.default_rng(5)
    lat, lon = generator.uniform(-90, 90, 40), generator.uniform(-180, 180, 40)
    expected = []
    for n in range(1, degree + 1):
        for m in range(-n, n + 1):
            y = special.sph_harm_y(n, abs(m), np.radians(90 - lat), np.radians(lon)) * (-1) ** m
            real = y.real if m == 0 else math.sqrt(2) * (y.real if m > 0 else y.imag)
            expected.append(real * math.sqrt(4 * math.pi))
    position = torch.from_numpy(np.stack([lat, lon], axis=1))
    encoding = SphericalHarmonicsEncoding(degree)
    np.testing.assert_allclose(encoding(position).T, expected, atol=1e-9)
    np.testing.assert_allclose(encoding(position.float()).T, expected, atol=2e-5 * degree)


def test_spherical_harmonics_are_orthonormal():
    """By the Gauss-Legendre rule in the sine of the latitude, which is exact here."""
    degree = 8
    sines, weights = np.polynomial.legendre.leggauss(degree + 1)
    lon = np.arange(2 * degree + 2) * 360 / (2 * degree + 2)
    lats, lons = np.meshgrid(np.degrees(np.arcsin(sines)), lon, indexing="ij")
    position = torch.from_numpy(np.stack([lats.ravel(), lons.ravel()], axis=1))
    features = SphericalHarmonicsEncoding(degree)(position).numpy()
    weight = np.repeat(weights / 2, len(lon)) / len(lon)
    np.testing.assert_allclose(
        features.T @ (features * weight[:, None]), np.eye(features.shape[1]), atol=1e-12
    )


def test_spherical_harmonics_meet_at_the_poles():
    encoding = SphericalHarmonicsEncoding(16)
    for pole in (90.0, -90.0):
        torch.testing.assert_close(
            encode(pole, 137.0, encoding), encode(pole, 0.0, encoding), atol=1e-4, rtol=0
        )
    torch.testing.assert_close(
        encode(30.0, 180.0, encoding), encode(30.0, -180.0, encoding), atol=1e-4, rtol=0
    )


def test_products_of_harmonics():
    features = encode(30.0, -120.0, HarmonicProductEncoding(6))
    torch.testing.assert_close(features[:24], encode(30.0, -120.0, HarmonicEncoding(6)))
    lat, lon = (
        [f(k * math.radians(angle)) for f in (math.sin, math.cos) for k in (1, 2, 3, 4)]
        for angle in (30, -120)
    )
    np.testing.assert_allclose(features[24:], np.outer(lat, lon).ravel(), atol=1e-6)
    assert HarmonicProductEncoding(2).size == 8 + 16
