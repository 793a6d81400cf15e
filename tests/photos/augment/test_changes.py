"""Batches: pairs are mixed with their targets, crops shrink them, and every sample keeps a view."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from quadrat.photos.augment.changes import BatchChanges
from quadrat.photos.augment.mixing import Mix, draw_mix
from quadrat.photos.fusion import Metadata


def test_mixing_averages_and_unknown_values_stay_unknown():
    mix = Mix(torch.tensor([1, 2, 0]), torch.tensor([0.25, 1.0, 0.5]))
    values = torch.tensor([[4.0, 1.0], [8.0, float("nan")], [0.0, 3.0]])
    mixed = mix(values)
    assert mixed[:, 0].tolist() == [7.0, 8.0, 2.0]
    assert mixed[:2, 1].isnan().all() and mixed[2, 1] == 2.0


def test_views_are_mixed_view_by_view():
    mix = Mix(torch.tensor([1, 0]), torch.tensor([0.75, 0.5]))
    views = torch.arange(4.0)[:, None].repeat(1, 3)
    assert mix.views(views)[:, 0].tolist() == [0.5, 1.5, 1.0, 2.0]


def test_categories_that_differ_become_unknown():
    mix = Mix(torch.tensor([1, 0, 2]), torch.full((3,), 0.5))
    metadata = Metadata(
        torch.tensor([[2.0], [4.0], [6.0]]),
        torch.tensor([[0.0], [1.0], [0.0]]),
        torch.tensor([[1, 2], [1, 3], [2, 2]]),
    )
    mixed = mix.metadata(metadata)
    assert mixed.categories.tolist() == [[1, 0], [1, 0], [2, 2]]
    assert mixed.missing[:, 0].tolist() == [1.0, 1.0, 0.0]
    assert mixed.numeric[:, 0].tolist() == [0.0, 0.0, 6.0]


def test_shares_come_from_a_beta_distribution():
    share = draw_mix(4000, 0.4, torch.Generator().manual_seed(0)).share.numpy()
    assert stats.kstest(share, stats.beta(0.4, 0.4).cdf).pvalue > 0.01


@given(st.lists(st.integers(1, 4), min_size=1, max_size=9), st.floats(0.0, 0.99), st.integers(0, 9))
def test_every_sample_keeps_a_view(counts: list[int], dropout: float, position: int):
    changes = BatchChanges(seed=1, view_dropout=dropout)
    owner = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    kept = changes.kept(owner, changes.generator(3, position))
    assert set(owner[kept].tolist()) == set(range(len(counts)))


def test_about_the_asked_share_of_views_drops_out():
    changes = BatchChanges(view_dropout=0.3)
    owner = torch.arange(200).repeat_interleave(20)
    kept = changes.kept(owner, changes.generator(0, 0))
    assert float(kept.double().mean()) == pytest.approx(0.7, abs=0.03)


def test_what_is_drawn_depends_on_the_place_of_the_batch_alone():
    changes = BatchChanges(seed=4, mixup=1.0)
    first, again, other = (changes.mix(6, changes.generator(2, position)) for position in (5, 5, 6))
    assert first is not None and again is not None and other is not None
    np.testing.assert_array_equal(first.share, again.share)
    assert not np.array_equal(first.share, other.share)
