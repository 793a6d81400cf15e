from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from quadrat.errors import RunError
from quadrat.occurrence.points import forest as forests
from quadrat.occurrence.points.batches import PointBatch
from quadrat.occurrence.points.encoding import PointEncoder
from quadrat.occurrence.points.ensemble import Networks, PointEnsemble
from quadrat.occurrence.points.logistic import regress
from quadrat.occurrence.points.network import NetworkShape, PointNetwork
from quadrat.occurrence.points.objective import PointObjective
from quadrat.occurrence.points.pieces import Pieces
from quadrat.occurrence.points.scores import scores_over_folds, species_scores
from quadrat.occurrence.points.table import Covariates
from quadrat.occurrence.schema import PointsSection


@pytest.fixture
def sites():
    """Inputs, and labels of two species that depend on them, some unknown."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(400, 3)).astype(np.float32)
    chances = 1 / (1 + np.exp(-np.stack([2 * inputs[:, 0] - 2, 1 - inputs[:, 1] ** 2], axis=1)))
    labels = (rng.random((400, 2)) < chances).astype(np.float32)
    labels[rng.random((400, 2)) < 0.2] = np.nan
    return inputs, labels


def test_a_number_passes_through_its_pieces():
    rng = np.random.default_rng(3)
    learnt = np.stack([rng.normal(size=101), rng.integers(0, 2, 101)], axis=1).astype(np.float32)
    pieces = Pieces(2, 4)
    pieces.cut(torch.from_numpy(np.hstack([learnt, learnt])))
    new = np.array([[-9, 0], [0.1, 0.4], [0.5, 1], [9, 2]], dtype=np.float32)
    found = pieces(torch.from_numpy(new)).numpy().reshape(4, 2, 4)
    for number in (0, 1):
        knots = np.quantile(learnt[:, number].astype(np.float64), [0, 0.25, 0.5, 0.75, 1])
        for piece, (first, last) in enumerate(itertools.pairwise(knots)):
            expected = np.interp(new[:, number], [first, last], [0, 1]) if last > first else 0.0
            np.testing.assert_allclose(found[:, number, piece], expected, atol=1e-6)
    assert (found[0] == 0).all() and found[3, 0].sum() == 4.0


@pytest.mark.parametrize("balanced", [True, False])
def test_a_forest_answers_as_its_trees(sites, monkeypatch, balanced):
    inputs, labels = sites
    grown: list[DecisionTreeClassifier] = []
    plain = forests._tree

    def kept(*given):
        grown.append(plain(*given))
        return grown[-1]

    monkeypatch.setattr(forests, "_tree", kept)
    forest = forests.grow(inputs, labels, trees=7, balanced=balanced, seed=1)
    for species in (0, 1):
        trees = grown[7 * species : 7 * species + 7]
        each = [tree.predict_proba(inputs)[:, list(tree.classes_).index(True)] for tree in trees]
        np.testing.assert_allclose(
            forest.answers(inputs)[:, species], np.mean(each, axis=0), atol=1e-6
        )
    again = forests.Forests.from_arrays(forest.arrays())
    np.testing.assert_array_equal(again.answers(inputs), forest.answers(inputs))


def test_forests_of_earlier_versions_read_back(sites):
    """Their thresholds are float64, and apart from the shares of presences."""
    inputs, labels = sites
    forest = forests.grow(inputs, labels, trees=7, balanced=True, seed=1)
    arrays = dict(forest.arrays())
    number, leaf = arrays.pop("number"), arrays["feature"] == -1
    # Between a float32 and the next, where it parts the same inputs.
    between = (number.astype(np.float64) + np.nextafter(number, np.float32(np.inf))) / 2
    arrays["threshold"] = np.where(leaf, -2.0, between)
    arrays["value"] = np.where(leaf, number, np.float32(0.5))
    again = forests.Forests.from_arrays(arrays)
    np.testing.assert_array_equal(again.answers(inputs), forest.answers(inputs))


def test_a_forest_of_balanced_trees_sees_as_many_absences(sites, monkeypatch):
    inputs, labels = sites
    shares = []
    monkeypatch.setattr(
        forests,
        "_tree",
        lambda x, y, rng: shares.append(y.mean()) or DecisionTreeClassifier().fit(x, y > 0),
    )
    forests.grow(inputs, labels, trees=5, balanced=True, seed=0)
    assert shares == [0.5] * 10


def test_a_species_without_absences_gets_no_trees(sites):
    inputs, labels = sites
    labels = np.where(labels == 0, np.nan, labels)
    answers = forests.grow(inputs, labels, trees=3, balanced=True, seed=0).answers(inputs)
    assert (answers == 0.5).all()
    assert (regress(inputs, labels, numbers=3, balanced=True).answers(inputs) == 0.5).all()


def test_the_simple_model_is_scikit_learns(sites):
    inputs, labels = sites
    found = regress(inputs, labels, numbers=2, balanced=False).answers(inputs)
    terms = np.hstack([inputs, inputs[:, :2] ** 2]).astype(np.float64)
    for species in (0, 1):
        known = ~np.isnan(labels[:, species])
        model = LogisticRegression(max_iter=1000).fit(terms[known], labels[known, species] > 0)
        np.testing.assert_allclose(
            found[:, species], model.predict_proba(terms)[:, 1], rtol=1e-3, atol=1e-4
        )


def test_unknown_labels_teach_nothing(sites):
    inputs, labels = sites
    torch.manual_seed(0)
    module = PointNetwork(NetworkShape(3, 2, members=2, width=8, depth=1, dropout=0.0))
    module.start_from(torch.from_numpy(inputs), torch.from_numpy(labels))
    index = torch.arange(400)
    batch = PointBatch(torch.from_numpy(inputs), torch.from_numpy(labels), index)
    losses = PointObjective("macro_auc").loss(module, batch)
    logits = module(batch).detach().double().numpy()
    y = np.broadcast_to(labels, logits.shape)
    each = np.logaddexp(0, logits) - np.where(np.isnan(y), 0, y) * logits
    assert float(losses.total.detach()) == pytest.approx(each[~np.isnan(y)].mean(), rel=1e-5)
    losses.total.backward()
    shares = np.nansum(labels, axis=0) + 0.5, (~np.isnan(labels)).sum(axis=0) + 1
    np.testing.assert_allclose(module.prior.sigmoid().numpy(), shares[0] / shares[1], rtol=1e-5)


def test_members_are_networks_of_their_own(sites):
    """By hand, a member at a time."""
    inputs, _ = sites
    torch.manual_seed(1)
    module = PointNetwork(NetworkShape(3, 2, members=3, width=5, depth=2, dropout=0.5)).eval()
    with torch.no_grad():
        found = module.log_ratios(torch.from_numpy(inputs))
        for member in range(3):
            hidden = torch.from_numpy(inputs)
            for layer in module.hidden:
                hidden = torch.nn.functional.gelu(
                    hidden @ layer.weight[member] + layer.bias[member]
                )
            last = module.species
            expected = hidden @ last.weight[member] + last.bias[member]
            torch.testing.assert_close(found[member], expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found[0], found[1])


def test_scores_are_scikit_learns_and_folds_are_not_mixed(sites):
    inputs, labels = sites
    answers = inputs[:, :2].copy()
    fold = np.arange(400) % 2
    answers[fold == 1] += 100.0
    found, folds = scores_over_folds(answers, labels, fold)
    for species in (0, 1):
        aucs, precisions, weights = [], [], []
        for part in (0, 1):
            rows = (fold == part) & ~np.isnan(labels[:, species])
            aucs.append(roc_auc_score(labels[rows, species], answers[rows, species]))
            precisions.append(
                average_precision_score(labels[rows, species], answers[rows, species])
            )
            weights.append(labels[rows, species].sum())
        assert found.auc[species] == pytest.approx(np.average(aucs, weights=weights))
        assert found.ap[species] == pytest.approx(np.average(precisions, weights=weights))
    assert len(folds) == 2
    everywhere = np.ones((3, 1), dtype=np.float32)
    assert np.isnan(species_scores(everywhere, everywhere).auc).all()


def test_the_encoding_marks_gaps_and_new_categories(sites):
    section = PointsSection.model_validate({"covariates": ["a", "b"], "categorical": ["c"]})
    training = Covariates(
        np.array([[1.0, np.nan], [3.0, 4.0], [5.0, 6.0]]), np.array([["u"], ["v"], [None]], object)
    )
    encoder = PointEncoder.fitted(training, section)
    new = Covariates(np.array([[3.0, np.nan]]), np.array([["w"]], object))
    np.testing.assert_allclose(encoder.encoded(new), [[0.0, 0.0, 1.0, 0.0, 0.0]])
    np.testing.assert_allclose(encoder.encoded(training)[:, 3:], [[1, 0], [0, 1], [0, 0]])
    again = PointEncoder.from_dict(encoder.to_dict())
    np.testing.assert_array_equal(again.encoded(training), encoder.encoded(training))


def test_an_ensemble_reads_back(sites, tmp_path):
    inputs, labels = sites
    section = PointsSection.model_validate({"covariates": ["a", "b", "c"]})
    covariates = Covariates(inputs.astype(np.float64), np.empty((400, 0), dtype=object))
    encoder = PointEncoder.fitted(covariates, section)
    torch.manual_seed(0)
    shape = NetworkShape(3, 2, members=2, width=4, depth=1, dropout=0.0, numbers=3, pieces=4)
    module = PointNetwork(shape)
    module.start_from(torch.from_numpy(inputs), torch.from_numpy(labels))
    models = {
        "network": Networks(module, balanced=True),
        "forest": forests.grow(inputs, labels, trees=3, balanced=True, seed=0),
        "logistic": regress(inputs, labels, numbers=3, balanced=True),
    }
    ensemble = PointEnsemble(encoder, models, balanced=True)
    ensemble.save(tmp_path)
    answers = ensemble.answers(covariates)
    np.testing.assert_array_equal(PointEnsemble.load(tmp_path).answers(covariates), answers)
    each = [model.answers(encoder.encoded(covariates)) for model in models.values()]
    np.testing.assert_allclose(answers, np.mean(each, axis=0), atol=1e-6)
    (tmp_path / "forest.safetensors").write_bytes(b"damaged")
    with pytest.raises(RunError, match=r"forest\.safetensors cannot be used"):
        PointEnsemble.load(tmp_path)
