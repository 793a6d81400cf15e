"""How training samples are varied."""

from __future__ import annotations

from pydantic import Field

from quadrat.experiment import Section


class AugmentSection(Section):
    """How training samples are varied; validation and test samples never are."""

    jitter: bool = Field(
        False,
        description="Moves a sample off its cell's centre at every step, by a normal distance "
        "north and east of 0.4 times the mean edge length of an H3 cell of its resolution.",
    )
