from __future__ import annotations

import os
import signal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quadrat.engine import Backend, IndexBatches, SampleOrder, fit
from quadrat.engine.orders import weighted_order
from quadrat.errors import Stopped
from tests.engine.toy import ToyModule, ToyObjective, toy_batches, toy_data, toy_settings

weight_lists = st.lists(st.floats(0, 50), min_size=1, max_size=60).filter(lambda w: sum(w) > 1e-3)


def batches(order: SampleOrder, **options) -> IndexBatches[torch.Tensor]:
    options = {"seed": 5, **options}
    return IndexBatches(order.size, 4, lambda index, *_: index, order=order, **options)


@given(weights=weight_lists, epoch=st.integers(0, 3))
def test_every_sample_comes_as_often_as_its_weight_says(weights, epoch):
    given_weights = torch.tensor(weights, dtype=torch.float64)
    n = len(weights)
    counts = torch.bincount(weighted_order(given_weights, 7, epoch), minlength=n).double()
    expected = given_weights / given_weights.sum() * n
    assert int(counts.sum()) == n
    assert ((counts - expected).abs() < 1 + 1e-9).all()
    assert (counts[given_weights == 0] == 0).all()


def test_over_many_epochs_the_draws_are_unbiased():
    weights = torch.rand(40, generator=torch.Generator().manual_seed(1)).double() ** 3
    drawn = torch.cat([weighted_order(weights, 3, epoch) for epoch in range(2000)])
    found = torch.bincount(drawn, minlength=40).double() / 2000
    torch.testing.assert_close(found, weights / weights.sum() * 40, rtol=0.1, atol=0.03)


def test_equal_weights_are_a_shuffle():
    for epoch in range(3):
        order = weighted_order(torch.full((30,), 0.3), 1, epoch)
        assert sorted(order.tolist()) == list(range(30))
        assert order.tolist() != list(range(30))


def test_neighbours_are_not_drawn_in_turns():
    """Half of the places go to one heavy sample; the others must not be all even or all odd."""
    weights = torch.ones(201)
    weights[200] = 200.0
    drawn = set(weighted_order(weights, 0, 0).tolist()) - {200}
    even = sum(place % 2 == 0 for place in drawn)
    assert 30 < even < 70
    assert len(drawn) in (100, 101)


@given(weights=weight_lists, world=st.integers(1, 4))
def test_processes_share_the_draws_in_equally_many_steps(weights, world):
    order = SampleOrder(weights=torch.tensor(weights, dtype=torch.float64))
    shares = [batches(order, rank=rank, world=world) for rank in range(world)]
    assert len({len(share) for share in shares}) == 1
    parts = [torch.cat(list(share.epoch(2))) for share in shares]
    assert len({len(part) for part in parts}) == 1
    whole = order.indices(5, 2)
    together = torch.stack(parts, dim=1).flatten()[: len(whole)]
    assert torch.equal(together, whole)


def test_stages_open_one_after_the_other_and_stay_open():
    stages = torch.tensor([0, 2, 1, 0, 2, 1, 0, 0, 1, 2])
    order = SampleOrder(stages=stages, epochs=9)
    assert [order.open_stage(epoch) for epoch in range(11)] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2]
    for epoch in range(11):
        drawn = order.indices(1, epoch)
        assert len(drawn) == 10
        assert set(stages[drawn].tolist()) == set(range(order.open_stage(epoch) + 1))
    assert sorted(order.indices(1, 8).tolist()) == list(range(10))


def test_more_stages_than_epochs_still_open_the_later_ones():
    order = SampleOrder(stages=torch.arange(4), epochs=2)
    assert [order.open_stage(epoch) for epoch in range(3)] == [0, 2, 3]


def test_a_longer_training_keeps_the_epochs_of_its_stages():
    stages = torch.tensor([0, 1, 2, 0, 1, 2])
    planned = batches(SampleOrder(stages=stages, epochs=6))
    longer = batches(SampleOrder(stages=stages, epochs=12))
    longer.load_state_dict(planned.state_dict())
    assert longer.order is not None
    assert longer.order.open_stage(4) == 2
    with pytest.raises(ValueError, match="other weights or stages"):
        longer.load_state_dict(batches(SampleOrder(stages=stages.flip(0))).state_dict())
    with pytest.raises(ValueError, match="is not this one"):
        longer.load_state_dict(IndexBatches(6, 4, lambda index, *_: index, seed=5).state_dict())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"weights": torch.tensor([1.0, -1.0])}, "negative or NaN"),
        ({"weights": torch.tensor([1.0, float("nan")])}, "negative or NaN"),
        ({"stages": torch.tensor([0, 2])}, "without gaps"),
        ({"weights": torch.tensor([0.0, 1.0]), "stages": torch.tensor([0, 1])}, "first stage"),
    ],
)
def test_orders_that_cannot_be(values, message):
    with pytest.raises(ValueError, match=message):
        SampleOrder(**values)
    with pytest.raises(ValueError, match="order of 2 samples"):
        IndexBatches(3, 1, lambda index, *_: index, seed=0, order=SampleOrder(torch.ones(2)))


def test_a_training_with_an_order_resumes_to_the_same_bits(tmp_path):
    backend = Backend.create("cpu", "fp32")
    x, y = toy_data(64)
    order = SampleOrder(torch.rand(64), torch.arange(64) % 3, epochs=4)

    class Interrupting(ToyObjective):
        left = 6

        def loss(self, module, batch):
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().loss(module, batch)

    def train(objective, folder):
        torch.manual_seed(0)
        module = ToyModule()
        source = toy_batches(x, y, order=order)
        settings = toy_settings(epochs=4)
        fit(module, source, objective, settings, backend=backend, state=folder)
        return module.state_dict()

    whole = train(ToyObjective(), None)
    with pytest.raises(Stopped):
        train(Interrupting(), tmp_path)
    resumed = train(ToyObjective(), tmp_path)
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())
