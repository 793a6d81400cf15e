"""Which species are learnt, from which labels."""

from __future__ import annotations

from pydantic import Field, model_validator

from quadrat.experiment import Section


class FrequencyWeightSection(Section):
    """Weights of the positives by how common a species is where it lives."""

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


class PropagateSection(Section):
    """Labels that sparse samples take over from similar places nearby, in training only."""

    on: bool = Field(False, description="Whether labels are propagated.")
    k: int = Field(
        10, ge=1, description="Most similar places to take from, of those that the limits allow."
    )
    max_radius_km: float = Field(1000.0, gt=0.0, description="How far away a place may lie.")
    max_spread: float = Field(
        2.0,
        gt=0.0,
        description="How far from its nearest record a species may be put, in radii of its range.",
    )
    min_observed: int = Field(
        10, ge=1, description="A sample with fewer species is sparse; others are taken from."
    )
    max_environment_distance: float = Field(
        2.0,
        gt=0.0,
        description="How unlike the environment may be, in standard deviations; two classes of "
        "land cover are √2 apart.",
    )
    range_cap_km: float = Field(
        500.0, gt=0.0, description="The same limit as max_spread, in km for every species."
    )


class LabelsSection(Section):
    """Which species are learnt, from which labels."""

    min_observations: int = Field(
        50, ge=0, description="Leave out species with fewer training samples (cell and week)."
    )
    max_observations: int = Field(
        0,
        ge=0,
        description="Labels of a species in training; of more, so many are drawn with seed and "
        "the others dropped. Samples stay. 0: all.",
    )
    max_species: int | None = Field(
        None,
        ge=1,
        description="Learn this many species: those of data.watchlist first, then those with the "
        "most training samples.",
    )
    frequency_weight: FrequencyWeightSection = Field(
        default_factory=FrequencyWeightSection,
        description="Weights of the positives by how common a species is where it lives.",
    )
    propagate: PropagateSection = Field(
        default_factory=PropagateSection,
        description="Labels that sparse samples take over from similar places nearby.",
    )
