"""`[fusion]` and `[head]`: from vectors and metadata to targets."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from quadrat.experiment import Section
from quadrat.photos.schema import network_rules
from quadrat.photos.schema.kinds import Count, Fraction, Rate, Width
from quadrat.photos.schema.rules import raise_problems


class FusionSection(Section):
    """How the photos' vectors and the metadata become one vector a sample."""

    kind: Literal[
        "mlp",
        "mean",
        "film",
        "attention",
        "perceiver",
        "cross-attention",
        "gated-conv",
        "state-space",
    ] = Field(
        "mlp",
        description="mlp: the mean of the views and metadata, joined and passed through a layer; "
        "mean: the same without a bend; film: metadata scale and shift what photos say; attention: "
        "views are weighed. Over the places of views: perceiver (latents read places and "
        "metadata), cross-attention (views look at each other), gated-conv, state-space.",
    )
    hidden: Width = Field(
        256,
        description="Width of the sample's vector; a multiple of fusion.heads for perceiver and "
        "cross-attention, where it is 192 by default.",
    )
    dropout: Fraction = Field(0.1, description="Share of units that are dropped in training.")
    embedding: dict[str, Width] = Field(
        default_factory=dict,
        description="Categorical column → width of its vector; by default half the number of its "
        "values, at most 16.",
    )
    gate: bool = Field(
        False, description="mlp: learn a gate that says how much of photos and of metadata counts."
    )
    latents: Count = Field(48, description="perceiver: number of latents.")
    layers: Count = Field(
        2, description="Layers of the kinds that look at places; of a perceiver 4 by default."
    )
    heads: Count = Field(6, description="perceiver, cross-attention: heads of attention.")
    bidirectional: bool = Field(
        True, description="state-space: read the places from both ends, not from the first only."
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_kind(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        kind = content.get("kind")
        attends = {"hidden": 192} if kind in network_rules.HEADED else {}
        deep = {"layers": 4} if kind == "perceiver" else {}
        return {**attends, **deep, **content}

    @model_validator(mode="after")
    def _agree(self) -> FusionSection:
        raise_problems(network_rules.fusion_problems(self))
        return self


class HeadSection(Section):
    """What turns a sample's vector into targets."""

    kind: Literal["mlp", "linear", "parts", "ratio", "density"] = Field(
        "mlp",
        description="mlp: hidden layers; linear: none; parts: amounts that are never negative, "
        "with totals that are their sums; ratio: the total of all, and its parts as shares; "
        "density: amounts of every place of the views, added up.",
    )
    shared: bool = Field(
        True, description="One hidden part for all targets, or one for each (mlp, parts)."
    )
    hidden: tuple[Width, ...] = Field(
        (256,), description="Widths of the hidden layers; of density for every place by itself."
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
