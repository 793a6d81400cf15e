"""Sharing out whole groups into parts of given sizes, with the same mixture in every part."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

QUANTILE_BINS = 5
"""A continuous quantity is stratified by so many quantile bins."""
_FEW_VALUES = 10
_SWAPPED_GROUPS = 400
_ROUNDS = 200


def strata(values: ArrayLike) -> Codes:
    """Stratum of every row, ``(N,)``.

    Texts and numbers with at most ten different values are categories; other numbers fall into
    five quantile bins. Missing values are a stratum of their own.
    """
    column = np.asarray(values)
    if column.dtype.kind not in "fiu":
        return codes(column)
    numbers = column.astype(np.float64)
    known = numbers[~np.isnan(numbers)]
    if len(np.unique(known)) > _FEW_VALUES:
        inner = np.quantile(known, np.linspace(0, 1, QUANTILE_BINS + 1)[1:-1])
        numbers = np.where(np.isnan(numbers), np.nan, np.searchsorted(inner, numbers, side="left"))
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def codes(values: ArrayLike) -> Codes:
    """The rank of every row's value among the sorted values, ``(N,)``, all compared as text."""
    texts = np.asarray(values).astype(str)
    return np.unique(texts, return_inverse=True)[1].astype(np.int64)


def share_out(
    group: Codes, stratum: Codes | None, shares: ArrayLike, rng: np.random.Generator
) -> Codes:
    """Gives every group to one part, so that sizes and strata come out even.

    The load of a part is the vector of its share of all rows and, with strata, of the rows of
    every stratum. Groups, the large ones first (in an order that the seed jitters), go where
    ``J = Σ_parts ‖load - share‖² / share`` grows least; then single groups move, and pairs of
    groups swap, as long as J falls. No part stays empty.

    Args:
        group: Code of every row's group, ``(N,)``, 0 … G-1.
        stratum: Code of every row's stratum, ``(N,)``, or None.
        shares: Share of the rows that every part shall have, summing to 1, ``(K,)``, K ≤ G.
        rng: Source of the order, and of which part is which.

    Returns:
        The part of every group, ``(G,)``.
    """
    loads = _loads(group, stratum)
    wanted = np.asarray(shares, dtype=np.float64)
    parts = _greedy(loads, wanted, rng)
    _fill_empty(parts, loads, len(wanted))
    _improve(parts, loads, wanted)
    if np.ptp(wanted) == 0.0:  # equal parts have no order of their own
        parts = rng.permutation(len(wanted))[parts]
    return parts


def _loads(group: Codes, stratum: Codes | None) -> Array:
    """Every group's share of all rows and of the rows of every stratum, ``(G, 1 + S)``."""
    sizes = np.bincount(group).astype(np.float64)[:, None]
    if stratum is None:
        return np.asarray(sizes / sizes.sum())
    table = np.zeros((len(sizes), int(stratum.max()) + 1))
    np.add.at(table, (group, stratum), 1.0)
    # strata weigh as their rows do, so that a rare one does not rule the assignment
    totals = table.sum(axis=0)
    weights = np.sqrt(totals / totals.sum())
    return np.hstack([sizes / sizes.sum(), table / totals * weights])


def _targets(loads: Array, wanted: Array) -> Array:
    return np.outer(wanted, loads.sum(axis=0))


def _greedy(loads: Array, wanted: Array, rng: np.random.Generator) -> Codes:
    gaps = -_targets(loads, wanted)
    jitter = np.exp(rng.normal(0.0, 0.25, len(loads)))
    parts = np.empty(len(loads), dtype=np.int64)
    for g in np.argsort(-loads[:, 0] * jitter, kind="stable"):
        growth = (2.0 * gaps @ loads[g] + loads[g] @ loads[g]) / wanted
        parts[g] = growth.argmin()
        gaps[parts[g]] += loads[g]
    return parts


def _fill_empty(parts: Codes, loads: Array, count: int) -> None:
    """Gives the smallest group of a part with several groups to every part that has none."""
    for part in range(count):
        if not (parts == part).any():
            several = np.bincount(parts, minlength=count)[parts] > 1
            parts[np.flatnonzero(several)[loads[several, 0].argmin()]] = part


def _improve(parts: Codes, loads: Array, wanted: Array) -> None:
    gaps = -_targets(loads, wanted)
    np.add.at(gaps, parts, loads)
    squares = (loads**2).sum(axis=1)
    for _ in range(_ROUNDS):
        if not (_move(parts, loads, squares, gaps, wanted) or _swap(parts, loads, gaps, wanted)):
            return


def _move(parts: Codes, loads: Array, squares: Array, gaps: Array, wanted: Array) -> bool:
    """Moves the group whose move lowers J most."""
    towards = (2.0 * loads @ gaps.T + squares[:, None]) / wanted
    rows = np.arange(len(parts))
    leaving = (-2.0 * (loads * gaps[parts]).sum(axis=1) + squares) / wanted[parts]
    change = towards + leaving[:, None]
    change[rows, parts] = 0.0
    change[np.bincount(parts, minlength=len(wanted))[parts] == 1] = 0.0
    g, part = np.unravel_index(change.argmin(), change.shape)
    if change[g, part] > -1e-12:
        return False
    gaps[parts[g]] -= loads[g]
    gaps[part] += loads[g]
    parts[g] = part
    return True


def _swap(parts: Codes, loads: Array, gaps: Array, wanted: Array) -> bool:
    """Swaps the two groups whose swap lowers J most."""
    if len(parts) > _SWAPPED_GROUPS:
        return False
    products = loads @ loads.T
    squares = np.diagonal(products)
    apart = squares[:, None] + squares - 2.0 * products
    along = loads @ gaps.T  # (G, K)
    own = along[np.arange(len(parts)), parts]
    gain = (2.0 * (along[:, parts].T - own[:, None]) + apart) / wanted[parts][:, None]
    change = gain + gain.T
    change[parts[:, None] == parts] = 0.0
    one, other = np.unravel_index(change.argmin(), change.shape)
    if change[one, other] > -1e-12:
        return False
    difference = loads[other] - loads[one]
    gaps[parts[one]] += difference
    gaps[parts[other]] -= difference
    parts[one], parts[other] = parts[other], parts[one]
    return True
