"""The network."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from quadrat.experiment import Section


class NetworkSection(Section):
    """The network."""

    scale: float = Field(
        0.75, gt=0.0, le=8.0, description="Widths and depths; 1.0 has about 7 million parameters."
    )
    encoding: Literal["spherical", "harmonic"] = Field(
        "spherical",
        description="How the place is told. spherical: smooth at the poles and the dateline; "
        "harmonic: sines and cosines of latitude and longitude.",
    )
    coord_harmonics: int = Field(
        8,
        ge=1,
        le=64,
        description="Detail of the place: harmonics of latitude and longitude, or half the number "
        "of waves around the globe that the spherical encoding reaches.",
    )
    week_harmonics: int = Field(8, ge=1, le=24, description="Harmonics of the week of the year.")
    environment_weight: float = Field(
        0.1, ge=0.0, description="Weight of the environment's squared error; 0: no such head."
    )
