"""The experiment file of an ensemble: its members, and how their answers become one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from quadrat.experiment import (
    AverageSection,
    Experiment,
    FilePath,
    OptimiserSection,
    RunSection,
    ScoreSection,
    Section,
)
from quadrat.photos.schema.kinds import Sides, Size, sides_of

Method = Literal["mean", "median", "weighted"]
Weight = Annotated[float, Field(ge=0.0)]

_OF_MEMBERS = ("optimiser", "average", "run")
"""Sections that every experiment has and that would do nothing here."""


class MemberSection(Section):
    """One run of the ensemble."""

    run: FilePath | None = Field(
        None, description="Its run folder; the run must have finished. Either this or experiment."
    )
    experiment: FilePath | None = Field(
        None,
        description="Its experiment file: it is trained with the ensemble, into members/ of the "
        "run folder.",
    )
    weight: Weight | dict[str, Weight] | None = Field(
        None,
        description="combine.method = 'weighted': its weight, or target → weight (0 for a target "
        "that is not named; for species networks one number). Where no member has one, weights are "
        "fitted.",
    )
    targets: tuple[str, ...] = Field(
        (), description="Photos: targets that it answers for; all that it knows if empty."
    )

    @model_validator(mode="after")
    def _one_source(self) -> MemberSection:
        if (self.run is None) == (self.experiment is None):
            raise ValueError("give either run, a finished run, or experiment, a file to train")
        return self

    def weight_of(self, target: str) -> float | None:
        """The weight that was given for a target; None where none was given at all."""
        return self.weight.get(target, 0.0) if isinstance(self.weight, dict) else self.weight

    @property
    def counts(self) -> bool:
        """Whether it has a weight above 0."""
        given = self.weight.values() if isinstance(self.weight, dict) else [self.weight or 0.0]
        return any(weight > 0.0 for weight in given)


class CombineSection(Section):
    """How the members' answers become one."""

    method: Method = Field(
        "mean",
        description="mean; median; weighted: by the weights of the members, or by weights that are "
        "fitted to the out-of-fold predictions (of species networks: to validation cells, where "
        "test cells judge).",
    )
    drop_broken: bool = Field(
        False,
        description="Photos: leave out members whose out-of-fold R² is below 0; they are told "
        "either way.",
    )
    jit: bool = Field(
        False,
        description="Photos: load, use and free members one at a time: as much memory as the "
        "largest needs instead of all together, and every prediction loads them again.",
    )
    copied: bool = Field(
        False,
        alias="copy",
        description="Copy the members into the run folder, so that it answers without them.",
    )
    predict_size: Size | None = Field(
        None,
        description="Photos: side, or [height, width], in pixels, at which all members see "
        "held-out and new photos, instead of each at its own views.predict_size; what they say of "
        "held-out photos is then computed again.",
    )

    @property
    def sides(self) -> Sides | None:
        """Height and width of ``predict_size``."""
        return None if self.predict_size is None else sides_of(self.predict_size)


class EnsembleScore(ScoreSection):
    """What is judged, and how surely; as in the first member where primary or weights are empty."""

    primary: str = Field("", description="The score that headlines; the first member's if empty.")
    weights: dict[str, Weight] = Field(
        default_factory=dict,
        description="Weight of each target in weighted scores; the first member's if none.",
    )


class EnsembleExperiment(Experiment):
    """One ensemble of runs of a family."""

    family: Literal["ensemble"] = Field("ensemble", description="An ensemble of finished runs.")
    member: tuple[MemberSection, ...] = Field(
        min_length=2, description="The runs; the first says which targets there are."
    )
    combine: CombineSection = Field(default_factory=CombineSection)
    score: EnsembleScore = Field(default_factory=EnsembleScore)
    optimiser: SkipJsonSchema[OptimiserSection] = Field(
        default_factory=OptimiserSection, exclude=True
    )
    average: SkipJsonSchema[AverageSection] = Field(default_factory=AverageSection, exclude=True)
    run: SkipJsonSchema[RunSection] = Field(default_factory=RunSection, exclude=True)

    def content(self) -> dict[str, Any]:
        """All keys with their values, ready for TOML or JSON; unset keys are left out."""
        return self.model_dump(mode="json", exclude_none=True, by_alias=True)

    @property
    def fitted(self) -> bool:
        """Whether the weights are fitted to the out-of-fold predictions."""
        unset = all(member.weight is None for member in self.member)
        return self.combine.method == "weighted" and unset

    @model_validator(mode="before")
    @classmethod
    def _learns_nothing(cls, content: Any) -> Any:
        given = [name for name in _OF_MEMBERS if isinstance(content, Mapping) and name in content]
        if given:
            raise ValueError(
                f"an ensemble itself learns nothing: leave out [{'], ['.join(given)}], which "
                "belong into the experiments of its members"
            )
        return content

    @model_validator(mode="after")
    def _agree(self) -> EnsembleExperiment:
        given = [member.weight is not None for member in self.member]
        if any(given) and self.combine.method != "weighted":
            raise ValueError(
                f"member.weight has no effect with combine.method = '{self.combine.method}': leave "
                "it out, or set the method to 'weighted'"
            )
        if any(given) and not all(given):
            lacking = ", ".join(str(place) for place, one in enumerate(given) if not one)
            raise ValueError(
                f"member.weight: give every member a weight, or none to have them fitted (none in "
                f"member {lacking}, counted from 0)"
            )
        if any(given) and not any(member.counts for member in self.member):
            raise ValueError("member.weight: no member weighs more than 0")
        named = [member.run or member.experiment for member in self.member]
        if len(set(named)) < len(named):
            raise ValueError(
                "member: a run or an experiment is named twice; give it a weight instead"
            )
        return self
