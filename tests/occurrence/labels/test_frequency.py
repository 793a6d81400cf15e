import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadrat.occurrence.labels.frequency import frequency_weights
from quadrat.occurrence.labels.matrix import LabelMatrix
from quadrat.occurrence.schema.labels import FrequencyWeightSection


def by_hand(labels, lat, lon, section):
    rows = np.split(labels.indices, labels.indptr[1:-1])
    best = np.zeros(labels.columns)
    for south in range(-90, 90, 30):
        for west in range(-180, 180, 60):
            counts = dict.fromkeys(range(labels.columns), 0)
            for cell, (y, x) in enumerate(zip(lat, lon, strict=True)):
                top = y < south + 30 or (south == 60 and y == 90)
                if y >= south and top and west <= (x + 180) % 360 - 180 < west + 60:
                    for row in rows[cell * 48 : cell * 48 + 48]:
                        for species in row.tolist():
                            counts[species] += 1
            there = {species: count for species, count in counts.items() if count}
            for species, count in there.items():
                fewer = sum(other < count for other in there.values())
                percentile = 100 * fewer / len(there) if len(there) > 1 else 50.0
                best[species] = max(best[species], percentile)
    return np.interp(best, [section.pct_low, section.pct_high], [section.min, 1.0])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    low=st.sampled_from([0.0, 10.0, 40.0]),
    high=st.sampled_from([50.0, 95.0]),
)
def test_weights_by_hand(seed, low, high):
    rng = np.random.default_rng(seed)
    lat, lon = rng.uniform(-90, 90, 9), rng.uniform(-180, 190, 9)
    lat[0] = 90.0
    rows, columns = rng.integers(0, 9 * 48, 60), rng.integers(0, 6, 60)
    labels = LabelMatrix.from_pairs(rows, columns, (9 * 48, 7))
    section = FrequencyWeightSection(on=True, min=0.05, pct_low=low, pct_high=high)
    found = frequency_weights(labels, lat, lon, section)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_hand(labels, lat, lon, section), rtol=1e-6)


def test_a_species_counts_where_it_is_common():
    """Rare where people look, common where they do not: its weight is that of its home."""
    labels = LabelMatrix.from_pairs(
        [0, 1, 2, 3, 0, 1, 0, 48, 49, 48], [0, 0, 0, 0, 1, 1, 2, 2, 2, 3], (96, 4)
    )
    weights = frequency_weights(
        labels, np.array([10.0, -40.0]), np.array([0.0, 0.0]), FrequencyWeightSection(on=True)
    )
    assert weights[2] == pytest.approx(0.01 + 0.99 * (50 - 10) / 85)
    assert weights[3] == pytest.approx(0.01)
