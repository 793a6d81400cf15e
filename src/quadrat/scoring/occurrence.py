"""Scores of species predictions, batch by batch: nothing of the size samples x species is kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quadrat.errors import TrainingError
from quadrat.scoring._density import density_scores, resampled_density_scores
from quadrat.scoring._ranking import average_precision, column_average_precision
from quadrat.scoring._resampled import ratio
from quadrat.scoring._summary import LARGEST, summarise
from quadrat.scoring.bootstrap import Resampling
from quadrat.scoring.geoscore import geoscores, resampled_geoscores

Array = NDArray[np.float64]

ECE_BINS = 15
_TOPS = (10, 30)
RELIABILITY_EDGES = np.union1d(
    np.linspace(0, 1, ECE_BINS + 1), (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03)
)
"""Edges of the bins of the reliability curve."""


@dataclass(frozen=True)
class Reliability:
    """How often species with a predicted probability are present, bin by bin.

    Bins are the 15 equal ones of the expected calibration error, with the lowest cut finer.

    Attributes:
        edges: Edges of the bins, from 0 to 1, ``(K + 1,)``.
        count: Number of (sample, species) pairs, ``(K,)``.
        mean_probability: Their mean prediction, NaN in an empty bin, ``(K,)``.
        frequency: The share of them that is present, ``(K,)``.
    """

    edges: Array
    count: Array
    mean_probability: Array
    frequency: Array


@dataclass(frozen=True)
class _Samples:
    """What is kept of every sample: a few numbers, and its watch-list logits."""

    average_precision: Tensor  # (B,) float64, NaN without positives
    positives: Tensor  # (B,)
    first: Tensor  # (B, 2), positives among the first 10 and 30
    predicted: Tensor  # (B, thresholds)
    hits: Tensor  # (B, thresholds)
    density: Tensor  # (B,) float64, NaN where unknown
    expected: Tensor  # (B,) float64, sum of the probabilities
    squares: Tensor  # (B,) float64, Σ (p - y)²
    log_loss: Tensor  # (B,) float64, Σ softplus(z) - y z
    watched: Tensor  # (B, W)
    watched_truth: Tensor  # (B, W) bool


class OccurrenceEvaluator:
    """Collects batches of logits with their sparse positives, and gives the scores.

    A species is predicted where its probability exceeds a threshold. Tied logits are ranked
    together: a positive's rank is the number of logits not below its own, so a tie never helps.

    Args:
        species: S, the number of species.
        thresholds: Probabilities in whole percents, among them 0.10.
        watchlist: Species code → column, for per-species average precisions.
    """

    def __init__(
        self,
        species: int,
        *,
        thresholds: Sequence[float] = (0.05, 0.10, 0.25),
        watchlist: Mapping[str, int] | None = None,
    ) -> None:
        self.percents = [round(100 * t) for t in thresholds]
        if not np.allclose(np.array(self.percents) / 100, thresholds) or 10 not in self.percents:
            raise ValueError(f"thresholds are whole percents with 10 among them: {thresholds}")
        self.species = species
        self.watchlist = dict(watchlist or {})
        self._cuts = torch.logit(torch.tensor(thresholds, dtype=torch.float64)).float()
        self._edges = RELIABILITY_EDGES
        self._edge_cuts = torch.logit(torch.from_numpy(self._edges[1:-1])).float()
        self.reset()

    def reset(self) -> None:
        """Forgets all batches."""
        bins = len(self._edges) - 1
        self._samples: list[_Samples] = []
        self._count, self._probability, self._present = np.zeros((3, bins))

    def update_csr(
        self, logits: Tensor, indptr: Tensor, indices: Tensor, *, density: Tensor | None = None
    ) -> None:
        """As ``update``, with the positives as the rows of a CSR matrix.

        Args:
            logits: ``(B, S)``.
            indptr: Where each sample's species begin in ``indices``, ``(B + 1,)``.
            indices: Columns of the species that are present, ``(P,)``.
            density: Observation density of every sample, ``(B,)``.
        """
        rows = torch.arange(len(indptr) - 1, device=indptr.device)
        rows = rows.repeat_interleave(indptr.diff())
        self.update(logits, rows, indices, density=density)

    @torch.inference_mode()
    def update(
        self, logits: Tensor, rows: Tensor, columns: Tensor, *, density: Tensor | None = None
    ) -> None:
        """Takes a batch in.

        Args:
            logits: ``(B, S)``.
            rows: Sample of every positive, ``(P,)``; a pair occurs once.
            columns: Species of every positive, ``(P,)``.
            density: Observation density of every sample, ``(B,)``, NaN where unknown.

        Raises:
            TrainingError: A logit is NaN.
        """
        if logits.ndim != 2 or logits.shape[1] != self.species:
            raise ValueError(f"logits must be (B, {self.species}), not {tuple(logits.shape)}")
        if not len(logits):
            return
        if logits.device.type not in ("cpu", "cuda"):
            logits = logits.cpu()
        device, count = logits.device, len(logits)
        rows, columns = rows.to(device, torch.int64), columns.to(device, torch.int64)
        values = logits[rows, columns].float()
        cuts, edges = self._cuts.to(device), self._edge_cuts.to(device)
        found = summarise(logits, rows, values, cuts=cuts, edges=edges)
        self._refuse_nan(found.expected)
        precision, ranks = average_precision(found.below, rows, count, self.species)
        self._count += found.count.cpu().numpy()
        self._probability += found.probability.cpu().numpy()
        present = torch.bincount(torch.bucketize(values, edges), minlength=len(self._count))
        self._present += present.cpu().numpy()
        exact = values.double()
        # (p - 1)² instead of p² where the species is present
        extra = 1.0 - 2.0 * exact.sigmoid()
        watched = torch.tensor(list(self.watchlist.values()), dtype=torch.int64, device=device)
        positives = torch.bincount(rows, minlength=count)
        ranked = torch.arange(count, device=device).repeat_interleave(positives)
        tops = torch.tensor(_TOPS, device=device)
        kept = _Samples(
            average_precision=precision,
            positives=positives,
            first=_row_counts(ranked, ranks[:, None] <= tops, count),
            predicted=found.predicted,
            hits=_row_counts(rows, values[:, None] > cuts, count),
            density=torch.full((count,), math.nan) if density is None else density.detach(),
            expected=found.expected,
            squares=found.squares.index_add(0, rows, extra),
            log_loss=found.softplus.index_add(0, rows, -exact.clamp(max=LARGEST)),
            watched=logits[:, watched].float(),
            watched_truth=_dense(rows, columns, watched, count, self.species),
        )
        self._samples.append(_Samples(**{k: v.cpu() for k, v in vars(kept).items()}))

    def compute(self) -> dict[str, float]:
        """All scores of the batches so far; NaN where one is not defined.

        ``geoscore`` and its variants are over the parts that are known here; a caller who has
        ``holdout_map`` adds it and asks ``geoscores`` again.
        """
        kept = self._kept()
        scores = {
            name: _ratio(float(np.nansum(above)), float(np.nansum(under)))
            for name, (above, under) in self._ratios(kept).items()
        }
        scores |= self._watchlist_scores(kept) | density_scores(*self._by_density(kept))
        scores["ece"] = self._expected_calibration_error()
        return scores | geoscores(scores)

    def per_sample(self) -> dict[str, Array]:
        """What is known of every sample, in the order of the batches, each ``(N,)``.

        average_precision (NaN without positives), positives, expected (the sum of probabilities),
        and for every threshold predicted_P and hits_P.
        """
        kept = self._kept()
        found = {
            "average_precision": kept.average_precision.numpy(),
            "positives": kept.positives.double().numpy(),
            "expected": kept.expected.double().numpy(),
        }
        for place, percent in enumerate(self.percents):
            found[f"predicted_{percent}"] = kept.predicted[:, place].double().numpy()
            found[f"hits_{percent}"] = kept.hits[:, place].double().numpy()
        return found

    def resampled(self, resampling: Resampling) -> dict[str, Array]:
        """The scores in resamples of groups (cells, blocks), all but the calibration error.

        Args:
            resampling: Of the samples in the order of the batches.

        Returns:
            Score → values ``(R,)``, NaN where a score is not defined in a resample.
        """
        kept = self._kept()
        found = resampling.ratios(self._ratios(kept)) | self._watchlist_resampled(kept, resampling)
        found |= resampled_density_scores(
            *self._by_density(kept), resampling.group, resampling.draws
        )
        return found | resampled_geoscores(found)

    def reliability(self) -> Reliability:
        """The reliability curve over all (sample, species) pairs."""
        with np.errstate(invalid="ignore"):
            mean, frequency = self._probability / self._count, self._present / self._count
        return Reliability(self._edges.copy(), self._count.copy(), mean, frequency)

    def _refuse_nan(self, sums: Tensor) -> None:
        bad = int(sums.isnan().sum())
        if bad:
            raise TrainingError(
                f"the network's output is NaN for {bad} of {len(sums)} samples of a batch.\n"
                "To mend it: try a smaller optimiser.learning_rate or optimiser.precision = 'fp32'."
            )

    def _expected_calibration_error(self) -> float:
        """``Σ n_b / n |mean probability - frequency|`` over 15 equal bins (Naeini et al. 2015)."""
        bins = np.minimum((self._edges[:-1] * ECE_BINS + 1e-9).astype(np.int64), ECE_BINS - 1)
        gaps = np.bincount(bins, self._probability - self._present, ECE_BINS)
        return _ratio(float(np.abs(gaps).sum()), float(self._count.sum()))

    def _kept(self) -> _Samples:
        if not self._samples:
            return self._nothing()
        columns = zip(*(vars(batch).values() for batch in self._samples), strict=True)
        joined = _Samples(*(torch.cat(column) for column in columns))
        self._samples = [joined]
        return joined

    def _nothing(self) -> _Samples:
        wide, watched = torch.zeros(0, len(self.percents)), torch.zeros(0, len(self.watchlist))
        tables = {"first": torch.zeros(0, len(_TOPS)), "predicted": wide, "hits": wide}
        tables |= {"watched": watched, "watched_truth": watched.bool()}
        empty = torch.zeros(0)
        return _Samples(**{f.name: tables.get(f.name, empty) for f in fields(_Samples)})

    def _by_density(self, kept: _Samples) -> tuple[Array, Array, Array]:
        """Density, average precision and list length of every sample, each ``(N,)``."""
        predicted = kept.predicted[:, self.percents.index(10)]
        columns = kept.density, kept.average_precision, predicted
        density, precision, length = (column.double().numpy() for column in columns)
        return density, precision, length

    def _ratios(self, kept: _Samples) -> dict[str, tuple[Array, Array]]:
        """Scores that are a ratio of two sums over samples, as the two terms of each sample."""
        positives = kept.positives.double().numpy()
        some = (positives > 0).astype(np.float64)
        precision = np.nan_to_num(kept.average_precision.numpy())
        found = {"map": (precision, some)}
        for place, top in enumerate(_TOPS):
            found[f"top{top}_recall"] = (kept.first[:, place].double().numpy(), positives)
        for place, percent in enumerate(self.percents):
            predicted = kept.predicted[:, place].double().numpy()
            hits = kept.hits[:, place].double().numpy()
            found[f"f1_{percent}"] = (2.0 * hits, predicted + positives)
            found[f"precision_{percent}"] = (hits, predicted)
            found[f"recall_{percent}"] = (hits, positives)
            found[f"list_ratio_{percent}"] = (some * predicted / np.maximum(positives, 1.0), some)
            found[f"mean_list_length_{percent}"] = (predicted, np.ones_like(predicted))
        pairs = np.full(len(positives), float(self.species))
        found["brier"] = (kept.squares.double().numpy(), pairs)
        found["log_loss"] = (kept.log_loss.double().numpy(), pairs)
        return found

    def _watchlist_scores(self, kept: _Samples) -> dict[str, float]:
        if not self.watchlist:
            return {}
        found = column_average_precision(kept.watched, kept.watched_truth)
        each = dict(zip(self.watchlist, found.tolist(), strict=True))
        return {
            "watchlist_map": _mean(found),
            **{f"watchlist_ap_{code}": value for code, value in each.items()},
        }

    def _watchlist_resampled(self, kept: _Samples, resampling: Resampling) -> dict[str, Array]:
        if not self.watchlist:
            return {}
        found = {}
        for place, code in enumerate(self.watchlist):
            seen = np.flatnonzero(kept.watched_truth[:, place].numpy())
            values = kept.watched[:, place].numpy()
            found[f"watchlist_ap_{code}"] = resampling.ap_auc(values, seen)[0]
        each = np.array(list(found.values()))
        known = ~np.isnan(each)
        return {"watchlist_map": ratio(np.nansum(each, axis=0), known.sum(axis=0)), **found}


def _row_counts(rows: Tensor, flags: Tensor, count: int) -> Tensor:
    """Number of set flags ``(P, K)`` of every row, ``(B, K)``."""
    counts = torch.zeros(count, flags.shape[1], dtype=torch.int64, device=rows.device)
    return counts.index_add_(0, rows, flags.long())


def _dense(rows: Tensor, columns: Tensor, watched: Tensor, count: int, species: int) -> Tensor:
    """Presence of the watched species, ``(B, W)`` bool."""
    place = torch.full((species,), -1, dtype=torch.int64, device=rows.device)
    place[watched] = torch.arange(len(watched), device=rows.device)
    found = place[columns]
    truth = torch.zeros(count, len(watched), dtype=torch.bool, device=rows.device)
    truth[rows[found >= 0], found[found >= 0]] = True
    return truth


def _mean(values: Tensor) -> float:
    return float(values.nanmean())


def _ratio(above: float, under: float) -> float:
    return above / under if under else math.nan
