"""`[augment]`: what is varied in training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from quadrat.experiment import Section
from quadrat.photos.schema.kinds import Fraction


class AugmentSection(Section):
    """What is varied in training.

    Photos whose frozen part is kept (`encoder.cache`) come in the mirrorings of ``flips`` and no
    other variants. Everything else needs photos that are decoded anew in every epoch: an encoder
    that learns from its first layer on, or ``encoder.cache = false``.
    """

    policy: Literal["gentle", "none", "randaugment", "strong"] = Field(
        "gentle",
        description="How photos that are decoded anew are varied. gentle: brightness, contrast and "
        "saturation by a tenth and a little hue; strong: more of these, rotation, and one of "
        "RandAugment's operations; randaugment: two of them (those that move nothing); none.",
    )

    flips: Literal["none", "horizontal", "vertical", "both"] = Field(
        "none", description="Mirror photos at random, along these axes."
    )
    rotate: float | None = Field(
        None, ge=0.0, le=180.0, description="Largest rotation in degrees; as the policy if unset."
    )
    crop: float = Field(
        1.0,
        gt=0.1,
        le=1.0,
        description="Smallest share of a photo's area that a random crop keeps; 1: no crops.",
    )
    crop_targets: Literal["keep", "scale"] = Field(
        "keep",
        description="What becomes of the targets of a crop. keep: they stay, for targets that do "
        "not depend on the area seen; scale: they shrink with it, for masses and counts.",
    )
    colour: float | None = Field(
        None,
        ge=0.0,
        lt=1.0,
        description="Largest relative change of brightness, contrast and saturation; as the "
        "policy if unset.",
    )
    hue: float | None = Field(
        None,
        ge=0.0,
        le=0.5,
        description="Largest turn of the hue, as a share of the colour circle (at 0.1, green is "
        "straw); as the policy if unset.",
    )
    scale_jitter: Fraction = Field(
        0.0,
        description="Largest share by which a photo is shrunk within a frame of the mean colour.",
    )
    simulate_stamps: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Probability that a date in the colour of a camera stamp is drawn into a "
        "corner of what is seen of a photo, and apart from that a row of red dots, so that real "
        "ones tell nothing. Drawn after photos are cleaned.",
    )
    mixup: float = Field(
        0.0,
        ge=0.0,
        description="Parameter of the Beta distribution of shares in which pairs of samples and "
        "their targets are mixed; 0: none.",
    )
    mixup_of: Literal["views", "vectors"] = Field(
        "views",
        description="What mixup mixes. views: photos, or what the frozen part makes of them; "
        "vectors: what the fusion makes of a sample (manifold mixup), for sets of any size.",
    )
    view_dropout: Fraction = Field(
        0.0,
        description="Share of the views of training samples that are left out; one always stays.",
    )
    metadata_dropout: Fraction = Field(
        0.3,
        description="Share of training samples whose metadata are all hidden, so that a photo "
        "alone can be predicted.",
    )
    category_dropout: Fraction = Field(
        0.1,
        description="Share of single categories that are hidden, so that 'unknown' is trained.",
    )
