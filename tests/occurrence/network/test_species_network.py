from dataclasses import dataclass

import pytest
import torch

from quadrat.occurrence.network.encodings import HarmonicEncoding, SphericalEncoding
from quadrat.occurrence.network.species_network import OccurrenceNetwork, Shape, WeekModulation


@dataclass
class Somewhere:
    position: torch.Tensor
    week: torch.Tensor


def network(encoding=None, scale=0.25, species=7, environment=3):
    return OccurrenceNetwork(
        encoding or SphericalEncoding(8, seed=0),
        Shape.scaled(scale),
        week_harmonics=8,
        species=species,
        environment=environment,
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
    ("scale", "dropout", "species_dropout"),
    [(0.1, 0.0775, 0.1775), (1, 0.1, 0.2), (8, 0.275, 0.375)],
)
def test_dropout_by_scale(scale, dropout, species_dropout):
    shape = Shape.scaled(scale)
    assert shape.dropout == pytest.approx(dropout)
    assert shape.species_dropout == pytest.approx(species_dropout)


def test_film_by_table_is_film_by_sample():
    film, width = WeekModulation(8, 32), 32
    for parameter in film.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    from quadrat.occurrence.network.encodings import week_table

    weeks, week, x = week_table(8), torch.randint(0, 49, (200,)), torch.randn(200, width)
    raw, beta = film.layers(weeks[week]).chunk(2, dim=-1)
    torch.testing.assert_close(film(x, week, weeks), (1 + raw.tanh()) * x + beta)


def test_fresh_film_leaves_the_trunk_alone():
    film, x = WeekModulation(8, 32), torch.randn(5, 32)
    from quadrat.occurrence.network.encodings import week_table

    assert torch.equal(film(x, torch.arange(5), week_table(8)), x)


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
