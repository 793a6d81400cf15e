"""What scores need to know of logits, row by row: no logit is sorted or kept.

Most species are not expected at most places. One pass takes the sums of a row and picks out the
logits above the lowest value that is asked about; ranks, lists and bins are counted among these.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numba import float32, float64, int64, void
from numpy.typing import NDArray
from torch import Tensor

from quadrat.kernels.arithmetic import exponential, log_1p, number
from quadrat.kernels.compiling import inlined, kernel
from quadrat.kernels.launching import BITS, ROW, TABLE, Bits, Floats, bits, floats, threads

Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]

_AT_ONCE = 512
"""Terms that are summed in float32."""


class RowSummary(NamedTuple):
    """Counts and sums of logits z ``(B, S)`` with probabilities p.

    Args:
        below: How many logits of its row are smaller than each positive's ``(P,)``.
        above: How many logits of each row are above each cut ``(B, T)``.
        sums: Of p, p² and log(1 + exp z), of every row ``(B, 3)``; the first is NaN where a logit
            is, and then nothing else means anything.
        in_bins: Number of logits in each bin ``(K,)``.
        probability: Sum of their probabilities ``(K,)``.
    """

    below: Ints
    above: Ints
    sums: Doubles
    in_bins: Ints
    probability: Doubles


def summarise_rows(
    logits: Tensor, starts: Ints, values: Floats, cuts: Floats, edges: Floats, largest: float
) -> RowSummary:
    """Summarises logits.

    Args:
        logits: ``(B, S)`` in bfloat16 or float32, contiguous.
        starts: Where each row's positives begin ``(B + 1,)``.
        values: Logits of the positives, in the order of their rows ``(P,)``.
        cuts: At least one ``(T,)``.
        edges: Between the bins, ascending ``(K - 1,)``.
        largest: Logits are cut here in the third sum.
    """
    parts, bins = threads(), len(edges) + 1
    found = RowSummary(
        below=np.empty(len(values), np.int64),
        above=np.empty((len(logits), len(cuts)), np.int64),
        sums=np.empty((len(logits), 3)),
        in_bins=np.zeros((parts, bins), np.int64),
        probability=np.zeros((parts, bins)),
    )
    table = bits(logits) if logits.element_size() == 2 else floats(logits)
    limits = np.concatenate([[-np.inf], edges, [np.inf]]).astype(np.float32)
    _summarise(table, starts, values, cuts, limits, np.float32(largest), *found, parts)
    return found._replace(
        in_bins=found.in_bins.sum(axis=0), probability=found.probability.sum(axis=0)
    )


@inlined
def _sums(row: Bits | Floats, z: Floats, p: Floats, largest: np.float32) -> Any:
    """The three sums of a row, whose logits and probabilities are written down."""
    total, squares, softplus = np.float64(0), np.float64(0), np.float64(0)
    for start in range(0, len(row), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        some, some_squares, some_softplus = _part_sums(row[part], z[part], p[part], largest)
        total, squares, softplus = total + some, squares + some_squares, softplus + some_softplus
    return total, squares, softplus


@inlined
def _part_sums(row: Bits | Floats, z: Floats, p: Floats, largest: np.float32) -> Any:
    total, squares, softplus, broken = np.float32(0), np.float32(0), np.float32(0), np.int32(0)
    for j in range(len(row)):
        x = number(row[j])
        e = exponential(-abs(x))
        share = np.float32(1) / (np.float32(1) + e)
        negative = x < np.float32(0)
        q = e * share if negative else share
        z[j], p[j] = x, q
        total += q
        squares += q * q
        softplus += log_1p(e) + (np.float32(0) if negative else min(x, largest))
        broken = np.int32(broken + np.int32(x != x))
    return np.float32(np.nan) if broken else total, squares, softplus


@inlined
def _pick(z: Floats, p: Floats, needed: np.float32, high: Floats, chance: Floats) -> Any:
    """Copies logits from a lowest one on; how many there are, and the others' probability."""
    kept, rest = 0, np.float32(0)
    for j in range(len(z)):
        rest += np.float32(0) if z[j] >= needed else p[j]
    for j in range(len(z)):  # without a branch, which no processor could guess
        high[kept], chance[kept] = z[j], p[j]
        kept += z[j] >= needed
    return kept, rest


@inlined
def _below(numbers: Floats, length: int, limit: np.float32) -> Any:
    """How many of the first numbers are below a limit."""
    found = np.int32(0)
    for j in range(length):
        found = np.int32(found + np.int32(numbers[j] < limit))
    return found


@inlined
def _up_to(numbers: Floats, length: int, limit: np.float32) -> Any:
    """How many of the first numbers are not above a limit."""
    found = np.int32(0)
    for j in range(length):
        found = np.int32(found + np.int32(numbers[j] <= limit))
    return found


@inlined
def _between(numbers: Floats, chance: Floats, length: int, low: np.float32, top: np.float32) -> Any:
    """How many of the first numbers are above one limit but not another, and their chances."""
    found, chances = np.int32(0), np.float32(0)
    for j in range(length):
        within = (numbers[j] > low) & (numbers[j] <= top)
        found = np.int32(found + np.int32(within))
        chances += chance[j] if within else np.float32(0)
    return found, chances


def _types(logits: Any) -> Any:
    counts, rows, doubles = int64[::1], int64[:, ::1], float64[:, ::1]
    return void(logits, counts, ROW, ROW, ROW, float32, counts, rows, doubles, rows, doubles, int64)


@kernel(_types(BITS), _types(TABLE))
def _summarise(
    logits: Bits | Floats, starts: Ints, values: Floats, cuts: Floats, limits: Floats,
    largest: np.float32, below: Ints, above: Ints, sums: Doubles, in_bins: Ints,
    probability: Doubles, parts: int,
) -> None:  # fmt: skip
    rows, width = logits.shape
    bins = len(limits) - 1
    lowest = min(limits[1], cuts.min())
    for part in numba.prange(parts):
        z, p = np.empty(width, np.float32), np.empty(width, np.float32)
        high, chance = np.empty(width + 1, np.float32), np.empty(width + 1, np.float32)
        for i in range(rows * part // parts, rows * (part + 1) // parts):
            sums[i, 0], sums[i, 1], sums[i, 2] = _sums(logits[i], z, p, largest)
            needed = lowest
            for k in range(starts[i], starts[i + 1]):
                needed = min(needed, values[k])
            kept, rest = _pick(z, p, needed, high, chance)
            for k in range(starts[i], starts[i + 1]):
                below[k] = width - kept + _below(high, kept, values[k])
            for t in range(len(cuts)):
                above[i, t] = kept - _up_to(high, kept, cuts[t])
            elsewhere = width
            for b in range(bins):
                inside, theirs = _between(high, chance, kept, limits[b], limits[b + 1])
                in_bins[part, b] += inside
                probability[part, b] += theirs
                elsewhere -= inside
            in_bins[part, 0] += elsewhere  # what was not picked out, and -inf
            probability[part, 0] += rest
