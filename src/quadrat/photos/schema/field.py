"""`[field]`: what a quadrat measures, and which paddock a photo was taken in."""

from __future__ import annotations

from pydantic import Field, field_validator

from quadrat.experiment import Section


class FieldSection(Section):
    """From grams on a quadrat to kilograms per hectare of a paddock."""

    quadrat_m: tuple[float, float] | None = Field(
        None, description="Sides of the quadrat in metres, for predictions in kg per hectare."
    )
    targets: tuple[str, ...] = Field(
        (), description="Targets in grams per quadrat; all of them by default."
    )
    paddock: str | None = Field(
        None,
        description="Column of the paddock, over whose photos means per hectare are taken. The "
        "training table need not have it.",
    )

    @property
    def area_m2(self) -> float | None:
        """The area of the quadrat."""
        return None if self.quadrat_m is None else self.quadrat_m[0] * self.quadrat_m[1]

    @field_validator("quadrat_m")
    @classmethod
    def _has_an_area(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not all(0.0 < side <= 100.0 for side in value):
            raise ValueError("sides must lie above 0 and at most at 100 metres")
        return value
