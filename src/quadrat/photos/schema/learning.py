"""`[loss]`, and the optimiser and run of this family."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from quadrat.experiment import OptimiserSection, RunSection, Section
from quadrat.photos.schema import network_rules
from quadrat.photos.schema.kinds import Fraction, Rate, Weight
from quadrat.photos.schema.rules import raise_problems


class LossSection(Section):
    """What training makes small."""

    kind: Literal["auto", "mse", "mae", "huber", "focal", "tweedie", "quantile", "nll", "crps"] = (
        Field(
            "auto",
            description="auto: by distribution: mse for point, nll (likelihood) for gaussian "
            "and lognormal, quantile. huber: smooth L1; focal: small errors weigh less; tweedie: "
            "deviance of amounts with exact zeros; crps: of the normal distribution.",
        )
    )
    beta: Rate = Field(
        1.0,
        description="In standard deviations. huber: where the square becomes a line; focal: the "
        "error from which on errors weigh 1.",
    )
    gamma: Rate = Field(1.0, description="focal: power of the weight.")
    power: float = Field(1.5, gt=1.0, lt=2.0, description="tweedie: power of the variance.")
    quantiles: tuple[Fraction, ...] = Field(
        (0.05, 0.5, 0.95),
        description="quantile: levels, ascending, with the median and the ends of the 90 % "
        "interval among them.",
    )
    weights: Literal["score", "equal"] | dict[str, Weight] = Field(
        "score", description="score: as score.weights; equal; or target → weight."
    )
    weighting: Literal["fixed", "uncertainty"] = Field(
        "fixed",
        description="uncertainty: how much each target's loss weighs is learnt, times its weight.",
    )
    transform: Literal["none", "log1p", "sqrt"] = Field(
        "none", description="Scale on which targets are learnt."
    )

    @model_validator(mode="after")
    def _agree(self) -> LossSection:
        raise_problems(network_rules.loss_problems(self))
        return self


class PhotosOptimiser(OptimiserSection):
    """The optimiser, with defaults for a head on a few hundred samples."""

    epochs: int = Field(60, ge=1, description="Passes over the training samples.")


class PhotosRun(RunSection):
    """Where and how the run is made; nothing here is part of the experiment's identity."""

    workers: int = Field(
        0, ge=0, description="Threads that decode photos; 0: one a core, at most eight."
    )
    refit: bool = Field(
        False,
        description="Train one more network on all samples after the folds, for the mean of their "
        "best epochs; it then answers for new tables, instead of the mean of the folds.",
    )
