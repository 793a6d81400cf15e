"""Out-of-fold predictions of photos runs, brought into one order and checked against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quadrat.ensemble.members import Member
from quadrat.ensemble.pooling import Said
from quadrat.ensemble.reading import MemberRows, Reader, photos_experiment
from quadrat.errors import DataError
from quadrat.photos.preparation import Prepared

Array = NDArray[np.float64]

_SHOWN = 3


@dataclass(frozen=True)
class OutOfFold:
    """What all members said of samples that they had not seen, row by row as the first has them.

    Attributes:
        prepared: Samples and folds of the first member.
        targets: Names of the targets ``(T,)``.
        truth: ``(R, T)``, NaN where unknown.
        said: Before balance, one a member ``(R, T)``; NaN for targets that it does not know.
        balanced: The same after each member's balance.
        photo_alone: The same with all metadata hidden.
        allowed: Which members answer for which targets ``(M, T)``.
        same_folds: Whether all members have the same folds.
    """

    prepared: Prepared
    targets: tuple[str, ...]
    truth: Array
    said: list[Said]
    balanced: list[Array]
    photo_alone: list[Array]
    allowed: NDArray[np.bool_]
    same_folds: bool

    @property
    def folds(self) -> NDArray[np.int64]:
        """Fold of every row ``(R,)``."""
        return self.prepared.folds.fold_of_rows()

    @property
    def groups(self) -> NDArray[np.str_]:
        """Group of every row ``(R,)``."""
        return self.prepared.groups[self.prepared.folds.rows()]


def allowed_targets(members: Sequence[Member]) -> NDArray[np.bool_]:
    """Which members answer for which targets of the first ``(M, T)``.

    Raises:
        DataError: A member names a target that it or the first does not know, or nobody answers
            for one.
    """
    targets = photos_experiment(members[0]).data.targets
    problems, rows = [], []
    for member in members:
        known = photos_experiment(member).data.targets
        asked = member.section.targets or known
        for name in asked:
            if name not in known:
                problems.append(f"{member.name}: '{name}' is no target of this run")
            elif name not in targets:
                problems.append(f"{member.name}: the first member has no target '{name}'")
        weights = [member.section.weight_of(name) for name in targets]
        given = member.section.weight
        for name in given if isinstance(given, dict) else ():
            if name not in asked:
                problems.append(f"{member.name}: has a weight for '{name}' and no answer")
        rows.append([n in asked and w != 0.0 for n, w in zip(targets, weights, strict=True)])
    allowed = np.array(rows)
    problems += [
        f"no member answers for '{name}'"
        for column, name in enumerate(targets)
        if not allowed[:, column].any()
    ]
    if problems:
        raise DataError(
            "the members' targets do not go together.",
            problems,
            fix="set member.targets to targets that the member and the first member have.",
        )
    return allowed


def read_out_of_fold(members: Sequence[Member], reader: Reader) -> OutOfFold:
    """The held-out predictions of all members.

    Their tables must still be there: groups and baselines come from them.

    Args:
        members: The members.
        reader: Reads them.

    Raises:
        DataError: They are about other samples, other true values or other groups, or a table
            cannot be read.
        RunError: A training table has changed since.
    """
    allowed = allowed_targets(members)
    first, *others = (reader.rows(member) for member in members)
    orders = [np.arange(len(first.keys))]
    problems = []
    for member, rows in zip(members[1:], others, strict=True):
        found = _differences(first, rows)
        problems += [f"{member.name}: {line}" for line in found]
        if not found:
            place = {key: row for row, key in enumerate(rows.keys)}
            orders.append(np.array([place[key] for key in first.keys]))
    if problems:
        raise DataError(
            f"the members cannot be judged together: they differ from {members[0].name}.",
            problems,
            fix="train them on the same table with the same [split] (kind, by, seed).",
        )
    return _joined(members, [first, *others], orders, allowed, reader.prepared(members[0]))


def _joined(
    members: Sequence[Member],
    rows: Sequence[MemberRows],
    orders: Sequence[NDArray[np.int64]],
    allowed: NDArray[np.bool_],
    prepared: Prepared,
) -> OutOfFold:
    targets = photos_experiment(members[0]).data.targets
    tables = []
    for member, one, order in zip(members, rows, orders, strict=True):
        own = photos_experiment(member).data.targets
        tables.append(
            {
                name: spread(getattr(one.told, name)[order], own, targets)
                for name in ("truth", "raw", "balanced", "sigma", "lower", "upper", "photo_alone")
            }
        )
    _require_same_truth(members, [table["truth"] for table in tables])
    folds = [one.folds[order] for one, order in zip(rows, orders, strict=True)]
    alone = [np.where(np.isnan(t["photo_alone"]), t["balanced"], t["photo_alone"]) for t in tables]
    return OutOfFold(
        prepared=prepared,
        targets=targets,
        truth=tables[0]["truth"],
        said=[Said(t["raw"], t["sigma"], t["lower"], t["upper"]) for t in tables],
        balanced=[table["balanced"] for table in tables],
        photo_alone=alone,
        allowed=allowed,
        same_folds=all(np.array_equal(folds[0], other) for other in folds[1:]),
    )


def spread(values: Array, own: Sequence[str], targets: Sequence[str]) -> Array:
    """A member's columns in the order of all targets, NaN for those that it does not know."""
    wide = np.full((len(values), len(targets)), np.nan)
    for column, name in enumerate(targets):
        if name in own:
            wide[:, column] = values[:, list(own).index(name)]
    return wide


def _differences(first: MemberRows, other: MemberRows) -> list[str]:
    """Why two members cannot be judged together, if they cannot."""
    mine, theirs = set(first.keys), set(other.keys)
    if mine != theirs:
        missing = sorted({name for name, _ in mine - theirs})
        more = sorted({name for name, _ in theirs - mine})
        counts = ((missing, "are missing"), (more, "are held out beside them"))
        return [f"{len(n)} held-out samples {what} ({_some(n)})" for n, what in counts if n]
    place = {key: row for row, key in enumerate(other.keys)}
    groups = other.groups[[place[key] for key in first.keys]]
    if not _same_partition(first.groups, groups):
        return [
            f"its samples are parted by other groups ({other.words}; there: {first.words}), so "
            "their scores are answers to different questions"
        ]
    return []


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:_SHOWN])
    return f"{shown}, …" if len(names) > _SHOWN else shown


def _same_partition(one: NDArray[np.str_], other: NDArray[np.str_]) -> bool:
    pairs = set(zip(one.tolist(), other.tolist(), strict=True))
    return len(pairs) == len(set(one.tolist())) == len(set(other.tolist()))


def _require_same_truth(members: Sequence[Member], truths: Sequence[Array]) -> None:
    problems = []
    for member, truth in zip(members[1:], truths[1:], strict=True):
        own = photos_experiment(member).data.targets
        known = [c for c, n in enumerate(photos_experiment(members[0]).data.targets) if n in own]
        same = np.isclose(truth, truths[0], rtol=1e-9, atol=0.0, equal_nan=True)[:, known]
        if not same.all():
            problems.append(f"{member.name}: {int((~same).sum())} true values differ")
    if problems:
        raise DataError(
            f"the members learnt other values of the same samples than {members[0].name}.",
            problems,
            fix="train them on the same table.",
        )
