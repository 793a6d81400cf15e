"""`[loss]`, and the optimiser and run of this family."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from quadrat.experiment import OptimiserSection, RunSection, Section
from quadrat.photos.schema.kinds import Rate, Weight


class LossSection(Section):
    """What training makes small."""

    kind: Literal["auto", "mse", "mae", "huber", "nll"] = Field(
        "auto", description="auto: mse for point, nll (Gaussian likelihood) for gaussian."
    )
    beta: Rate = Field(
        1.0, description="huber: where the square becomes a line, in standard deviations."
    )
    weights: Literal["score", "equal"] | dict[str, Weight] = Field(
        "score", description="score: as score.weights; equal; or target → weight."
    )
    transform: Literal["none", "log1p", "sqrt"] = Field(
        "none", description="Scale on which targets are learnt."
    )


class PhotosOptimiser(OptimiserSection):
    """The optimiser, with defaults for a head on a few hundred samples."""

    epochs: int = Field(60, ge=1, description="Passes over the training samples.")


class PhotosRun(RunSection):
    """Where and how the run is made; nothing here is part of the experiment's identity."""

    workers: int = Field(
        0, ge=0, description="Threads that decode photos; 0: one a core, at most eight."
    )
