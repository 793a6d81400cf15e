"""Which cells are held out."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from quadrat.errors import closest
from quadrat.experiment import Section

Share = Annotated[float, Field(ge=0.0, lt=1.0)]


Degrees = Annotated[float, Field(ge=-180.0, le=180.0)]
Region = Literal["us_northwest", "benelux", "uk", "california", "japan"]
Box = tuple[Degrees, Degrees, Degrees, Degrees]


def _is_a_region(value: object) -> object:
    names = get_args(Region)
    if value in names or (isinstance(value, (list, tuple)) and len(value) == len(get_args(Box))):
        return value
    hint = closest(value, names) if isinstance(value, str) else ""
    raise ValueError(
        f"must be a region's name ({', '.join(names)}) or a box [lon_min, lat_min, lon_max, "
        f"lat_max] in degrees{hint and '.' + hint}"
    )


class SplitSection(Section):
    """Which cells are held out; all weeks of a cell go together."""

    kind: Literal["cell", "spatial-block", "region", "year"] = Field(
        "cell",
        description="cell: single cells at random, whose neighbours may be learnt (flatters); "
        "spatial-block: all cells of a square of block_km; region: as cell, besides the regions "
        "that are held out; year: the newest years of a table with the column year.",
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
    regions: tuple[Annotated[Region | Box, BeforeValidator(_is_a_region)], ...] = Field(
        (),
        description="Held out from training and validation with any kind, and judged besides "
        "(holdout_…): us_northwest, benelux, uk, california, japan, or boxes [lon_min, lat_min, "
        "lon_max, lat_max], where lon_min above lon_max goes across the dateline.",
    )
    validation_years: tuple[int, ...] = Field(
        (),
        description="Years of validation (kind = year); by default the newest ones before the test "
        "that together hold the share validation of the rows.",
    )
    test_years: tuple[int, ...] = Field(
        (),
        description="Years of the test (kind = year); by default the newest ones that together "
        "hold the share test of the rows.",
    )
    seed: int = Field(42, ge=0, description="Seeds every draw of cells and of labels.")

    @model_validator(mode="after")
    def _leave_something(self) -> SplitSection:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must leave cells for training")
        return self

    @model_validator(mode="after")
    def _regions(self) -> SplitSection:
        if self.kind == "region" and not self.regions:
            raise ValueError("kind = 'region' needs regions, such as regions = ['japan']")
        for region in self.regions:
            if not isinstance(region, str) and not -90 <= region[1] < region[3] <= 90:
                raise ValueError(
                    f"a box is [lon_min, lat_min, lon_max, lat_max] in degrees, not {list(region)}"
                )
        return self

    @model_validator(mode="after")
    def _years(self) -> SplitSection:
        if (self.validation_years or self.test_years) and self.kind != "year":
            raise ValueError("validation_years and test_years need kind = 'year'")
        both = sorted(set(self.validation_years) & set(self.test_years))
        if both:
            raise ValueError(f"{both[0]} is in validation_years and in test_years")
        return self
