"""Species networks as members of an ensemble: what they must have in common."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from quadrat.ensemble.members import Member
from quadrat.ensemble.schema import EnsembleExperiment
from quadrat.errors import DataError, QuadratError
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.occurrence.records.cells import CellTable
from quadrat.occurrence.records.reading import read_records
from quadrat.occurrence.samples.dataset import make_samples
from quadrat.occurrence.samples.partition import Partition, make_partition
from quadrat.occurrence.schema import OccurrenceExperiment

_SHOWN = 5


@dataclass(frozen=True)
class Known:
    """A member with its model and its records.

    Attributes:
        member: The member.
        predictor: Its model.
        cells: Its table.
        parts: How the cells of the table are divided.
    """

    member: Member
    predictor: OccurrencePredictor
    cells: CellTable
    parts: Partition

    @property
    def experiment(self) -> OccurrenceExperiment:
        """Its experiment."""
        return species_experiment(self.member)


def species_experiment(member: Member) -> OccurrenceExperiment:
    """The experiment of a member of the occurrence family."""
    return cast("OccurrenceExperiment", member.experiment)


def require_keys_of_species(
    experiment: EnsembleExperiment, members: Sequence[OccurrenceExperiment]
) -> None:
    """Checks that an experiment asks of species networks what they can do.

    Args:
        experiment: The ensemble's experiment.
        members: Those of its members.

    Raises:
        DataError: Lists all keys that would have no effect, or have no meaning here.
    """
    combine, problems = experiment.combine, []
    asked = {
        "combine.jit": (combine.jit, "species networks are small, and are loaded together"),
        "combine.drop_broken": (combine.drop_broken, "it goes by R², which species have not"),
        "combine.predict_size": (combine.predict_size is not None, "there are no photos"),
        "score.weights": (bool(experiment.score.weights), "there are no targets to weigh"),
    }
    problems += [f"{key}: {why}; leave it out" for key, (given, why) in asked.items() if given]
    for place, section in enumerate(experiment.member):
        if section.targets:
            problems.append(f"member.{place}.targets: every member answers for all species")
        if isinstance(section.weight, dict):
            problems.append(f"member.{place}.weight: give one number, for all species")
    if experiment.fitted and not all(one.split.test > 0 or one.split.test_years for one in members):
        problems.append(
            "combine.method: weights cannot be fitted to the validation cells and be judged on "
            "them; train the members with split.test, give every member a weight, or use 'mean'"
        )
    if problems:
        raise DataError("these keys do not go with these runs of the occurrence family.", problems)


def known_members(members: Sequence[Member]) -> list[Known]:
    """Loads members and their records, which members with the same keys share.

    Raises:
        DataError: A table cannot be read, or was imported; or the members differ in their species,
            in the cells that they learnt and held out, or in what was seen there.
        RunError: A member cannot be loaded.
    """
    read: dict[str, tuple[CellTable, Partition]] = {}
    found = []
    for member in members:
        experiment, predictor = species_experiment(member), member.load()
        if member.run.status().get("state") == "imported":
            raise DataError(
                f"the member '{member.name}' was imported, and which cells it has not learnt is "
                "not known, so no ensemble with it could be judged.",
                fix="leave it out; or train on from it, with start.run.",
            )
        content = experiment.content()
        key = json.dumps([content["data"], content["split"]], sort_keys=True)
        try:
            if key not in read:
                cells = read_records(experiment.data, environment=None)
                read[key] = cells, make_partition(cells, experiment.split, experiment.data)
        except QuadratError as error:
            raise DataError(
                f"the member '{member.name}' cannot be judged again: {error}"
            ) from error
        found.append(Known(member, predictor, *read[key]))
    _require_agreement(found)
    return found


def _require_agreement(known: Sequence[Known]) -> None:
    first, problems = known[0], []
    for other in known[1:]:
        found = [*_other_species(first, other), *_other_cells(first, other)]
        if not found and other.cells is not first.cells and _other_truth(first, other):
            found = ["other species were seen in the judged cells"]
        problems += [f"{other.member.name}: {line}" for line in found]
    if problems:
        raise DataError(
            f"the members cannot be judged together: they differ from {first.member.name}.",
            problems,
            fix="train them on the same table with the same [split] and the same [labels].",
        )


def _other_species(first: Known, other: Known) -> list[str]:
    mine, theirs = (set(one.predictor.vocabulary.codes) for one in (first, other))
    counts = ((mine - theirs, "it does not know"), (theirs - mine, "it knows besides"))
    return [f"{len(c)} species {what} ({_some(sorted(c))})" for c, what in counts if c]


def _other_cells(first: Known, other: Known) -> list[str]:
    if first.cells is other.cells and first.parts is other.parts:
        return []
    mine, theirs = first.parts.parts(), other.parts.parts()
    for name in dict.fromkeys([*mine, *theirs]):
        nothing = np.zeros(0, np.int64)
        own, its = mine.get(name, nothing), theirs.get(name, nothing)
        if first.cells.names(own) != other.cells.names(its):
            return [
                f"its {name} cells are others, so that some of the judged cells would be answered "
                "by a member that may have learnt them"
            ]
    if not np.array_equal(_blocks(first), _blocks(other)):
        return ["its spatial blocks are others (split.block_km)"]
    return []


def _blocks(one: Known) -> NDArray[np.str_]:
    return one.parts.blocks[one.parts.judged]


def _other_truth(first: Known, other: Known) -> bool:
    vocabulary = first.predictor.vocabulary
    one, two = (make_samples(k.cells, k.parts.judged, vocabulary).labels for k in (first, other))
    same = np.array_equal(one.indptr, two.indptr) and np.array_equal(one.indices, two.indices)
    return not same


def _some(codes: Sequence[str]) -> str:
    return ", ".join(codes[:_SHOWN]) + (", …" if len(codes) > _SHOWN else "")
