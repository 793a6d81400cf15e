from dataclasses import dataclass

import pytest
import torch

from quadrat.occurrence.network.blocks import ResidualBlock, Shape, WeekModulation
from quadrat.occurrence.network.encodings import HarmonicEncoding, SphericalEncoding, week_table
from quadrat.occurrence.network.environment_input import EnvironmentInput
from quadrat.occurrence.network.species_network import OccurrenceNetwork


@dataclass
class Somewhere:
    position: torch.Tensor
    week: torch.Tensor
    environment: torch.Tensor | None = None


def network(encoding=None, scale=0.25, species=7, environment=3, **more):
    return OccurrenceNetwork(
        encoding or SphericalEncoding(8, seed=0),
        Shape.scaled(scale),
        week_harmonics=8,
        species=species,
        environment=environment,
        **more,
    )


def places(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    position = torch.rand(n, 2, generator=generator) * torch.tensor([180.0, 360.0])
    return Somewhere(
        position - torch.tensor([90.0, 180.0]), torch.randint(0, 49, (n,), generator=generator)
    )


def trained_a_little(net):
    """Fresh FiLM layers change nothing, whatever the week; these do."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return net.eval()


@pytest.mark.parametrize(
    ("scale", "parameters"),
    [(0.5, 1_546_051), (0.75, 3_762_659), (1.0, 7_204_739), (2.0, 47_152_131)],
)
def test_parameters_by_scale(scale, parameters):
    with torch.device("meta"):
        net = network(HarmonicEncoding(8), scale, species=12_012, environment=23)
    assert sum(p.numel() for p in net.parameters()) == parameters


@pytest.mark.parametrize(
    ("scale", "parameters"),
    [(0.25, 2_481_911), (0.5, 5_454_391), (0.75, 9_643_895), (1, 15_079_351), (2, 63_732_407)],
)
def test_parameters_with_a_habitat_head(scale, parameters):
    with torch.device("meta"):
        net = network(HarmonicEncoding(8), scale, species=12_000, environment=23, habitat=True)
    assert sum(p.numel() for p in net.parameters()) == parameters


@pytest.mark.parametrize(
    ("scale", "dropout", "species_dropout"),
    [(0.1, 0.0775, 0.1775), (1, 0.1, 0.2), (8, 0.275, 0.375)],
)
def test_dropout_by_scale(scale, dropout, species_dropout):
    shape = Shape.scaled(scale)
    assert shape.dropout == pytest.approx(dropout)
    assert shape.species_dropout == pytest.approx(species_dropout)


def test_film_by_table_is_film_by_sample():
    film, block = WeekModulation(8, 32), ResidualBlock(32, 0.0)
    for parameter in film.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    weeks, week, x = week_table(8), torch.randint(0, 49, (200,)), torch.randn(200, 32)
    raw, beta = film.layers(weeks[week]).chunk(2, dim=-1)
    torch.testing.assert_close(block(x, film(weeks), week), (1 + raw.tanh()) * block(x) + beta)


def test_fresh_film_leaves_the_trunk_alone():
    film, block, x = WeekModulation(8, 32), ResidualBlock(32, 0.0), torch.randn(5, 32)
    assert torch.equal(block(x, film(week_table(8)), torch.arange(5)), block(x))


def test_outputs_and_their_shapes():
    net, somewhere = network(), places(11)
    prediction = net.train()(somewhere)
    assert prediction.logits.shape == (11, 7)
    assert prediction.environment.shape == (11, 3)
    assert net.eval()(somewhere).environment is None
    assert network(environment=0).train()(somewhere).environment is None


def test_an_answer_does_not_depend_on_the_batch():
    net, somewhere = trained_a_little(network()), places(20)
    alone = Somewhere(somewhere.position[7:8], somewhere.week[7:8])
    torch.testing.assert_close(net(somewhere).logits[7:8], net(alone).logits, atol=1e-5, rtol=1e-5)


def test_logits_are_linear_in_the_hidden_layer():
    net, somewhere = trained_a_little(network()), places(9)
    features = net.features(somewhere.position, somewhere.week)
    torch.testing.assert_close(net.logits(features), net(somewhere).logits)
    torch.testing.assert_close(net.logits(features, slice(2, 4)), net(somewhere).logits[:, 2:4])


def test_the_week_matters_and_the_year_is_no_week():
    net = trained_a_little(network())
    weeks = torch.arange(49)
    logits = net(Somewhere(torch.tensor([[48.2, 16.4]]).expand(49, 2), weeks)).logits
    distances = torch.cdist(logits, logits) + 100 * torch.eye(49)
    assert distances.min() > 1e-4


def test_smooth_at_the_poles_and_the_dateline():
    net = trained_a_little(network())
    edges = [([90.0, 0.0], [90.0, 137.0]), ([-90.0, 5.0], [-90.0, -100.0]), ([12, 180], [12, -180])]
    for one, other in edges:
        week = torch.tensor([9])
        first = net(Somewhere(torch.tensor([one], dtype=torch.float32), week)).logits
        second = net(Somewhere(torch.tensor([other], dtype=torch.float32), week)).logits
        torch.testing.assert_close(first, second, atol=1e-3, rtol=0)


def test_prevalence_is_where_the_output_starts():
    net = network()
    torch.nn.init.zeros_(net.species.weight)
    prevalence = torch.tensor([0.5, 0.1, 0.01, 0.2, 0.3, 0.9, 1e-5])
    net.start_from_prevalence(prevalence)
    torch.testing.assert_close(net.eval()(places(3)).logits.sigmoid(), prevalence.expand(3, 7))


def test_habitat_is_mixed_in_by_the_gate():
    net, somewhere = trained_a_little(network(habitat=True)), places(9)
    features = net.features(somewhere.position, somewhere.week).double()
    net.double()
    direct = net.species(features[:, :32])
    habitat = net.habitat(features[:, 32:64])
    gate = torch.sigmoid(net.gate(features[:, 64:]))
    expected = gate * direct + (1 - gate) * habitat
    torch.testing.assert_close(net.logits(features), expected)
    torch.testing.assert_close(net.logits(features, slice(2, 4)), expected[:, 2:4])
    torch.testing.assert_close(net.logits(features, torch.tensor([6, 0])), expected[:, [6, 0]])
    net.float()
    torch.testing.assert_close(net(somewhere).logits.double(), expected, atol=1e-5, rtol=1e-5)
    assert (habitat - direct).abs().max() > 0.05


def test_gates_start_nearly_open():
    net = network(habitat=True)
    trunk = torch.randn(5, 128)
    torch.testing.assert_close(net.gate(trunk).sigmoid(), torch.full((5, 7), 0.9525741268))


@pytest.mark.parametrize("habitat", [False, True])
def test_pairs_are_entries_of_the_logits(habitat):
    net, somewhere = trained_a_little(network(habitat=habitat)), places(9)
    features = net.features(somewhere.position, somewhere.week)
    rows, columns = torch.tensor([0, 0, 8, 3]), torch.tensor([6, 1, 1, 5])
    expected = net.logits(features)[rows, columns]
    torch.testing.assert_close(net.pair_logits(features, rows, columns), expected)


def test_the_habitat_head_sends_no_gradient_to_the_environment():
    net = network(habitat=True).train()
    net(places(9)).habitat.sum().backward()
    assert all(p.grad is None for p in net.environment.parameters())
    assert net.input.weight.grad.abs().max() == 0
    assert net.habitat_trunk[0].weight.grad is not None


def test_what_training_asks_for():
    net, somewhere = network(habitat=True), places(11)
    prediction = net.train()(somewhere)
    assert prediction.environment.shape == (11, 3) and prediction.habitat.shape == (11, 7)
    prediction = net.eval()(somewhere)
    assert prediction.environment is None and prediction.habitat is None


def reading(hidden=0.0, **more):
    return network(environment_input=EnvironmentInput([2, 0], hidden), **more)


def somewhere_known(n):
    found = places(n)
    found.environment = torch.randn(n, 3, generator=torch.Generator().manual_seed(4))
    found.environment[0, 2] = torch.nan
    found.environment[1] = torch.nan
    return found


def test_only_the_chosen_values_are_read():
    net, somewhere = trained_a_little(reading()), somewhere_known(6)
    before = net(somewhere).logits
    somewhere.environment[:, 1] += 3
    assert torch.equal(net(somewhere).logits, before)
    somewhere.environment[:, 0] += 3
    changed = (net(somewhere).logits != before).any(dim=1)
    assert changed.tolist() == [True, False, True, True, True, True]


def test_unknown_is_not_zero_and_none_is_unknown():
    net, somewhere = trained_a_little(reading()), somewhere_known(6)
    features = net.features(somewhere.position, somewhere.week, somewhere.environment)
    nothing = net.features(somewhere.position, somewhere.week)
    assert torch.equal(features[1], nothing[1]) and not torch.equal(features[0], nothing[0])
    zero = net.features(somewhere.position, somewhere.week, torch.zeros(6, 3))
    assert not torch.equal(zero[1], nothing[1])
    torch.testing.assert_close(net.logits(features), net(somewhere).logits)


def test_the_environment_of_some_samples_is_hidden_in_training_only():
    net, somewhere = trained_a_little(reading(hidden=0.3)), somewhere_known(2000)
    assert net(somewhere).shown is None
    known = ~net.environment_input.shown(somewhere.environment, 2000).isnan()
    assert known[2:].all()
    shown = net.train()(somewhere).shown
    assert not shown[:, 1].any() and not shown[1].any()
    assert torch.equal(shown[2:, 0], shown[2:, 2])
    assert shown[:, 0].float().mean().item() == pytest.approx(0.7, abs=0.04)


def test_the_habitat_head_believes_what_is_known():
    net = trained_a_little(reading(habitat=True))
    net.gate.bias.data.fill_(-50.0)  # habitat alone
    net.gate.weight.data.zero_()
    known = torch.tensor([[0.5, torch.nan, -1.0]])
    trunk = net._trunk(torch.zeros(1, 2), torch.ones(1, dtype=int), known[:, [2, 0]])
    believed = torch.where(known.isnan(), net.environment(trunk), known)
    expected = net.habitat(net.habitat_trunk(believed))
    features = net.features(torch.zeros(1, 2), torch.ones(1, dtype=int), known)
    torch.testing.assert_close(net.logits(features), expected)


def test_a_kept_table_of_weeks_changes_nothing_and_is_dropped_before_training():
    net, where = trained_a_little(network()), places(20)
    computed = net.features(where.position, where.week)
    net.keep_weeks()
    assert torch.equal(net.features(where.position, where.week), computed)
    assert not [name for name in net.state_dict() if "table" in name]
    trained_a_little(net)
    assert not torch.equal(net.features(where.position, where.week), computed)
    assert all(modulation.table is None for modulation in net.modulations)
