import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quadrat.occurrence.labels.capping import cap_observations
from quadrat.occurrence.labels.matrix import LabelMatrix

pairs = st.lists(st.tuples(st.integers(0, 29), st.integers(0, 4)), max_size=120)


def matrix(pairs):
    rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
    return LabelMatrix.from_pairs(rows, columns, (30, 5))


def as_set(labels):
    return set(zip(labels.row_of_positives().tolist(), labels.indices.tolist(), strict=True))


@given(pairs=pairs, most=st.integers(1, 12), seed=st.integers(0, 99))
def test_only_labels_of_frequent_species_go(pairs, most, seed):
    labels = matrix(pairs)
    left, lost = cap_observations(labels, most, seed)
    assert len(left) == len(labels)
    np.testing.assert_array_equal(left.counts(), np.minimum(labels.counts(), most))
    np.testing.assert_array_equal(lost, labels.counts() - left.counts())
    assert as_set(left) <= as_set(labels)


def test_the_seed_draws_them():
    labels = LabelMatrix.from_pairs(np.arange(1000), np.zeros(1000, int), (1000, 1))
    first, _ = cap_observations(labels, 500, 1)
    again, _ = cap_observations(labels, 500, 1)
    other, _ = cap_observations(labels, 500, 2)
    assert as_set(first) == as_set(again)
    assert 200 < len(as_set(first) & as_set(other)) < 300


def test_every_label_is_as_likely_to_stay():
    rows = np.arange(200)
    labels = LabelMatrix.from_pairs(rows, np.zeros(200, int), (200, 1))
    kept = np.zeros(200)
    for seed in range(300):
        kept += cap_observations(labels, 50, seed)[0].lengths()
    assert abs(kept / 300 - 0.25).max() < 0.12
