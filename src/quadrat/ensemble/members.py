"""The runs of an ensemble: found, checked, and loaded all at once or one at a time."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from quadrat.ensemble.schema import EnsembleExperiment, MemberSection
from quadrat.errors import DataError, QuadratError, RunError
from quadrat.experiment import Experiment
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.saving import own_size
from quadrat.predictors import family_of
from quadrat.runs import Run

T = TypeVar("T")

FAMILIES = ("photos", "occurrence")
"""Families whose runs can be combined."""


@dataclass(frozen=True)
class Member:
    """A finished run in an ensemble.

    Attributes:
        name: What messages call it.
        run: Where it lies.
        experiment: Its experiment.
        section: What the ensemble asks of it.
        predict_size: Height and width at which it is shown photos, where these are not its own.
    """

    name: str
    run: Run
    experiment: Experiment
    section: MemberSection = field(repr=False)
    predict_size: tuple[int, int] | None = None

    @property
    def digest(self) -> str:
        """The SHA-256 of its metrics: a run that was trained on has other ones."""
        return hashlib.sha256(self.run.path("metrics.json").read_bytes()).hexdigest()

    def load(self) -> Any:
        """Its predictor.

        Raises:
            RunError: It cannot be loaded; the message names the member.
        """
        try:
            if self.predict_size is not None:
                return PhotosPredictor.load(self.run.folder, predict_size=self.predict_size)
            return family_of(self.experiment).load(self.run.folder)
        except (QuadratError, OSError, KeyError, ValueError) as error:
            raise RunError(
                f"the member '{self.name}' ({self.run.folder}) cannot be loaded: {error}\n"
                "An ensemble never answers without one of its members. Mend this run, or make the "
                "ensemble again without it."
            ) from error


def open_runs(
    experiment: EnsembleExperiment, folder: Path | None = None
) -> tuple[list[Member], list[str]]:
    """The runs that an experiment names, and why others cannot be opened.

    Args:
        experiment: The ensemble's experiment.
        folder: Its run folder, for members that were trained in it; they are left out without it.
    """
    members, problems = [], []
    for place, section in enumerate(experiment.member):
        where = section.run or (None if folder is None else trained_in(folder, place))
        if where is None:
            continue
        try:
            members.append(open_member(where, section, experiment.combine.sides))
        except QuadratError as error:
            problems.append(str(error))
    return members, problems


def trained_in(folder: Path, place: int) -> Path:
    """Where in an ensemble's run folder the member of a place is trained, or copied."""
    return folder / "members" / str(place)


def open_members(experiment: EnsembleExperiment, folder: Path) -> list[Member]:
    """The runs that an experiment names.

    Args:
        experiment: The ensemble's experiment.
        folder: Its run folder, for members that were trained in it.

    Raises:
        DataError: Lists all that are missing, unfinished, or of a family that cannot be combined.
    """
    members, problems = open_runs(experiment, folder)
    families = {member.experiment.family for member in members}
    if len(families) > 1:
        problems.append(f"runs of several families: {', '.join(sorted(families))}")
    if problems:
        raise DataError("the members cannot be combined.", problems)
    return members


def unfit(experiment: Experiment) -> str:
    """Why runs of an experiment cannot be combined; empty where they can."""
    if experiment.family not in FAMILIES:
        known = ", ".join(FAMILIES)
        return (
            f"it is of the family '{experiment.family}'; ensembles are made from runs of: {known}"
        )
    if getattr(experiment, "points", None) is not None:
        return "it is about points; ensembles are made from photos, or from cells"
    return ""


def family_of_members(members: Sequence[Member]) -> str:
    """The family that all members are of."""
    return members[0].experiment.family


def open_member(
    folder: Path, section: MemberSection, predict_size: tuple[int, int] | None = None
) -> Member:
    """A finished run.

    Args:
        folder: Where it lies.
        section: What the ensemble asks of it.
        predict_size: Height and width at which it is shown photos; its own by default.

    Raises:
        RunError: There is none in the folder, or not one that can be combined.
    """
    run = Run.open(folder)
    experiment = run.experiment()
    if why := unfit(experiment):
        raise RunError(f"{run.folder} cannot be a member: {why}.")
    run.metrics()
    name = run.folder.name if section.experiment is None else section.experiment.stem
    if experiment.family != "photos":
        return Member(name, run, experiment, section)
    if predict_size is not None and predict_size == own_size(run.folder):
        predict_size = None
    return Member(name, run, experiment, section, predict_size)


class Loaded:
    """The predictors of members, held all together or one at a time.

    Args:
        members: The members.
        one_at_a_time: Load a member when it is asked, and free it before the next.
    """

    def __init__(self, members: Sequence[Member], *, one_at_a_time: bool) -> None:
        self.members = tuple(members)
        self.one_at_a_time = one_at_a_time
        self._held = None if one_at_a_time else [member.load() for member in self.members]

    def each(self, ask: Callable[[Any], T]) -> list[T]:
        """Asks every member, in order.

        Args:
            ask: Gets a predictor and must not keep it.

        Raises:
            RunError: A member cannot be loaded.
        """
        if self._held is not None:
            return [ask(predictor) for predictor in self._held]
        return [self._ask_once(member, ask) for member in self.members]

    def _ask_once(self, member: Member, ask: Callable[[Any], T]) -> T:
        try:
            return ask(member.load())
        finally:
            free_memory()


def free_memory() -> None:
    """Gives back what a member held: cycles in Python, and what the device keeps for later."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
