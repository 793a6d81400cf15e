"""`[views]`: what a network sees of a photo."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from quadrat.experiment import Section
from quadrat.photos.schema import rules
from quadrat.photos.schema.kinds import Count, Sides, Size, sides_of


class ViewsSection(Section):
    """Which parts of a photo are seen, and how they are brought to the encoder's size."""

    kind: Literal["whole", "halves", "tiles", "crops"] = Field(
        "whole",
        description="What an encoder sees of a photo: all of it; its left and right half; tiles; "
        "or all of it and smaller crops beside it.",
    )
    tiles: tuple[Count, Count] = Field((2, 2), description="tiles: how many, down and across.")
    as_samples: bool = Field(
        False,
        description="halves, tiles: each part is a sample of its own, with its share of the "
        "targets, and what is said of the parts of a photo is added up. For targets that add up "
        "over an area (masses, counts) and spread evenly enough; not for means or indices.",
    )
    crops: int = Field(4, ge=1, le=64, description="crops: how many, at places that are seeded.")
    crop_side: float = Field(
        0.5, gt=0.0, lt=1.0, description="crops: their sides as a share of the photo's."
    )
    extra: dict[str, str] = Field(
        default_factory=dict,
        description="Further photos beside each photo (colour card, scale bar, a picture of "
        "depth): name → column of their paths. Each is a view of its own, seen whole; every row "
        "must name them, in tables to predict too.",
    )

    size: Size | None = Field(
        None, description="Side, or [height, width], in pixels; the encoder's own if unset."
    )
    sizes: tuple[Size, ...] = Field(
        (),
        description="Several sizes of the same proportions, instead of views.size: a photo is "
        "seen in each by the same encoder, and its vectors are joined; tokens are those of the "
        "largest.",
    )
    predict_size: Size | None = Field(
        None, description="The same for held-out and new photos; views.size if unset."
    )
    fit: Literal["squash", "pad", "crop"] = Field(
        "squash",
        description="squash: resized whatever its proportions; pad: kept whole, with a border of "
        "the encoder's mean colour; crop: the largest middle part of the right proportions.",
    )

    @property
    def sides(self) -> tuple[Sides, ...]:
        """Height and width of each of ``sizes``, the largest first."""
        return tuple(sorted(map(sides_of, self.sizes), reverse=True))

    @model_validator(mode="after")
    def _agree(self) -> ViewsSection:
        rules.raise_problems(rules.views_problems(self))
        return self
