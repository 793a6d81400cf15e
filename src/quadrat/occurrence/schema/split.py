"""Which cells are held out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from quadrat.experiment import Section

Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class SplitSection(Section):
    """Which cells are held out; all weeks of a cell go together."""

    kind: Literal["cell", "spatial-block"] = Field(
        "cell",
        description="cell: single cells at random, whose neighbours may be learnt (flatters); "
        "spatial-block: all cells of a square of block_km.",
    )
    validation: Share = Field(
        0.1, gt=0.0, description="Share of cells for early stopping and the choice of the state."
    )
    test: Share = Field(
        0.0, description="Share of cells that are judged once, at the end; 0: validation is judged."
    )
    block_km: float = Field(
        1000.0,
        gt=0.0,
        description="Side of a spatial block in km; intervals resample blocks of this size too.",
    )
    seed: int = Field(42, ge=0, description="Seed of the split and of sample_fraction.")

    @model_validator(mode="after")
    def _leave_something(self) -> SplitSection:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must leave cells for training")
        return self
