"""What makes a prediction wrong."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from quadrat.experiment import Section

Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class LossSection(Section):
    """What makes a prediction wrong."""

    kind: Literal["bce"] = Field(
        "bce", description="bce: binary cross-entropy, a species not recorded counts as absent."
    )
    species_weight: float = Field(1.0, gt=0.0, description="Weight of the species' loss.")
    label_smoothing: Share = Field(
        0.0, description="Draws labels towards one half by this share; probabilities suffer."
    )
