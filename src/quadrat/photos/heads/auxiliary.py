"""What a network learns beside its targets: the interval a target lies in, and metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from quadrat.photos.fusion import Metadata

BINS, METADATA = "bins", "metadata"
"""Names of what is said beside the targets."""


@dataclass(frozen=True)
class Columns:
    """Columns of metadata that are predicted.

    Attributes:
        numeric: Positions among the numeric ones.
        categorical: Positions among the categorical ones.
        cardinalities: Positions in the vocabulary of each of ``categorical``, with the unknown one.
    """

    numeric: tuple[int, ...] = ()
    categorical: tuple[int, ...] = ()
    cardinalities: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.numeric) + len(self.categorical)

    @property
    def widths(self) -> list[int]:
        """Outputs: all numbers together, then of each category its known values.

        A category that training never knew has one that says nothing.
        """
        return [len(self.numeric), *(max(count - 1, 1) for count in self.cardinalities)]


class MetadataHead(nn.Module):
    """Predicts metadata from the photos alone.

    Args:
        width: D, length of a photo's vector.
        hidden: Width of its hidden layer.
        columns: What it predicts.
    """

    def __init__(self, width: int, hidden: int, columns: Columns) -> None:
        super().__init__()
        self.columns = columns
        self.layers = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, sum(columns.widths))
        )

    def forward(self, photos: Tensor) -> Tensor:
        """Photos ``(B, D)`` to standardised numbers and logits of categories, side by side."""
        said: Tensor = self.layers(photos)
        return said

    def fill(self, metadata: Metadata, said: Tensor) -> Metadata:
        """The metadata with predictions where values are unknown; their flags stay.

        No gradient flows back: what is predicted stays a prediction of the metadata.

        Args:
            metadata: Of B samples.
            said: What `forward` says of them.
        """
        numbers, *logits = torch.split(said.detach(), self.columns.widths, dim=1)
        numeric, categories = metadata.numeric.clone(), metadata.categories.clone()
        for place, column in enumerate(self.columns.numeric):
            unknown = metadata.missing[:, column] > 0
            numeric[:, column] = torch.where(unknown, numbers[:, place], numeric[:, column])
        counts = self.columns.cardinalities
        for column, count, scores in zip(self.columns.categorical, counts, logits, strict=True):
            if count > 1:
                known = categories[:, column] > 0
                likeliest = 1 + scores.argmax(dim=1)
                categories[:, column] = torch.where(known, categories[:, column], likeliest)
        return Metadata(numeric, metadata.missing, categories)


class Part(NamedTuple):
    """A part of the loss beside that of the targets.

    Attributes:
        name: Its name in the history.
        weight: How much it counts.
        value: A mean, with its gradient; 0 where nothing is known.
        known: Whether anything is.
    """

    name: str
    weight: float
    value: Tensor
    known: Tensor


@dataclass(frozen=True)
class AuxiliaryLoss:
    """The losses of what is said beside the targets.

    Attributes:
        edges: Between the intervals of every target ``(T, n - 1)``, standardised; None: no bins.
        target_weights: Of the targets (T).
        bins_weight: Of the intervals.
        columns: The metadata that are predicted.
        metadata_weight: Of those.
    """

    edges: Tensor | None = None
    target_weights: tuple[float, ...] = ()
    bins_weight: float = 0.0
    columns: Columns = field(default_factory=Columns)
    metadata_weight: float = 0.0

    def parts(
        self,
        said: Mapping[str, Tensor],
        targets: Tensor,
        metadata: Metadata,
        counts: Tensor | None = None,
    ) -> list[Part]:
        """The parts of a batch's loss, those that are asked for.

        Args:
            said: By the network beside its targets.
            targets: Standardised ``(B, T)``, NaN where unknown.
            metadata: As they are in truth.
            counts: How much each sample counts ``(B,)``, in the loss of intervals; alike if None.
        """
        parts = []
        if self.edges is not None:
            weights = targets.new_tensor(self.target_weights)
            if counts is not None:
                weights = weights * counts[:, None]
            value = bins_loss(said[BINS].float(), targets, self.edges.to(targets), weights)
            parts.append(Part("bins_loss", self.bins_weight, *value))
        if len(self.columns):
            value = metadata_loss(said[METADATA].float(), metadata, self.columns)
            parts.append(Part("auxiliary_loss", self.metadata_weight, *value))
        return parts


def bin_edges(targets: NDArray[np.float64], bins: int) -> Tensor:
    """Edges that cut the known values of every target into equal parts, ``(T, n - 1)``.

    Where many values are the same, several edges coincide and the intervals between stay empty.

    Args:
        targets: ``(N, T)``, NaN where unknown.
        bins: n.
    """
    levels = np.arange(1, bins) / bins
    return torch.from_numpy(np.nanquantile(targets, levels, axis=0).T.copy())


def bins_loss(
    logits: Tensor, targets: Tensor, edges: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the intervals that known targets lie in, and whether there are any.

    Args:
        logits: ``(B, T, n)``.
        targets: ``(B, T)``, NaN where unknown.
        edges: ``(T, n - 1)``; a value on an edge lies above it.
        weights: Of the targets ``(T,)``, or of each value ``(B, T)``.
    """
    interval = (targets[..., None] >= edges).sum(dim=-1)
    each = cross_entropy(logits.flatten(0, 1), interval.flatten(), reduction="none")
    shares = (~targets.isnan() * weights).flatten()
    total = shares.sum()
    return (shares * each).sum() / total.clamp_min(1e-12), total > 0


def metadata_loss(said: Tensor, metadata: Metadata, columns: Columns) -> tuple[Tensor, Tensor]:
    """Mean over columns of the error of known metadata, and whether there are any.

    Numbers: squared error in standard deviations. Categories: cross-entropy.

    Args:
        said: As `MetadataHead` says it.
        metadata: As they are.
        columns: Which were predicted.
    """
    numbers, *logits = torch.split(said, columns.widths, dim=1)
    errors: list[Tensor] = []
    known: list[Tensor] = []
    for place, column in enumerate(columns.numeric):
        errors.append((numbers[:, place] - metadata.numeric[:, column]).square())
        known.append(metadata.missing[:, column] == 0)
    for column, scores in zip(columns.categorical, logits, strict=True):
        category = metadata.categories[:, column]
        known.append(category > 0)
        errors.append(cross_entropy(scores, (category - 1).clamp_min(0), reduction="none"))
    return _mean_of_known(errors, known)


def _mean_of_known(errors: Sequence[Tensor], known: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The mean over columns of the mean over known rows; columns without any do not count."""
    error, there = torch.stack(list(errors), dim=1), torch.stack(list(known), dim=1)
    counts = there.sum(dim=0)
    means = torch.where(there, error, 0.0).sum(dim=0) / counts.clamp_min(1)
    columns = (counts > 0).sum()
    return means.sum() / columns.clamp_min(1), columns > 0
