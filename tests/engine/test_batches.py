from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quadrat.engine import IndexBatches, epoch_order


def index_batches(n: int, size: int, **options) -> IndexBatches[torch.Tensor]:
    return IndexBatches(n, size, lambda index, epoch, position: index, seed=5, **options)


@given(n=st.integers(1, 60), size=st.integers(1, 20), epoch=st.integers(0, 3))
def test_every_sample_once_an_epoch(n, size, epoch):
    batches = index_batches(n, size)
    seen = list(batches.epoch(epoch))
    assert len(seen) == len(batches)
    assert sorted(torch.cat(seen).tolist()) == list(range(n))


@given(n=st.integers(1, 60), size=st.integers(1, 20), start=st.integers(0, 8))
def test_an_epoch_goes_on_from_any_position(n, size, start):
    batches = index_batches(n, size)
    whole, rest = list(batches.epoch(1)), list(batches.epoch(1, start))
    assert all(torch.equal(a, b) for a, b in zip(whole[start:], rest, strict=True))


@given(n=st.integers(1, 60), size=st.integers(1, 20), world=st.integers(1, 4))
def test_processes_share_an_epoch_in_equally_many_steps(n, size, world):
    shares = [index_batches(n, size, rank=rank, world=world) for rank in range(world)]
    assert len({len(share) for share in shares}) == 1
    seen = torch.cat([torch.cat(list(share.epoch(2))) for share in shares])
    assert set(seen.tolist()) == set(range(n))
    assert len(seen) < n + world


def test_orders_differ_by_epoch_and_by_seed_only():
    assert torch.equal(epoch_order(50, 1, 2), epoch_order(50, 1, 2))
    assert not torch.equal(epoch_order(50, 1, 2), epoch_order(50, 1, 3))
    assert not torch.equal(epoch_order(50, 1, 2), epoch_order(50, 2, 2))


def test_the_order_does_not_touch_the_global_generator():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    list(index_batches(20, 3).epoch(0))
    assert torch.equal(before, torch.get_rng_state())


def test_a_short_last_batch_can_be_dropped_but_never_the_only_one():
    assert [len(b) for b in index_batches(10, 4, drop_last=True).epoch(0)] == [4, 4]
    assert [len(b) for b in index_batches(3, 4, drop_last=True).epoch(0)] == [3]


def test_a_state_of_another_order_is_refused():
    batches = index_batches(10, 4)
    batches.load_state_dict(batches.state_dict())
    with pytest.raises(ValueError, match="is not this one"):
        batches.load_state_dict(index_batches(11, 4).state_dict())


def test_no_samples():
    with pytest.raises(ValueError, match="from 0 samples"):
        index_batches(0, 4)
