from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
)

from quadrat.errors import TrainingError
from quadrat.scoring import OccurrenceEvaluator, _summary, column_average_precision
from quadrat.scoring.bootstrap import Resampling

SPECIES = 40
WATCHED = {"kea1": 3, "calcon": 17}


def world(
    seed: int = 0, samples: int = 50, ties: bool = False
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, presence ``(N, S)`` bool and density; some samples are empty."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.rand(samples, SPECIES, generator=generator) < 0.15
    truth[::7] = False
    logits = torch.randn(samples, SPECIES, generator=generator) * 1.5 - 2.0 + 2.0 * truth
    if ties:
        logits = logits.round()
    return logits, truth, torch.rand(samples, generator=generator) * 100


def evaluated(
    logits: torch.Tensor, truth: torch.Tensor, density: torch.Tensor | None = None, batch: int = 16
) -> OccurrenceEvaluator:
    evaluator = OccurrenceEvaluator(SPECIES, watchlist=WATCHED)
    for start in range(0, len(logits), batch):
        part = slice(start, start + batch)
        rows, columns = truth[part].nonzero(as_tuple=True)
        evaluator.update(
            logits[part], rows, columns, density=None if density is None else density[part]
        )
    return evaluator


@given(st.integers(0, 10_000), st.booleans())
@settings(deadline=None, max_examples=25)
def test_rankings_and_lists_agree_with_sklearn(seed: int, ties: bool) -> None:
    logits, truth, _ = world(seed, ties=ties)
    scores = evaluated(logits, truth).compute()
    some = truth.any(dim=1)
    y, z = truth.numpy(), logits.numpy()
    each = [average_precision_score(y[i], z[i]) for i in some.nonzero().flatten().tolist()]
    assert scores["map"] == pytest.approx(np.mean(each), rel=1e-6)
    probability = torch.sigmoid(logits.double()).numpy()
    for percent in (5, 10, 25):
        predicted = (probability > percent / 100).ravel()
        flat = y.ravel()
        assert scores[f"f1_{percent}"] == pytest.approx(f1_score(flat, predicted))
        assert scores[f"precision_{percent}"] == pytest.approx(precision_score(flat, predicted))
        assert scores[f"recall_{percent}"] == pytest.approx(recall_score(flat, predicted))
        lists = (probability > percent / 100).sum(axis=1)
        assert scores[f"mean_list_length_{percent}"] == pytest.approx(lists.mean())
        ratio = (lists / y.sum(axis=1).clip(1))[some.numpy()].mean()
        assert scores[f"list_ratio_{percent}"] == pytest.approx(ratio)


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=15)
def test_top_recalls_count_the_first_species(seed: int) -> None:
    logits, truth, _ = world(seed)
    scores = evaluated(logits, truth).compute()
    for k in (10, 30):
        top = torch.zeros_like(truth).scatter_(1, logits.topk(k, dim=1).indices, True)
        expected = float((top & truth).sum() / truth.sum())
        assert scores[f"top{k}_recall"] == pytest.approx(expected)


def test_a_tie_never_helps() -> None:
    truth = torch.zeros(1, SPECIES, dtype=torch.bool)
    truth[0, 0] = True
    scores = evaluated(torch.zeros(1, SPECIES), truth).compute()
    assert scores["map"] == pytest.approx(1 / SPECIES)
    assert scores["top10_recall"] == 0.0


def test_calibration_agrees_with_sklearn_and_the_definition() -> None:
    logits, truth, _ = world(3, samples=80)
    evaluator = evaluated(logits, truth)
    scores = evaluator.compute()
    p, y = torch.sigmoid(logits.double()).numpy().ravel(), truth.numpy().ravel()
    assert scores["brier"] == pytest.approx(brier_score_loss(y, p), rel=1e-5)
    assert scores["log_loss"] == pytest.approx(log_loss(y, p), rel=1e-5)
    bins = np.clip(np.ceil(p * 15).astype(int) - 1, 0, 14)
    gaps = [abs(p[bins == b].sum() - y[bins == b].sum()) for b in range(15)]
    assert scores["ece"] == pytest.approx(sum(gaps) / len(p), rel=1e-5)
    curve = evaluator.reliability()
    assert curve.count.sum() == len(p)
    for k, (low, high) in enumerate(zip(curve.edges[:-1], curve.edges[1:], strict=True)):
        inside = (p > low) & (p <= high)
        assert curve.count[k] == inside.sum()
        if inside.any():
            assert curve.mean_probability[k] == pytest.approx(p[inside].mean(), rel=1e-5)
            assert curve.frequency[k] == pytest.approx(y[inside].mean())
        else:
            assert math.isnan(curve.mean_probability[k])


def test_watched_species_are_ranked_over_samples() -> None:
    logits, truth, _ = world(5)
    scores = evaluated(logits, truth).compute()
    each = []
    for code, column in WATCHED.items():
        expected = average_precision_score(truth[:, column].numpy(), logits[:, column].numpy())
        assert scores[f"watchlist_ap_{code}"] == pytest.approx(expected)
        each.append(expected)
    assert scores["watchlist_map"] == pytest.approx(np.mean(each))


def test_a_watched_species_that_is_nowhere_is_left_out_of_the_mean() -> None:
    logits, truth, _ = world(5)
    truth[:, WATCHED["kea1"]] = False
    scores = evaluated(logits, truth).compute()
    assert math.isnan(scores["watchlist_ap_kea1"])
    assert scores["watchlist_map"] == scores["watchlist_ap_calcon"]


def test_density_splits_the_samples_at_the_quartiles() -> None:
    logits, truth, density = world(8)
    density[4] = float("nan")
    scores = evaluated(logits, truth, density).compute()
    some = truth.any(dim=1).numpy() & ~density.isnan().numpy()
    each = np.array(
        [average_precision_score(truth[i].numpy(), logits[i].numpy()) for i in np.flatnonzero(some)]
    )
    known = density.double().numpy()[some]
    sparse = each[known <= np.quantile(known, 0.25)].mean()
    dense = each[known >= np.quantile(known, 0.75)].mean()
    assert scores["map_sparse"] == pytest.approx(sparse)
    assert scores["map_dense"] == pytest.approx(dense)
    assert scores["map_density_ratio"] == pytest.approx(sparse / dense)
    given_density = ~density.isnan().numpy()
    lists = (torch.sigmoid(logits) > 0.1).sum(dim=1).numpy()
    expected = stats.pearsonr(density.numpy()[given_density], lists[given_density]).statistic
    assert scores["pred_density_r"] == pytest.approx(expected)


def test_without_density_its_scores_are_absent() -> None:
    logits, truth, _ = world()
    assert "map_sparse" not in evaluated(logits, truth).compute()


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_batches_do_not_matter(batch: int) -> None:
    logits, truth, density = world(2)
    whole = evaluated(logits, truth, density, batch=len(logits)).compute()
    parts = evaluated(logits, truth, density, batch=batch).compute()
    assert parts == pytest.approx(whole, rel=1e-6)


def test_csr_positives_are_the_same_positives() -> None:
    logits, truth, density = world(4)
    evaluator = OccurrenceEvaluator(SPECIES, watchlist=WATCHED)
    indptr = torch.cat([torch.zeros(1, dtype=torch.int64), truth.sum(dim=1).cumsum(0)])
    evaluator.update_csr(logits, indptr, truth.nonzero()[:, 1].int(), density=density)
    assert evaluator.compute() == pytest.approx(evaluated(logits, truth, density).compute())


def test_the_way_of_other_devices_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, truth, density = world(6, ties=True)
    here = evaluated(logits, truth, density)
    monkeypatch.setattr(_summary, "_by_row", _summary._by_sorting)
    there = evaluated(logits, truth, density)
    assert there.compute() == pytest.approx(here.compute(), rel=1e-6)
    np.testing.assert_allclose(
        there.reliability().mean_probability, here.reliability().mean_probability, rtol=1e-5
    )


@given(st.integers(0, 10_000), st.booleans(), st.floats(-9, 3))
@settings(deadline=None, max_examples=25)
def test_rows_and_sorting_give_the_same(seed: int, ties: bool, level: float) -> None:
    logits, truth, density = world(seed, ties=ties)
    here = evaluated(logits + level, truth, density)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_summary, "_by_row", _summary._by_sorting)
        there = evaluated(logits + level, truth, density)
    assert there.compute() == pytest.approx(here.compute(), rel=2e-5, nan_ok=True)
    np.testing.assert_array_equal(there.reliability().count, here.reliability().count)


@pytest.mark.parametrize("way", ["_by_row", "_by_sorting"])
def test_half_precision_and_autocast_do_not_change_the_sums(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, truth, density = world(6)
    logits[3, 5], logits[4, 6] = 90.0, math.inf
    rounded = logits.bfloat16()
    plain = evaluated(rounded.float(), truth, density).compute()
    monkeypatch.setattr(_summary, "_by_row", getattr(_summary, way))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert evaluated(rounded, truth, density).compute() == pytest.approx(plain)


def test_a_batch_that_threads_divide_is_scored_like_many_small_ones() -> None:
    logits, truth, _ = world(1, samples=301)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    whole = evaluated(logits, truth, batch=301).compute()
    torch.set_num_threads(before)
    assert whole == pytest.approx(evaluated(logits, truth, batch=10).compute(), rel=1e-6)


def test_intervals_hold_the_scores_and_samples_come_in_order() -> None:
    logits, truth, _ = world(9, samples=120)
    evaluator = evaluated(logits, truth)
    scores = evaluator.compute()
    resampling = Resampling.of(np.arange(120) // 4, resamples=300)
    intervals = resampling.intervals(evaluator.resampled(resampling))
    for name in ("map", "f1_10", "precision_25", "recall_5", "list_ratio_10", "watchlist_map"):
        low, high = intervals[name]
        assert low < scores[name] < high
    samples = evaluator.per_sample()
    np.testing.assert_array_equal(samples["positives"], truth.sum(dim=1))
    assert np.nanmean(samples["average_precision"]) == pytest.approx(scores["map"])
    assert np.isnan(samples["average_precision"][0])


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("steps", [3, 10**6])
def test_a_resample_is_scored_as_if_its_samples_had_been_copied(ties: bool, steps: int) -> None:
    """With few steps of density many samples lie on the quartiles."""
    logits, truth, density = world(2, samples=90, ties=ties)
    density = (density * steps / 100).round()
    group = np.arange(90) // 6
    resampling = Resampling.of(group, resamples=12, seed=1)
    drawn = evaluated(logits, truth, density).resampled(resampling)
    for place, taken in enumerate(resampling.draws):
        rows = np.repeat(np.arange(90), taken.astype(int)[group])
        copied = evaluated(logits[rows], truth[rows], density[rows]).compute()
        assert {*copied} - {*drawn} == {"ece"}
        found = {name: values[place] for name, values in drawn.items()}
        assert found == pytest.approx({n: copied[n] for n in found}, rel=1e-5, nan_ok=True)


def test_an_extreme_logit_is_ranked_and_a_nan_is_an_error() -> None:
    logits, truth, _ = world()
    logits[0, 0], logits[1, 1] = float("inf"), -float("inf")
    assert math.isfinite(evaluated(logits, truth).compute()["brier"])
    logits[2, 2] = float("nan")
    with pytest.raises(TrainingError, match="NaN for 1 of 16 samples"):
        evaluated(logits, truth)


def test_nothing_gives_nothing() -> None:
    evaluator = OccurrenceEvaluator(SPECIES, watchlist=WATCHED)
    assert all(math.isnan(value) for value in evaluator.compute().values())
    logits, truth, _ = world()
    evaluator = evaluated(logits, truth & False)
    scores = evaluator.compute()
    assert math.isnan(scores["map"])
    assert math.isnan(scores["recall_10"])
    assert scores["f1_10"] == 0.0
    evaluator.reset()
    assert math.isnan(evaluator.compute()["brier"])


def test_column_precisions_agree_with_sklearn() -> None:
    logits, truth, _ = world(11, ties=True)
    found = column_average_precision(logits, truth)
    for column in range(SPECIES):
        expected = average_precision_score(truth[:, column].numpy(), logits[:, column].numpy())
        assert float(found[column]) == pytest.approx(expected)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="whole percents"):
        OccurrenceEvaluator(SPECIES, thresholds=(0.105, 0.1))
    with pytest.raises(ValueError, match="10 among them"):
        OccurrenceEvaluator(SPECIES, thresholds=(0.05,))
    with pytest.raises(ValueError, match="logits must be"):
        OccurrenceEvaluator(SPECIES).update(torch.zeros(2, 3), torch.zeros(0), torch.zeros(0))
