"""Calibration and thresholds of a network, fitted on validation cells and fit to be judged.

Where test cells judge, everything is fitted on all validation cells. Where the validation cells
judge, that would flatter: each fold of their spatial blocks is then judged by what was fitted on
the others (cross-fitting), while the run stores what was fitted on all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quadrat.errors import DataError
from quadrat.occurrence.judging.calibration import Penalty, choose_penalty, fit_curves
from quadrat.occurrence.judging.features import all_features, judged_batches
from quadrat.occurrence.judging.logit_counts import EDGES, LogitCounts, count_logits
from quadrat.occurrence.judging.thresholds import Aim, choose_strength, fit_thresholds
from quadrat.occurrence.network.species_network import Prediction, SpeciesModel
from quadrat.occurrence.samples.batches import CellBatch
from quadrat.occurrence.samples.dataset import SampleSet
from quadrat.occurrence.schema import CalibrateSection
from quadrat.occurrence.schema.calibrate import RECALL
from quadrat.runtime.calibration import Calibration, sigmoid
from quadrat.runtime.weeks import WEEKS
from quadrat.splits.parting import group_folds

FOLDS = 5

Cells = NDArray[np.int64]


@dataclass(frozen=True)
class Adjustment:
    """How logits become probabilities and lists: for everybody, and where cells are judged.

    Args:
        stored: Fitted on all validation cells; None where nothing is calibrated or cut.
        parts: What the judged cells are judged by.
        part: Which of these each judged cell takes ``(C,)``.
        facts: What ``protocol`` says about it.
    """

    stored: Calibration | None
    parts: tuple[Calibration, ...]
    part: Cells
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def stored_only(cls, stored: Calibration | None, species: int, cells: int) -> Adjustment:
        """The same for all judged cells."""
        used = stored or Calibration.identity(species)
        return cls(stored, (used,), np.zeros(cells, np.int64))

    @property
    def changes_probabilities(self) -> bool:
        """Whether any logit is not taken as it is."""
        return any((p.slope != 1).any() or (p.offset != 0).any() for p in self.parts)

    def cuts(self) -> NDArray[np.float32] | None:
        """The raw logits from which species count as present ``(parts, S)``."""
        cuts = [
            (np.log(p.threshold) - np.log1p(-p.threshold) - p.offset) / p.slope
            for p in self.parts
            if p.threshold is not None
        ]
        return np.stack(cuts).astype(np.float32) if cuts else None

    def told(self, protocol: Mapping[str, Any]) -> dict[str, Any]:
        """A protocol with what was fitted, how and on what."""
        if self.stored is None or not self.facts:
            return dict(protocol)
        how = (
            f"no cell by what was fitted on it ({self.facts['folds']} folds of blocks)"
            if self.facts["crossed"]
            else "none of them on the judged cells"
        )
        told = f"calibration and thresholds were fitted on validation cells, {how}."
        return {
            **protocol,
            "calibrate": self.facts,
            "words": f"{str(protocol.get('words', '')).rstrip('.')}; {told}",
        }


class Calibrated(nn.Module):
    """A network whose logits are calibrated, cell by cell as an adjustment says.

    Args:
        network: The network; its batches hold the weeks of the judged cells in order.
        adjustment: The curves.
    """

    slopes: Tensor
    offsets: Tensor
    part: Tensor

    def __init__(self, network: nn.Module, adjustment: Adjustment) -> None:
        super().__init__()
        self.network = network
        for name in ("slope", "offset"):
            stacked = np.stack([getattr(part, name) for part in adjustment.parts])
            self.register_buffer(f"{name}s", torch.from_numpy(stacked), persistent=False)
        self.register_buffer("part", torch.from_numpy(adjustment.part), persistent=False)

    def forward(self, batch: CellBatch) -> Prediction:
        """Calibrated logits of a batch."""
        logits = self.network(batch).logits.float()
        if len(self.slopes) == 1:
            return Prediction(torch.addcmul(self.offsets, logits, self.slopes))
        part = self.part[(batch.index // WEEKS).to(self.part.device)]
        return Prediction(torch.addcmul(self.offsets[part], logits, self.slopes[part]))


def adjust(
    network: SpeciesModel,
    samples: SampleSet,
    blocks: NDArray[np.str_],
    section: CalibrateSection,
    *,
    judged: int | None,
    device: torch.device,
    seed: int,
) -> Adjustment:
    """Fits what an experiment asks for on its validation cells.

    Args:
        network: The trained network.
        samples: All weeks of the validation cells.
        blocks: The spatial block of every validation cell ``(C,)``.
        section: What is asked for.
        judged: How many test cells are judged; None where the validation cells themselves are.
        device: Where to compute.
        seed: Of the folds.

    Raises:
        DataError: There is only one validation cell.
    """
    species = samples.labels.columns
    if section.probabilities == "none" and section.thresholds == "none":
        return Adjustment.stored_only(None, species, judged or len(blocks))
    fold = _folds(blocks, seed)
    with torch.inference_mode():
        features = all_features(network.to(device), judged_batches(samples, device))
        logits = partial(network.logits, features)
        counts = count_logits(logits, samples.labels, np.repeat(fold, WEEKS))
    others = [counts.without(number) for number in range(len(counts.samples))]
    fitted = _Fitted.on(counts, others, section)
    facts = fitted.facts(section) | {"folds": len(others), "crossed": judged is None}
    stored = fitted.calibration(counts.total())
    if judged is not None:
        return replace(Adjustment.stored_only(stored, species, judged), facts=facts)
    return Adjustment(stored, tuple(fitted.calibration(part) for part in others), fold, facts)


@dataclass(frozen=True)
class _Fitted:
    """The strengths that folds have chosen."""

    penalty: Penalty | None
    aim: Aim | None
    strength: float

    @classmethod
    def on(
        cls, counts: LogitCounts, others: list[LogitCounts], section: CalibrateSection
    ) -> _Fitted:
        penalty = None
        if section.probabilities == "species":
            penalty = choose_penalty(counts)
        elif section.probabilities == "global":
            penalty = Penalty(math.inf)
        if section.thresholds == "none":
            return cls(penalty, None, math.inf)
        aim = Aim(section.thresholds, section.recall or RECALL)
        curves = [_curves(part, penalty) for part in others]
        fitted_on = [part.mapped(*curve) for part, curve in zip(others, curves, strict=True)]
        left_out = [counts[number].mapped(*curve) for number, curve in enumerate(curves)]
        return cls(penalty, aim, choose_strength(fitted_on, left_out, aim))

    def calibration(self, counts: LogitCounts) -> Calibration:
        """Curves and thresholds of counts ``(S, K)``."""
        slope, offset = _curves(counts, self.penalty)
        threshold = None
        if self.aim is not None:
            cut = fit_thresholds(counts.mapped(slope, offset), self.aim, self.strength)
            threshold = sigmoid(EDGES[cut]).astype(np.float32)
        return Calibration(slope.astype(np.float32), offset.astype(np.float32), threshold)

    def facts(self, section: CalibrateSection) -> dict[str, Any]:
        """What was chosen; an infinite number of positives is None."""
        found: dict[str, Any] = section.model_dump(exclude_none=True)
        if self.penalty is not None:
            found["curve_worth_positives"] = self.penalty.level
            found["slope_ratio"] = self.penalty.slope
        if self.aim is not None:
            found["threshold_worth_positives"] = self.strength
        return found


def _curves(
    counts: LogitCounts, penalty: Penalty | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if penalty is None:
        species = len(counts.samples)
        return np.ones(species), np.zeros(species)
    return fit_curves(counts, penalty)


def _folds(blocks: NDArray[np.str_], seed: int) -> Cells:
    """The fold of every cell: whole blocks go together, cells where all share one block."""
    if len(blocks) < 2:
        raise DataError(
            "one validation cell is too few to calibrate on.",
            fix="raise split.validation, or set calibrate.probabilities and calibrate.thresholds "
            "to 'none'.",
        )
    names = np.unique(blocks)
    groups = blocks if len(names) > 1 else np.arange(len(blocks)).astype(str)
    fold = np.empty(len(blocks), np.int64)
    dealt = group_folds(groups, min(FOLDS, len(np.unique(groups))), seed=(seed, 3))
    for number, rows in enumerate(dealt):
        fold[rows] = number
    return fold
