"""`[sampling]` and `[curriculum]`: how often samples come in training, and when."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from quadrat.experiment import Section
from quadrat.photos.schema import rules


class SamplingSection(Section):
    """How often samples come in an epoch, which always has as many as there are."""

    kind: Literal["shuffle", "class", "target"] = Field(
        "shuffle",
        description="shuffle: each once; class: more often, the rarer its value in a column; "
        "target: more often, the rarer its value of a target.",
    )
    column: str | None = Field(
        None, description="class: a column of the table; target: one of data.targets."
    )
    power: float = Field(
        0.5,
        gt=0.0,
        le=1.0,
        description="class, target: 1 makes the rare come as often as the common; less is in "
        "between.",
    )

    @model_validator(mode="after")
    def _used(self) -> SamplingSection:
        rules.raise_problems(rules.sampling_problems(self))
        return self


class CurriculumSection(Section):
    """Which samples training sees first; the stages open evenly over the epochs and stay open."""

    kind: Literal["none", "fractal", "target"] = Field(
        "none",
        description="target: small values of a target first; fractal: photos with simple edges (a "
        "low box-counting dimension) and small values first.",
    )
    target: str | None = Field(None, description="fractal, target: one of data.targets.")
    stages: int = Field(
        3, ge=2, description="fractal, target: parts with equally many samples each."
    )

    @model_validator(mode="after")
    def _used(self) -> CurriculumSection:
        rules.raise_problems(rules.curriculum_problems(self))
        return self
