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
from quadrat.occurrence.schema.settings import OccurrenceOptimiser, OccurrenceScore
from quadrat.occurrence.schema.split import SplitSection
from quadrat.occurrence.schema.start import StartSection, network_of_run
from quadrat.occurrence.transfer.flags import advice

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

    @model_validator(mode="after")
    def _network_of_the_start(self) -> OccurrenceExperiment:
        if self.start.run is None:
            return self
        return self.model_copy(update={"network": network_of_run(self.network, self.start.run)})

    @classmethod
    def advice(cls, key: str) -> str:
        """A sentence for somebody who knows a key as a flag of the BirdNET geomodel."""
        return advice(key)

    @model_validator(mode="after")
    def _unknown_is_not_absent(self) -> OccurrenceExperiment:
        if self.network.environment_input and self.loss.spatial_negatives == "sphere":
            raise ValueError(
                "loss.spatial_negatives = 'sphere' draws places whose environment is unknown, so "
                "with network.environment_input unknown would come to mean absent; set "
                "loss.spatial_negatives = 'cells'"
            )
        return self
