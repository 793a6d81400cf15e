from __future__ import annotations

import optuna
import pytest

from quadrat.search.proposing import Proposer
from quadrat.search.space import default_space, read_space


@pytest.fixture
def fixed():
    """Proposes with given values; what is not given raises."""

    def propose(proposer: Proposer, **values):
        named = {key.replace("__", "."): value for key, value in values.items()}
        return proposer.propose(optuna.trial.FixedTrial(named))  # type: ignore[arg-type]

    return propose


def test_conditional_keys_are_chosen_only_where_they_matter(photos, fixed):
    experiment = photos()
    space = default_space(experiment).only(["loss.kind", "loss.beta"])
    proposer = Proposer(experiment, space)
    assert fixed(proposer, loss__kind="mae") == {"loss.kind": "mae"}
    both = {"loss.kind": "huber", "loss.beta": 0.5}
    assert fixed(proposer, loss__kind="huber", loss__beta=0.5) == both


def test_conditions_on_keys_outside_the_space_look_at_the_experiment(photos, fixed):
    mlp, linear = photos(), photos(head={"kind": "linear"})
    only = ["head.hidden"]
    chosen = fixed(Proposer(mlp, default_space(mlp).only(only)), head__hidden="[128]")
    assert chosen == {"head.hidden": [128]}
    assert fixed(Proposer(linear, default_space(linear).only(only))) == {}


def test_keys_that_do_not_matter_go_back_to_their_defaults(photos):
    experiment = photos(loss={"kind": "huber", "beta": 2.0})
    space = default_space(experiment).only(["loss.kind", "loss.beta"])
    proposer = Proposer(experiment, space)
    assert proposer.experiment_of({"loss.kind": "mae"}).loss.beta == 1.0
    assert proposer.experiment_of({"loss.kind": "huber", "loss.beta": 0.2}).loss.beta == 0.2
    assert proposer.given() == {"loss.kind": "huber", "loss.beta": 2.0}


def test_values_outside_their_ranges_are_not_given(occurrence):
    space = read_space({"network.scale": {"low": 1.0, "high": 2.0}}, occurrence())
    assert Proposer(occurrence(), space).given() is None
    assert Proposer(occurrence(network={"scale": 1.5}), space).given() == {"network.scale": 1.5}


def test_a_trial_has_its_own_epochs_and_the_best_those_of_the_experiment(occurrence):
    experiment = occurrence(optimiser={"epochs": 40})
    proposer = Proposer(experiment, default_space(experiment))
    assert proposer.epochs == 15
    assert Proposer(occurrence(), default_space(experiment)).epochs == 4
    values = {"network.scale": 0.5}
    assert proposer.experiment_of(values, epochs=2).optimiser.epochs == 2
    assert proposer.experiment_of(values).optimiser.epochs == 40
    assert proposer.experiment_of(values).network.scale == 0.5


def test_lists_are_held_as_text_and_released(photos):
    experiment = photos(head={"hidden": [256, 128]})
    proposer = Proposer(experiment, default_space(experiment).only(["head.hidden"]))
    held = proposer.given()
    assert held == {"head.hidden": "[256, 128]"}
    assert proposer.values(held) == {"head.hidden": [256, 128]}
