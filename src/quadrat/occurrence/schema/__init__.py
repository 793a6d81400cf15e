"""The experiment file of the occurrence family: its sections, keys and defaults."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from quadrat.experiment import Experiment
from quadrat.occurrence.schema.augment import AugmentSection
from quadrat.occurrence.schema.calibrate import CalibrateSection
from quadrat.occurrence.schema.data import WATCHLIST, DataSection
from quadrat.occurrence.schema.labels import LabelsSection
from quadrat.occurrence.schema.loss import LossSection
from quadrat.occurrence.schema.network import NetworkSection
from quadrat.occurrence.schema.points import POINT_DEFAULTS, PointsSection
from quadrat.occurrence.schema.settings import OccurrenceOptimiser, OccurrenceScore
from quadrat.occurrence.schema.split import SplitSection
from quadrat.occurrence.schema.start import StartSection, network_of_run
from quadrat.occurrence.transfer.flags import FLAGS

__all__ = [
    "WATCHLIST",
    "AugmentSection",
    "CalibrateSection",
    "DataSection",
    "LabelsSection",
    "LossSection",
    "NetworkSection",
    "OccurrenceExperiment",
    "OccurrenceOptimiser",
    "OccurrenceScore",
    "PointsSection",
    "SplitSection",
    "StartSection",
]


class OccurrenceExperiment(Experiment):
    """One experiment of the occurrence family."""

    family: Literal["occurrence"] = Field("occurrence", description="The family of models.")
    data: DataSection = Field(description="Records and names.")
    labels: LabelsSection = Field(default_factory=LabelsSection)
    split: SplitSection = Field(default_factory=SplitSection)
    start: StartSection = Field(default_factory=StartSection)
    network: NetworkSection = Field(default_factory=NetworkSection)
    loss: LossSection = Field(default_factory=LossSection)
    augment: AugmentSection = Field(default_factory=AugmentSection)
    optimiser: OccurrenceOptimiser = Field(
        default_factory=lambda: OccurrenceOptimiser.model_validate({})
    )
    calibrate: CalibrateSection = Field(default_factory=lambda: CalibrateSection.model_validate({}))
    score: OccurrenceScore = Field(default_factory=OccurrenceScore)
    points: PointsSection | None = Field(
        None, description="What the columns of data.points mean, and what learns from them."
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_points(cls, values: object) -> object:
        if not isinstance(values, dict) or not values.get("points"):
            return values
        filled = dict(values)
        for name, defaults in POINT_DEFAULTS.items():
            given = filled.get(name, {})
            if isinstance(given, dict):
                warmup = {"warmup_steps"} if "warmup_epochs" in given else set()
                kept = {key: value for key, value in defaults.items() if key not in warmup}
                filled[name] = {**kept, **given}
        return filled

    @model_validator(mode="after")
    def _cells_or_points(self) -> OccurrenceExperiment:
        if (self.data.points is None) != (self.points is None):
            raise ValueError("data.points and the section [points] belong together: give both")
        if self.points is None:
            return self
        shared = {"data", "points", *Experiment.model_fields}
        ignored = [
            name
            for name, field in type(self).model_fields.items()
            if name not in shared
            and getattr(self, name) != field.get_default(call_default_factory=True)
        ]
        if ignored:
            raise ValueError(
                f"[{ignored[0]}] is for cells; with data.points all settings are in [points]"
            )
        if self.score.protocols:
            raise ValueError("score.protocols is for cells; points have no whole years")
        if self.average.snapshots:
            raise ValueError(
                "average.snapshots chooses states on held-out points, and the last model learns "
                "from all points; set it to 0, or use average.swa or average.ema"
            )
        return self

    @model_validator(mode="after")
    def _network_of_the_start(self) -> OccurrenceExperiment:
        if self.start.run is None:
            return self
        return self.model_copy(update={"network": network_of_run(self.network, self.start.run)})

    @classmethod
    def advice(cls, key: str) -> str:
        """A sentence for somebody who knows a key as a flag of the BirdNET geomodel."""
        return FLAGS.advice(key)

    @model_validator(mode="after")
    def _unknown_is_not_absent(self) -> OccurrenceExperiment:
        if self.network.environment_input and self.loss.spatial_negatives == "sphere":
            raise ValueError(
                "loss.spatial_negatives = 'sphere' draws places whose environment is unknown, so "
                "with network.environment_input unknown would come to mean absent; set "
                "loss.spatial_negatives = 'cells'"
            )
        return self
