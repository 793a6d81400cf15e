"""The network."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from quadrat.experiment import Section


class NetworkSection(Section):
    """The network."""

    scale: float = Field(
        0.75, gt=0.0, le=8.0, description="Widths and depths; 1.0 has about 7 million parameters."
    )
    encoding: Literal["spherical", "spherical-harmonics", "harmonic", "harmonic-product"] = Field(
        "spherical",
        description="How the place is told. spherical: random Fourier features of the unit vector; "
        "spherical-harmonics: the smooth functions of the sphere by degree; both are smooth at the "
        "poles and the dateline. harmonic: sines and cosines of latitude and longitude; "
        "harmonic-product: the same and products of the first four.",
    )
    coord_harmonics: int = Field(
        8,
        ge=1,
        le=64,
        description="Detail of the place: harmonics of latitude and longitude, the highest degree "
        "of spherical harmonics, or half the number of waves around the globe that the spherical "
        "encoding reaches.",
    )
    week_harmonics: int = Field(8, ge=1, le=24, description="Harmonics of the week of the year.")
    environment_weight: float = Field(
        0.1, ge=0.0, description="Weight of the environment's squared error; 0: no such head."
    )
    habitat_head: bool = Field(
        False,
        description="A second path to the species, through the predicted environment; a learned "
        "gate of each species mixes the two.",
    )
    habitat_weight: float = Field(
        0.1,
        ge=0.0,
        description="Weight of the species' loss on the habitat head alone; without "
        "habitat_head nothing is weighed.",
    )

    environment_input: bool | tuple[str, ...] = Field(
        False,
        description="Environment columns that the network reads beside place and week, such as "
        "['elevation_m'], or true for all; it then predicts those only where they were hidden.",
    )
    environment_dropout: float = Field(
        0.2,
        gt=0.0,
        lt=1.0,
        description="Share of training samples whose environment input is hidden, so that places "
        "of unknown environment can be asked for; without environment_input nothing is hidden.",
    )

    @model_validator(mode="after")
    def _habitat_needs_environment(self) -> NetworkSection:
        if self.habitat_head and self.environment_weight == 0:
            raise ValueError(
                "habitat_head reads the predicted environment, which environment_weight = 0 turns "
                "off; give it a weight"
            )
        return self
