"""What members said of samples that they had not seen: read, or asked again at another size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from quadrat.ensemble.members import Member, free_memory
from quadrat.errors import DataError, ExperimentError, QuadratError, UsageError
from quadrat.photos.judging import HeldOut
from quadrat.photos.preparation import Prepared, prepare
from quadrat.photos.saving import require_size
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.training import held_out_at, held_out_of
from quadrat.photos.trials import data_key
from quadrat.scoring import target_scores


@dataclass(frozen=True)
class MemberRows:
    """A member's held-out rows, in its own order.

    Attributes:
        keys: Sample, and the how manieth time it is held out.
        folds: Fold of every row.
        groups: Group of every row.
        words: How its samples were parted.
        told: Its predictions.
    """

    keys: list[tuple[str, int]]
    folds: NDArray[np.int64]
    groups: NDArray[np.str_]
    words: str
    told: HeldOut


class Reader:
    """Reads members, each once; those with the same table and split share the reading of it."""

    def __init__(self) -> None:
        self._prepared: dict[str, Prepared] = {}
        self._rows: dict[Path, MemberRows] = {}

    def prepared(self, member: Member) -> Prepared:
        """Samples and folds of a member.

        Raises:
            DataError: Its table cannot be read.
        """
        experiment = photos_experiment(member)
        key = data_key(experiment)
        if key not in self._prepared:
            self._prepared[key] = prepare(experiment)
        return self._prepared[key]

    def rows(self, member: Member) -> MemberRows:
        """A member's held-out rows.

        Raises:
            DataError: They cannot be had; the message names the member.
        """
        if member.run.folder not in self._rows:
            try:
                self._rows[member.run.folder] = self._read(member)
            except QuadratError as error:
                raise DataError(
                    f"the member '{member.name}' cannot be judged again: {error}"
                ) from error
        return self._rows[member.run.folder]

    def mean_r2(self, member: Member) -> float:
        """The mean out-of-fold R² of the targets that a member answers for; NaN if none is known.

        That of its own scores, or at the size at which the ensemble shows it photos.
        """
        if member.predict_size is None:
            per_target = member.run.metrics()["per_target"]
        else:
            told, targets = self.rows(member).told, photos_experiment(member).data.targets
            per_target = dict(zip(targets, target_scores(told.truth, told.balanced), strict=True))
        names = member.section.targets or tuple(per_target)
        values = [per_target.get(name, {}).get("r2") for name in names]
        known = [float(value) for value in values if value is not None]
        return float(np.mean(known)) if known else float("nan")

    def _read(self, member: Member) -> MemberRows:
        prepared, folds = self.prepared(member), self.prepared(member).folds
        rows = folds.rows()
        seen: dict[str, int] = {}
        keys = []
        for row in rows.tolist():
            name = prepared.samples.ids[row]
            seen[name] = seen.get(name, -1) + 1
            keys.append((name, seen[name]))
        told = _stacked(_held_out(member, prepared))
        return MemberRows(keys, folds.fold_of_rows(), prepared.groups[rows], folds.words, told)


def photos_experiment(member: Member) -> PhotosExperiment:
    """The experiment of a member of the photos family."""
    return cast("PhotosExperiment", member.experiment)


def require_sizes(members: Sequence[Member]) -> None:
    """Checks that all members can see photos at ``combine.predict_size``.

    Raises:
        DataError: Lists all that cannot, each with the key that says why.
    """
    problems = size_problems(members)
    if problems:
        asked = next(member.predict_size for member in members if member.predict_size is not None)
        raise DataError(
            f"members cannot see photos at combine.predict_size = {list(asked)}.",
            problems,
            fix="set a size that they all can take, leave it out, or leave these members out.",
        )


def size_problems(members: Sequence[Member]) -> list[str]:
    """Why members cannot see photos at the size at which they are shown them, one line each."""
    problems = []
    for member in members:
        if member.predict_size is not None:
            see = partial(require_size, member.run.folder, member.predict_size)
            problems += [f"{member.name}: {line}" for line in refusals(see)]
    return problems


def refusals(see: Callable[[], None]) -> list[str]:
    """The lines of the usage error that a check raises, if it does."""
    try:
        see()
    except ExperimentError as error:
        return list(error.problems)
    except UsageError as error:
        return [str(error)]
    return []


def _held_out(member: Member, prepared: Prepared) -> list[HeldOut]:
    experiment = photos_experiment(member)
    if member.predict_size is None:
        return held_out_of(member.run, experiment, prepared)
    try:
        return held_out_at(member.run, experiment, prepared, member.predict_size)
    finally:
        free_memory()


def _stacked(told: Sequence[HeldOut]) -> HeldOut:
    names = [name for name in HeldOut.__dataclass_fields__ if name != "ids"]
    return HeldOut(
        ids=tuple(name for one in told for name in one.ids),
        **{name: np.concatenate([getattr(one, name) for one in told]) for name in names},
    )
