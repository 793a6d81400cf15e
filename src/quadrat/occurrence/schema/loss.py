"""What makes a prediction wrong."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from quadrat.experiment import Section

Share = Annotated[float, Field(ge=0.0, lt=1.0)]

_BELONGS = {
    "asl": ("asl_gamma_pos", "asl_gamma_neg", "asl_clip"),
    "focal": ("focal_alpha", "focal_gamma"),
    "assume-negative": ("pos_lambda", "neg_samples", "spatial_negatives"),
}


class LossSection(Section):
    """What makes a prediction wrong."""

    kind: Literal["bce", "asl", "focal", "assume-negative"] = Field(
        "bce",
        description="bce: binary cross-entropy, a species not recorded counts as absent; asl: "
        "asymmetric loss, easy absences hardly count; focal: what is known already hardly counts; "
        "assume-negative: cross-entropy in which records weigh more, with pseudo-absences of other "
        "species at the place and of the same species at random places.",
    )
    species_weight: float = Field(1.0, gt=0.0, description="Weight of the species' loss.")
    label_smoothing: Share = Field(
        0.0, description="Draws labels towards one half by this share; probabilities suffer."
    )
    asl_gamma_pos: float = Field(0.0, ge=0.0, description="asl: focusing of what was seen.")
    asl_gamma_neg: float = Field(2.0, ge=0.0, description="asl: focusing of what was not seen.")
    asl_clip: Share = Field(
        0.05, description="asl: absences of a lower probability than this cost nothing."
    )
    focal_alpha: float = Field(
        0.5, gt=0.0, lt=1.0, description="focal: weight of what was seen; the rest has 1 - α."
    )
    focal_gamma: float = Field(2.0, ge=0.0, description="focal: focusing.")
    pos_lambda: float = Field(4.0, gt=0.0, description="assume-negative: weight of what was seen.")
    neg_samples: int = Field(
        0,
        ge=0,
        description="assume-negative: species drawn at every step to stand for all the unseen "
        "ones; only they are computed. 0: all.",
    )
    spatial_negatives: Literal["none", "sphere", "cells"] = Field(
        "none",
        description="assume-negative: where species count as absent besides, one random place a "
        "sample: anywhere on the sphere, or in a training cell. With assume-negative, sphere is "
        "the default.",
    )

    @model_validator(mode="before")
    @classmethod
    def _random_places(cls, values: object) -> object:
        if isinstance(values, dict) and values.get("kind") == "assume-negative":
            return {"spatial_negatives": "sphere", **values}
        return values

    @model_validator(mode="after")
    def _used(self) -> LossSection:
        for kind, keys in _BELONGS.items():
            for key in keys:
                default = type(self).model_fields[key].default
                if self.kind != kind and getattr(self, key) != default:
                    raise ValueError(
                        f"{key} belongs to kind = '{kind}' and would do nothing with "
                        f"kind = '{self.kind}'; remove it or change the kind"
                    )
        return self
