from __future__ import annotations

import os
import signal
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from quadrat.engine import Backend, fit
from quadrat.engine.state import DamagedStateWarning
from quadrat.errors import NonFiniteLossError, Stopped, TrainingError
from quadrat.runs import History
from tests.engine.toy import (
    ToyModule,
    ToyNormed,
    ToyObjective,
    toy_batches,
    toy_data,
    toy_groups,
    toy_settings,
)
from tests.processes import run_by_two


@pytest.fixture
def backend() -> Backend:
    return Backend.create("cpu", "fp32")


def train(backend: Backend, folder: Path | None, history: History | None = None, **options):
    torch.manual_seed(options.pop("seed_of_torch", 0))
    module = options.pop("module", None) or options.pop("kind", ToyModule)()
    on_epoch = options.pop("on_epoch", None)
    objective = options.pop("objective", None) or ToyObjective()
    groups = toy_groups(module, options.pop("frozen_epochs", 0))
    x, y = toy_data()
    result = fit(
        module,
        toy_batches(x[:64], y[:64]),
        objective,
        toy_settings(**options),
        backend=backend,
        validation=toy_batches(x[64:], y[64:], shuffle=False),
        state=folder,
        history=history,
        on_epoch=on_epoch,
        groups=groups,
    )
    return module, result


def weights(module: torch.nn.Module) -> list[torch.Tensor]:
    return [t.clone() for t in module.state_dict().values()]


def same(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


def test_training_learns_and_keeps_the_best_state(backend, tmp_path):
    history = History(tmp_path / "history.jsonl")
    module, result = train(backend, tmp_path / "state", history, epochs=30)
    records = history.records()
    assert [r["epoch"] for r in records] == list(range(1, 31))
    scores = [r["mse"] for r in records]
    assert scores[-1] < 0.5 * scores[0]
    assert result.score == min(scores)
    assert result.best_epoch == records[scores.index(min(scores))]["epoch"]
    assert not module.training


AVERAGES = {
    "none": {},
    "ema": {"ema": 0.9},
    "swa": {"swa": 0.4, "ema": 0.5},
    "snapshots": {"snapshots": 3},
    "predictions": {"snapshots": 2, "snapshot_of": "predictions"},
}


class Interrupting(ToyObjective):
    """Asks to stop at the n-th batch, as a signal would."""

    def __init__(self, n: int) -> None:
        self.left = n

    def loss(self, module, batch):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().loss(module, batch)


@pytest.mark.parametrize("averages", AVERAGES.values(), ids=AVERAGES)
@pytest.mark.parametrize("accumulate", [1, 3])
def test_resume_after_any_step_is_bit_equal(backend, tmp_path, averages, accumulate):
    options = {**averages, "accumulate": accumulate, "kind": ToyNormed, "frozen_epochs": 2}
    whole, expected = train(backend, None, **options)
    for n in (1, 3, 6, 11, 18):
        folder = tmp_path / f"state-{n}"
        with pytest.raises(Stopped):
            train(backend, folder, **options, objective=Interrupting(n))
        resumed, result = train(backend, folder, seed_of_torch=99, **options)
        assert same(whole, resumed)
        assert result.averaged == expected.averaged
        assert result.score == expected.score
        for mine, other in zip(result.states, expected.states, strict=True):
            assert all(torch.equal(mine[name], other[name]) for name in other)
        strip = [{k: v for k, v in r.items() if k != "seconds"} for r in result.records]
        assert strip == [{k: v for k, v in r.items() if k != "seconds"} for r in expected.records]


def test_more_epochs_go_on_and_the_rate_never_climbs(backend, tmp_path):
    train(backend, tmp_path, epochs=4)
    _, result = train(backend, tmp_path, epochs=7)
    rates = [record["learning_rate"] for record in result.records]
    assert len(rates) == 7
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(1e-6)


def test_stopping_after_some_epochs_is_the_beginning_of_all_of_them(backend):
    epochs = 5
    x, y = toy_data()
    states = []

    class Following(ToyObjective):
        def loss(self, module, batch):
            states.append(weights(module))
            return super().loss(module, batch)

    def run(objective, stop_after):
        torch.manual_seed(0)
        module = ToyModule()
        settings = replace(toy_settings(epochs=epochs), stop_after=stop_after)
        result = fit(module, toy_batches(x, y), objective, settings, backend=backend)
        return module, result

    run(Following(), None)
    for stop_after in (0, 3):
        module, result = run(ToyObjective(), stop_after)
        assert result.epochs == result.best_epoch == stop_after
        expected = states[stop_after * len(toy_batches(x, y))]
        assert all(torch.equal(a, b) for a, b in zip(expected, weights(module), strict=True))


def test_a_finished_training_is_not_trained_again(backend, tmp_path):
    module, result = train(backend, tmp_path)
    again, second = train(backend, tmp_path)
    assert same(module, again)
    assert result == second


def test_damaged_state_falls_back_to_the_one_before(backend, tmp_path):
    whole, _ = train(backend, None)

    def stop_after_two(record):
        return record["epoch"] == 2

    folder = tmp_path / "state"
    train(backend, folder, on_epoch=stop_after_two)
    first = sorted(folder.glob("state-*"))
    train(backend, folder, on_epoch=lambda record: record["epoch"] == 3)
    newest = next(p for p in sorted(folder.glob("state-*")) if p not in first)
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.warns(DamagedStateWarning, match="going back"):
        resumed, result = train(backend, folder)
    assert [r["epoch"] for r in result.records] == [1, 2, 3, 4, 5]
    assert same(whole, resumed)


def test_history_is_cut_back_to_the_state(backend, tmp_path):
    history = History(tmp_path / "history.jsonl")
    history.append({"fold": 1, "epoch": 1})
    train(backend, tmp_path / "state", history, on_epoch=lambda r: r["epoch"] == 2)
    history.append({"fold": 0, "epoch": 3, "mse": 7.0})
    train(backend, tmp_path / "state", history)
    epochs = [(r["fold"], r["epoch"]) for r in history.records()]
    assert sorted(epochs) == [(0, e) for e in range(1, 6)] + [(1, 1)]
    assert all(r.get("mse") != 7.0 for r in history.records())


def test_a_loss_that_is_not_finite_names_the_samples(backend):
    x, y = toy_data()
    y = y.clone()
    y[[7, 40]] = float("nan")
    batches = toy_batches(x, y)
    with pytest.raises(NonFiniteLossError) as caught:
        fit(ToyModule(), batches, ToyObjective(), toy_settings(), backend=backend)
    assert caught.value.epoch == 1
    assert set(caught.value.samples) <= {"sample-7", "sample-40"}
    assert f"step {caught.value.step}" in str(caught.value)


def test_patience_ends_training(backend):
    _, result = train(backend, None, epochs=200, patience=2, learning_rate=0.5)
    assert result.epochs < 200
    assert result.epochs == result.best_epoch + 2


def test_initial_state_can_be_the_best(backend):
    module = ToyModule()
    x, y = toy_data()
    settings = toy_settings(learning_rate=5.0, epochs=2, clip=0.0)
    settings = type(settings)(**{**vars(settings), "score_initial": True})
    before = weights(module)
    result = fit(
        module,
        toy_batches(x[:64], y[:64]),
        ToyObjective(),
        settings,
        backend=backend,
        validation=toy_batches(x[64:], y[64:], shuffle=False),
    )
    assert result.best_epoch == 0
    assert all(torch.equal(a, b) for a, b in zip(before, weights(module), strict=True))


def test_a_state_of_another_training_is_refused(backend, tmp_path):
    train(backend, tmp_path)
    with pytest.raises(TrainingError, match="another training"):
        train(backend, tmp_path, module=ToyModuleOfAnotherSize(), epochs=9)


class ToyModuleOfAnotherSize(ToyModule):
    def __init__(self) -> None:
        super().__init__()
        self.layers[0] = torch.nn.Linear(5, 9)


def test_missing_primary_score_says_what_there_is(backend):
    class Elsewhere(ToyObjective):
        primary = "map"

    x, y = toy_data()
    with pytest.raises(TrainingError, match=r"'map' is not among.*mse"):
        fit(
            ToyModule(),
            toy_batches(x, y),
            Elsewhere(),
            toy_settings(),
            backend=backend,
            validation=toy_batches(x, y, shuffle=False),
        )


def test_bf16_trains_on_this_device():
    backend = Backend.create("cpu", "bf16")
    module, result = train(backend, None, epochs=20)
    assert result.records[-1]["mse"] < 0.5 * result.records[0]["mse"]
    assert all(p.dtype == torch.float32 for p in module.parameters())


def test_two_processes_end_with_equal_weights(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys, torch
            from quadrat.engine import Backend, fit
            from tests.engine.toy import *
            backend = Backend.create("cpu", "fp32")
            torch.manual_seed(0)
            module, (x, y) = ToyNormed(), toy_data()
            batches = toy_batches(x[:64], y[:64], rank=backend.rank, world=backend.world)
            validation = toy_batches(x[64:], y[64:], shuffle=False)
            result = fit(module, batches, ToyObjective(), toy_settings(accumulate=2, swa=0.5),
                         backend=backend, validation=validation, groups=toy_groups(module, 2))
            total = sum(float(t.double().sum()) for t in module.state_dict().values())
            with open(f"{sys.argv[1]}/{backend.rank}.txt", "w") as handle:
                handle.write(f"{backend.world} {result.score!r} {total!r} {result.epochs}")
            """
        )
    )
    run_by_two(script, tmp_path)
    first, second = (tmp_path / f"{rank}.txt" for rank in (0, 1))
    assert first.read_text() == second.read_text()
    assert first.read_text().startswith("2 ")
