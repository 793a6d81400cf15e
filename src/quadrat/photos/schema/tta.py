"""`[tta]`: how often held-out and new photos are looked at."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from quadrat.experiment import Section
from quadrat.photos.schema.kinds import Sides, Size, sides_of


class TtaSection(Section):
    """Test-time augmentation: the mean answer over several looks at the same photos."""

    kind: Literal["none", "flips", "d4", "crops"] = Field(
        "none",
        description="flips: four mirrorings; d4: these, upright and turned by a quarter, for "
        "square views; crops: the whole and its four corners, for targets that do not depend on "
        "the area seen; none: one look.",
    )
    sizes: tuple[Size, ...] = Field(
        (), description="Further sizes, as views.predict_size; each is looked at as kind says."
    )

    @property
    def sides(self) -> tuple[Sides, ...]:
        """Height and width of each of ``sizes``."""
        return tuple(map(sides_of, self.sizes))
