"""`[split]`: which samples are held out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from quadrat.experiment import Section
from quadrat.photos.schema import rules


class SplitSection(Section):
    """Which samples are held out."""

    kind: Literal["group", "random", "leave-group-out", "spatial-block", "column"] = Field(
        "group",
        description="group: whole groups a fold; random: single samples (flatters); "
        "leave-group-out: every group once; spatial-block: squares on the map; column: as given.",
    )
    by: tuple[str, ...] = Field((), description="Columns whose values together name the group.")
    folds: int = Field(5, ge=2, description="Number of folds (group, random, spatial-block).")
    repeats: int = Field(1, ge=1, description="How often the folds are drawn anew.")
    stratify: str | None = Field(
        None, description="Column or target that shall be spread alike over the folds."
    )
    block_km: float | None = Field(None, gt=0.0, description="Side of a spatial block in km.")
    column: str | None = Field(
        None, description="Column that tells the fold, or, with split.test, what is held out."
    )
    test: tuple[str, ...] = Field(
        (),
        description="Values of split.column that are held out; without them every value of the "
        "column is a fold.",
    )
    inner: float = Field(
        0.15,
        ge=0.0,
        le=0.5,
        description="Share of the training groups kept for early stopping and calibration.",
    )
    seed: int | None = Field(
        None, ge=0, description="Seed of the folds; the experiment's if unset."
    )

    @field_validator("test", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        if isinstance(value, list | tuple):
            return tuple(str(v) if isinstance(v, int | float) else v for v in value)
        return value

    @model_validator(mode="after")
    def _agree(self) -> SplitSection:
        rules.raise_problems(rules.split_problems(self))
        return self
