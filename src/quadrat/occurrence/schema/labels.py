"""Which species are learnt, from which labels."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from quadrat.experiment import Section


class SwitchedSection(Section):
    """Keys that do something only where ``on`` is true.

    Whoever writes ``on = false`` beside other keys has put them aside. Keys without a word about
    ``on`` are a wish that would go unheard, which is refused.
    """

    path: ClassVar[str]
    """The section's name in experiment files."""

    on: bool = Field(False, description="Whether the other keys do anything.")

    @model_validator(mode="after")
    def _is_heard(self) -> Self:
        fields = type(self).model_fields
        idle = [name for name in fields if getattr(self, name) != fields[name].default]
        if idle and "on" not in self.model_fields_set:
            verb = "does" if len(idle) == 1 else "do"
            raise ValueError(f"{', '.join(idle)} {verb} nothing yet: set {self.path}.on = true")
        return self


class FrequencyWeightSection(SwitchedSection):
    """Weights of the positives by how common a species is where it lives."""

    path = "labels.frequency_weight"

    on: bool = Field(False, description="Whether positives are weighted.")
    min: float = Field(0.01, gt=0.0, le=1.0, description="Weight of the rarest species.")
    pct_low: float = Field(
        10.0,
        ge=0.0,
        lt=100.0,
        description="Percentile of a species among those of its region (30° × 60°, the best of its "
        "regions counts) up to which it has the weight min.",
    )
    pct_high: float = Field(
        95.0, gt=0.0, le=100.0, description="Percentile from which it has the weight 1."
    )

    @model_validator(mode="after")
    def _ascending(self) -> FrequencyWeightSection:
        if self.pct_low >= self.pct_high:
            raise ValueError("pct_low must be below pct_high")
        return self


class PropagateSection(SwitchedSection):
    """Labels that sparse samples take over from similar places nearby, in training only."""

    path = "labels.propagate"

    on: bool = Field(False, description="Whether labels are propagated.")
    k: int = Field(
        10, ge=1, description="Most similar places to take from, of those that the limits allow."
    )
    max_radius_km: float = Field(1000.0, gt=0.0, description="How far away a place may lie.")
    max_spread: float = Field(
        2.0,
        ge=0.0,
        description="How far from its nearest record a species may be put, in radii of its range; "
        "0: no such limit.",
    )
    min_observed: int = Field(
        10, ge=1, description="A sample with fewer species is sparse; others are taken from."
    )
    max_environment_distance: float = Field(
        2.0,
        ge=0.0,
        description="How unlike the environment may be, in standard deviations; two classes of "
        "land cover are √2 apart. 0: no such limit.",
    )
    range_cap_km: float = Field(
        500.0,
        ge=0.0,
        description="The same limit as max_spread, in km for every species; 0: no such limit.",
    )


class LabelsSection(Section):
    """Which species are learnt, from which labels."""

    min_observations: int = Field(
        50, ge=0, description="Leave out species with fewer training samples (cell and week)."
    )
    max_observations: int = Field(
        0,
        ge=0,
        description="Labels of a species in training; of more, so many are drawn with "
        "split.seed and the others dropped. Samples stay. 0: all.",
    )
    max_species: int = Field(
        0,
        ge=0,
        description="Learn this many species: those of data.watchlist first, then those with the "
        "most training samples. 0: all.",
    )
    frequency_weight: FrequencyWeightSection = Field(
        default_factory=FrequencyWeightSection,
        description="Weights of the positives by how common a species is where it lives.",
    )
    propagate: PropagateSection = Field(
        default_factory=PropagateSection,
        description="Labels that sparse samples take over from similar places nearby.",
    )
