"""`[clean]`: what is taken away from every photo before anything looks at it."""

from __future__ import annotations

from pydantic import Field

from quadrat.experiment import Section


class CleanSection(Section):
    """What is done to every photo first, in training and in prediction alike."""

    stamps: bool = Field(
        False,
        description="Find dates that a camera burnt in, by their shape (a row of thin figures in a "
        "colour of date stamps along an edge), and fill them from their "
        "surroundings. Photos without one stay as they are.",
    )
    bottom_crop: float = Field(
        0.0,
        ge=0.0,
        le=0.5,
        description="Share of the height to cut off at the bottom, where a tripod or feet stand.",
    )
