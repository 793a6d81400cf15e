import json

import pytest
import torch

from quadrat.errors import RunError, UsageError
from quadrat.occurrence.network.model import NetworkSpec, load_model, save_model
from quadrat.occurrence.records.taxonomy import Species, Vocabulary
from quadrat.occurrence.samples.environment import EncodedColumn, EnvironmentEncoder
from quadrat.occurrence.schema import NetworkSection

FIRST_FORMAT = {
    "encoding": "spherical",
    "coord_harmonics": 4,
    "week_harmonics": 4,
    "scale": 0.125,
    "species": 2,
    "environment": 3,
}
"""What ``model.json`` held when there was nothing else to choose."""

VOCABULARY = Vocabulary((Species("a", "A", "An a", ""), Species("b", "B", "A b", "")))
ENCODER = EnvironmentEncoder(
    (
        EncodedColumn("elevation_m", "number"),
        EncodedColumn("landcover_class", "class", classes=(1.0, 2.0)),
    )
)


def saved(folder, spec):
    network = spec.build()
    save_model(folder, network, spec, VOCABULARY, "model.safetensors")
    return network


def test_a_model_of_the_first_format_loads(tmp_path):
    network = saved(tmp_path, NetworkSpec(**FIRST_FORMAT))
    description = json.loads((tmp_path / "model.json").read_text())
    description["network"] = FIRST_FORMAT
    (tmp_path / "model.json").write_text(json.dumps(description))
    loaded, spec, vocabulary = load_model(tmp_path)
    assert spec == NetworkSpec(**FIRST_FORMAT) and not spec.habitat_head
    assert vocabulary.codes == ("a", "b")
    place, week = torch.tensor([[47.0, 8.0]]), torch.tensor([20])
    assert torch.equal(loaded.features(place, week), network.eval().features(place, week))


@pytest.mark.parametrize(
    "more",
    [
        {"habitat_head": True},
        {"environment_inputs": (0, 2), "environment_dropout": 0.3},
        {"habitat_head": True, "environment_inputs": (1,), "encoding": "spherical-harmonics"},
        {"encoding": "harmonic-product"},
    ],
)
def test_every_kind_of_network_comes_back_as_it_was(tmp_path, more):
    spec = NetworkSpec(**{**FIRST_FORMAT, **more})
    network = saved(tmp_path, spec).eval()
    loaded, again, _ = load_model(tmp_path)
    assert again == spec
    place, week = torch.tensor([[47.0, 8.0]]), torch.tensor([20])
    known = torch.tensor([[0.3, torch.nan, 1.0]])
    expected = network.logits(network.features(place, week, known))
    assert torch.equal(loaded.logits(loaded.features(place, week, known)), expected)


def test_a_model_of_a_later_format_is_refused():
    with pytest.raises(RunError, match="tentacles"):
        NetworkSpec.from_dict({**FIRST_FORMAT, "tentacles": 8})


def spec_of(**keys):
    return NetworkSpec.of(NetworkSection(**keys), species=2, encoder=ENCODER)


def test_inputs_are_positions_of_encoded_values():
    assert spec_of().environment_inputs == () and spec_of().environment == 3
    assert spec_of(environment_input=True).environment_inputs == (0, 1, 2)
    assert spec_of(environment_input=["landcover_class"]).environment_inputs == (1, 2)
    assert spec_of(environment_input=[]).environment_inputs == ()
    assert spec_of(environment_weight=0).environment == 0


def test_columns_that_are_missing_are_named():
    with pytest.raises(UsageError, match="'elevation' Did you mean 'elevation_m'"):
        spec_of(environment_input=["elevation"])
    nothing = EnvironmentEncoder(())
    with pytest.raises(UsageError, match="no such columns"):
        NetworkSpec.of(NetworkSection(environment_input=True), species=2, encoder=nothing)
    with pytest.raises(UsageError, match="habitat_head needs the environment"):
        NetworkSpec.of(NetworkSection(habitat_head=True), species=2, encoder=nothing)
