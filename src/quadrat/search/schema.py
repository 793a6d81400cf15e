"""The settings of a search, and the range of a key, as frozen models."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from quadrat.experiment import Section


class TuneSettings(Section):
    """How a search goes."""

    method: Literal["tpe", "random"] = Field(
        "tpe", description="tpe: tree-structured Parzen estimator; random: blind, as a baseline."
    )
    trials: int = Field(30, ge=1, description="Trials in the storage when the search is over.")
    epochs: int | None = Field(
        None, ge=1, description="Epochs of a trial; by default the experiment's, at most 15."
    )
    timeout: float | None = Field(
        None, gt=0, description="No trial begins after so many seconds; by default no limit."
    )


class Range(Section):
    """What a key may be: choices, or all between two numbers."""

    low: int | float | None = Field(None, description="Lowest value.")
    high: int | float | None = Field(None, description="Highest value.")
    log: bool = Field(False, description="Search on a logarithmic scale.")
    choices: tuple[Any, ...] = Field((), description="The values, instead of low and high.")
    when: dict[str, tuple[Any, ...]] = Field(
        default_factory=dict,
        description="Only where these other keys have one of these values; elsewhere the key keeps "
        "its default.",
    )

    @field_validator("when", mode="before")
    @classmethod
    def _listed(cls, when: object) -> object:
        if isinstance(when, dict):
            return {k: v if isinstance(v, (list, tuple)) else [v] for k, v in when.items()}
        return when

    @model_validator(mode="after")
    def _choices_or_bounds(self) -> Range:
        bounds = (self.low, self.high)
        if self.choices and (self.log or bounds != (None, None)):
            raise ValueError("give choices, or low and high, not both")
        if not self.choices and None in bounds:
            raise ValueError("give low and high, or choices")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low = {self.low} must be below high = {self.high}")
        if self.log and self.low is not None and self.low <= 0:
            raise ValueError(f"low = {self.low} must be above 0 on a logarithmic scale")
        return self

    def holds(self, value: object) -> bool:
        """Whether a value lies in the range."""
        if self.choices:
            return any(plain(choice) == plain(value) for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return self.low is not None and self.high is not None and self.low <= value <= self.high

    def content(self) -> dict[str, Any]:
        """What a space file says of it."""
        return self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)


def plain(value: Any) -> Any:
    """A value with lists for tuples and its type beside it, as 1 and true are two values."""
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return (isinstance(value, bool), value)
