"""How a network is learnt and what is judged, with the defaults of this family."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from quadrat.experiment import OptimiserSection, ScoreSection


class OccurrenceOptimiser(OptimiserSection):
    """How the weights are learnt; the defaults suit cells and weeks."""

    epochs: int = Field(8, ge=1, description="Passes over the training samples.")
    batch_size: int = Field(1024, ge=1, description="Samples in a batch of one process.")
    learning_rate: float = Field(1e-3, gt=0, description="Highest learning rate.")
    warmup_steps: int | None = Field(
        None, ge=0, description="Steps of linear warm-up, 100 by default; excludes warmup_epochs."
    )

    @model_validator(mode="before")
    @classmethod
    def _default_warmup(cls, values: object) -> object:
        if isinstance(values, dict) and values.keys().isdisjoint(("warmup_steps", "warmup_epochs")):
            return {**values, "warmup_steps": 100}
        return values


class OccurrenceScore(ScoreSection):
    """What is judged, and how surely."""

    primary: str = Field("geoscore", description="The score that chooses and headlines.")

    protocols: tuple[Literal["reference"], ...] = Field(
        (),
        description="Judge in other ways too. reference: with the whole year of each cell among "
        "the samples, of held-out regions too, as the BirdNET geomodel does; scores are named "
        "reference_….",
    )

    @field_validator("weights")
    @classmethod
    def _no_targets(cls, weights: dict[str, float]) -> dict[str, float]:
        if weights:
            raise ValueError("occurrence has no targets to weigh; remove this key")
        return weights
