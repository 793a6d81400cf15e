"""The experiment file of the photos family: its sections, keys and defaults."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from quadrat.experiment import Experiment
from quadrat.photos.flags import FLAGS
from quadrat.photos.schema.augment import AugmentSection
from quadrat.photos.schema.balance import BalanceMethodSection, BalanceSection
from quadrat.photos.schema.clean import CleanSection
from quadrat.photos.schema.data import DataSection
from quadrat.photos.schema.depth import DepthSection
from quadrat.photos.schema.encoder import EncoderSection
from quadrat.photos.schema.experiment_rules import experiment_problems
from quadrat.photos.schema.external import ExternalSection
from quadrat.photos.schema.field import FieldSection
from quadrat.photos.schema.kinds import Sides, Size, sides_of
from quadrat.photos.schema.learning import LossSection, PhotosOptimiser, PhotosRun
from quadrat.photos.schema.network import FusionSection, HeadSection
from quadrat.photos.schema.network_rules import needs_tokens
from quadrat.photos.schema.order import CurriculumSection, SamplingSection
from quadrat.photos.schema.rules import raise_problems
from quadrat.photos.schema.split import SplitSection
from quadrat.photos.schema.tta import TtaSection
from quadrat.photos.schema.views import ViewsSection

__all__ = [
    "AugmentSection",
    "BalanceMethodSection",
    "BalanceSection",
    "CleanSection",
    "CurriculumSection",
    "DataSection",
    "DepthSection",
    "EncoderSection",
    "ExternalSection",
    "FieldSection",
    "FusionSection",
    "HeadSection",
    "LossSection",
    "PhotosExperiment",
    "PhotosOptimiser",
    "PhotosRun",
    "SamplingSection",
    "Sides",
    "Size",
    "SplitSection",
    "TtaSection",
    "ViewsSection",
    "sides_of",
]


class PhotosExperiment(Experiment):
    """One experiment of the photos family."""

    averages_predictions: ClassVar[bool] = True

    family: Literal["photos"] = Field("photos", description="The family of models.")
    data: DataSection = Field(description="Tables, photos and columns.")
    external: tuple[ExternalSection, ...] = Field(
        (), description="Tables of other data sets, to learn from."
    )
    balance: tuple[BalanceSection, ...] = Field((), description="Identities between targets.")
    balance_method: BalanceMethodSection = Field(default_factory=BalanceMethodSection)
    split: SplitSection = Field(description="Which samples are held out.")
    views: ViewsSection = Field(default_factory=ViewsSection)
    clean: CleanSection = Field(default_factory=CleanSection)
    augment: AugmentSection = Field(default_factory=AugmentSection)
    encoder: EncoderSection = Field(default_factory=EncoderSection)
    depth: DepthSection | None = Field(
        None, description="Depth maps beside the photos; none without this section."
    )
    fusion: FusionSection = Field(default_factory=FusionSection)
    head: HeadSection = Field(default_factory=HeadSection)
    loss: LossSection = Field(default_factory=LossSection)
    sampling: SamplingSection = Field(default_factory=SamplingSection)
    curriculum: CurriculumSection = Field(default_factory=CurriculumSection)
    tta: TtaSection = Field(default_factory=TtaSection)
    optimiser: PhotosOptimiser = Field(default_factory=PhotosOptimiser)
    run: PhotosRun = Field(default_factory=PhotosRun)
    field: FieldSection = Field(default_factory=FieldSection)

    @model_validator(mode="before")
    @classmethod
    def _keep_tokens(cls, content: Any) -> Any:
        """Asks the encoder for tokens where fusion or head look at them."""
        if not isinstance(content, dict):
            return content
        fusion, head, encoder = (content.get(name, {}) for name in ("fusion", "head", "encoder"))
        if not all(isinstance(section, dict) for section in (fusion, head, encoder)):
            return content
        wanted = needs_tokens(fusion.get("kind"), head.get("kind"))
        if not wanted or str(encoder.get("name", "")).startswith("precomputed:"):
            return content
        return {**content, "encoder": {"tokens": True, **encoder}}

    @classmethod
    def advice(cls, key: str) -> str:
        """A sentence for somebody who knows a key as a flag of another program."""
        return FLAGS.advice(key)

    @property
    def opens_photos(self) -> bool:
        """Whether photos themselves are read, and not only vectors computed elsewhere."""
        return not self.encoder.precomputed or self.depth is not None

    @model_validator(mode="after")
    def _agree(self) -> PhotosExperiment:
        raise_problems(experiment_problems(self))
        return self
