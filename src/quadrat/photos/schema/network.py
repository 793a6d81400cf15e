"""`[fusion]` and `[head]`: from vectors and metadata to targets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from quadrat.experiment import Section
from quadrat.photos.schema.kinds import Fraction, Rate, Width


class FusionSection(Section):
    """How the photos' vectors and the metadata become one vector a sample."""

    kind: Literal["mlp"] = Field("mlp", description="mlp: joined and passed through a layer.")
    hidden: Width = Field(256, description="Width of the sample's vector.")
    dropout: Fraction = Field(0.1, description="Share of units that are dropped in training.")
    embedding: dict[str, Width] = Field(
        default_factory=dict,
        description="Categorical column → width of its vector; by default half the number of its "
        "values, at most 16.",
    )


class HeadSection(Section):
    """What turns a sample's vector into targets."""

    kind: Literal["mlp", "linear", "parts", "ratio"] = Field(
        "mlp",
        description="mlp: hidden layers; linear: none; parts: amounts that are never negative, "
        "with totals that are their sums; ratio: the total of all, and its parts as shares.",
    )
    shared: bool = Field(
        True, description="One hidden part for all targets, or one for each (mlp, parts)."
    )
    hidden: tuple[Width, ...] = Field(
        (256,), description="Widths of the hidden layers (mlp, parts, ratio)."
    )
    distribution: Literal["point", "gaussian", "lognormal", "quantile"] = Field(
        "point",
        description="point: one number a target; gaussian: mean and standard deviation; lognormal: "
        "the same of the logarithm, for positive targets; quantile: those of loss.quantiles.",
    )
    learning_rate: Rate | None = Field(
        None, description="Of head and fusion; optimiser.learning_rate if unset."
    )
    bins: int = Field(
        0,
        ge=0,
        le=64,
        description="Sort every target into so many intervals beside predicting it, cut at "
        "quantiles of the training values; 0: none.",
    )
    bins_weight: Rate = Field(0.1, description="Weight of the intervals' cross-entropy.")
    auxiliary: tuple[str, ...] = Field(
        (), description="Metadata columns that the photo alone shall predict too."
    )
    auxiliary_weight: Rate = Field(0.1, description="Weight of the loss of those.")
    feed_back: bool = Field(
        False,
        description="Give the fusion what head.auxiliary predicts where the true value is unknown.",
    )
