"""Training in which places are moved, species drawn and absences assumed at random places."""

import pytest
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from quadrat.engine import Backend
from quadrat.errors import DataError, Stopped
from quadrat.occurrence import fitting, training
from quadrat.occurrence.network import species_network
from quadrat.occurrence.samples.dataset import prepare
from quadrat.runs import Run

from .tables import columns, random_lists, write

DRAWING = {
    "data": {"sample_fraction": 0.4},
    "augment": {"jitter": True},
    "loss": {"kind": "assume-negative", "neg_samples": 8, "spatial_negatives": "cells"},
    "network": {"habitat_head": True},
    "score": {"baselines": False, "bootstrap": 0},
}


@pytest.fixture(scope="module")
def drawing(experiment):
    return experiment(**DRAWING)


@pytest.fixture(scope="module")
def trained(drawing, tmp_path_factory):
    run = Run.create(tmp_path_factory.mktemp("runs"), drawing)
    training.train(drawing, run, history=run.history())
    return run


def test_it_learns(trained):
    assert trained.metrics()["scores"]["map"] > 0.5


def test_the_history_has_the_parts_of_the_loss(trained):
    for record in trained.history().records():
        parts = [
            record[f"{name}_loss"] for name in ("species", "spatial", "environment", "habitat")
        ]
        assert all(part > 0 for part in parts)
        assert record["loss"] == pytest.approx(
            parts[0] + parts[1] + 0.1 * parts[2] + 0.1 * parts[3], rel=1e-5
        )


def test_a_stopped_run_draws_what_it_would_have_drawn(trained, drawing, tmp_path, monkeypatch):
    from quadrat.engine import training as loop

    run = Run.create(tmp_path, drawing)
    steps = iter(range(1000))
    with monkeypatch.context() as patch:
        patch.setattr(loop, "stop_requested", lambda: next(steps) == 20)
        with pytest.raises(Stopped):
            training.train(drawing, run, history=run.history())
    training.train(drawing, run, history=run.history())
    for name in ("metrics.json", "folds/0/model.safetensors"):
        assert run.path(name).read_bytes() == trained.path(name).read_bytes(), name


@pytest.fixture(scope="module")
def step(drawing):
    """Network, objective and a batch, the network without anything random of its own."""
    data = prepare(drawing)
    network, _ = fitting.build_network(drawing, data)
    for module in network.modules():
        if hasattr(module, "dropped"):
            module.dropped = 0
    backend = Backend.create("cpu", "fp32")
    samples = fitting.training_samples(drawing, data)
    batch = next(fitting.training_batches(drawing, data, samples, backend).epoch(0))
    return network.train(), fitting.make_objective(drawing, data), batch


def gradients(network, module, objective, batch):
    network.zero_grad()
    total = objective.loss(module, batch).total
    total.backward()
    return total.item(), {name: p.grad.clone() for name, p in network.named_parameters()}


def test_only_the_drawn_species_are_computed(step, monkeypatch):
    network, objective, batch = step
    widths = []
    linear = torch.nn.functional.linear

    def watched(x, weight, *more):
        widths.append(len(weight))
        return linear(x, weight, *more)

    monkeypatch.setattr(torch.nn.functional, "linear", watched)
    monkeypatch.setattr(species_network.nn.functional, "linear", watched)
    objective.loss(network, batch)
    assert len(batch.species) == 8
    assert objective.species not in widths
    assert widths.count(8) == 6


def test_processes_that_share_the_gradient_compute_the_same(step, tmp_path):
    network, objective, batch = step
    alone = gradients(network, network, objective, batch)
    distributed.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        wrapped = DistributedDataParallel(network, find_unused_parameters=True)
        shared = gradients(network, wrapped, objective, batch)
    finally:
        distributed.destroy_process_group()
    torch.testing.assert_close(shared, alone)


def test_cells_by_coordinates_cannot_be_jittered(experiment, tmp_path):
    places = {"h3_index": None, "lat": [float(n) for n in range(20)], "lon": [1.0] * 20}
    lists = random_lists(20, ["one", "two"], mean=3.0)
    table = write(tmp_path / "cells.parquet", columns(lists, **places))
    data = {"table": str(table), "sample_fraction": 1.0}
    made = experiment(**{**DRAWING, "data": data}, labels={"min_observations": 1})
    run = Run.create(tmp_path, made)
    with pytest.raises(DataError, match=r"augment.jitter.*have no known size"):
        training.train(made, run, history=run.history())
