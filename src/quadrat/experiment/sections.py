"""The sections that both families share, as frozen models.

A field's description is its documentation everywhere: in the JSON Schema, in
``quadrat recipes --schema`` and in the reference pages.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from quadrat.experiment.paths import located

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

MAY_CHANGE_ON_RESUME = (
    "optimiser.epochs",
    "optimiser.patience",
    "optimiser.learning_rate_min",
    "run",
    "name",
)
"""What a resumed run may have different from its beginning."""


FEWEST_RESAMPLES = 20
"""One of so many lies outside a 95 % interval."""


class Section(BaseModel):
    """A section of an experiment file: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class OptimiserSection(Section):
    """How the weights are learnt."""

    kind: Literal["adamw"] = Field("adamw", description="The optimiser.")
    epochs: int = Field(50, ge=1, description="Passes over the training samples.")
    batch_size: int = Field(32, ge=1, description="Samples in a batch of one process.")
    accumulate: int = Field(1, ge=1, description="Batches whose gradients make one step.")
    learning_rate: float = Field(
        1e-3, gt=0, description="Highest learning rate, where a part has none of its own."
    )
    weight_decay: float = Field(
        1e-3, ge=0, description="Decoupled weight decay; biases and norms have none."
    )
    schedule: Literal["cosine", "none"] = Field(
        "cosine", description="Learning rate after warm-up: cosine to the minimum, or constant."
    )
    warmup_steps: int | None = Field(
        None, ge=0, description="Steps of linear warm-up; excludes warmup_epochs."
    )
    warmup_epochs: float | None = Field(
        None, ge=0, description="The same in epochs, still raised step by step."
    )
    learning_rate_min: float = Field(1e-6, ge=0, description="Floor of the schedule.")
    clip: float = Field(1.0, ge=0, description="Largest norm of the gradient; 0 leaves it alone.")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="Of the matrix products; auto: bf16 where the hardware has it."
    )
    patience: int = Field(
        0, ge=0, description="Stop after so many epochs without a better inner score; 0: never."
    )

    @model_validator(mode="after")
    def _one_warmup(self) -> OptimiserSection:
        if self.warmup_steps is not None and self.warmup_epochs is not None:
            raise ValueError("give warmup_steps or warmup_epochs, not both")
        return self


class AverageSection(Section):
    """Averages of the weights over training.

    The weights of the moving average, where it is on, are the ones that are scored, kept and
    averaged further. Whatever was asked for is what answers in the end; its inner score is shown
    beside that of the best single state.
    """

    ema: float = Field(
        0.0, ge=0, lt=1, description="Decay of the exponential moving average, warmed up; 0: off."
    )
    swa: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Stochastic weight averaging: the plain mean of the weights at the end of each "
        "epoch after this share of the epochs, such as 0.75; 0: off.",
    )
    snapshots: int = Field(
        0, ge=0, description="So many states with the best inner scores answer together; 0: one."
    )
    snapshot_of: Literal["weights", "predictions"] = Field(
        "weights", description="What of the snapshots is averaged."
    )

    @model_validator(mode="after")
    def _one_average(self) -> AverageSection:
        if self.swa and self.snapshots:
            raise ValueError("give swa or snapshots, not both: each says which states answer")
        if self.snapshots == 1:
            raise ValueError("snapshots = 1 is the best state, which is kept anyway; give 0 or 2")
        if self.snapshot_of == "predictions" and not self.snapshots:
            raise ValueError("snapshot_of = 'predictions' needs snapshots of at least 2")
        return self


class RunSection(Section):
    """Where and how the run is made; nothing here is part of the experiment's identity."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="auto: CUDA where there is one, then MPS, then the CPU."
    )
    save_every: int = Field(
        0,
        ge=0,
        description="Epochs between two saved states; 0: at the end of an epoch once 20 seconds "
        "have passed since the last.",
    )
    deterministic: bool = Field(
        True, description="Only algorithms that give the same bits again on the same machine."
    )


class ScoreSection(Section):
    """What is judged, and how surely."""

    primary: str = Field("weighted_r2", description="The score that chooses and headlines.")
    weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="Weight of each target in weighted scores; equal if none."
    )
    bootstrap: int = Field(
        1000,
        ge=0,
        description="Resamples of whole groups for intervals; 0: no intervals. At least 20, as of "
        "fewer none lies outside a 95 % interval; give 1000 where ends matter.",
    )
    baselines: bool = Field(True, description="Judge the baselines beside the model.")

    @field_validator("bootstrap")
    @classmethod
    def _enough(cls, resamples: int) -> int:
        if 0 < resamples < FEWEST_RESAMPLES:
            raise ValueError(
                f"{resamples} resamples tell no 95 % interval: give 0 for none, or at least "
                f"{FEWEST_RESAMPLES}"
            )
        return resamples


class Experiment(BaseModel):
    """An experiment file: what is common to all families."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    averages_predictions: ClassVar[bool] = False
    """Whether a run of the family can hold several states whose predictions are averaged."""

    family: str = Field(description="photos, occurrence or ensemble.")
    name: str = Field("experiment", description="The first part of the run folder's name.")
    seed: int = Field(42, ge=0, description="Seeds folds, weights, order and augmentation.")
    optimiser: OptimiserSection = Field(default_factory=OptimiserSection)
    average: AverageSection = Field(default_factory=AverageSection)
    run: RunSection = Field(default_factory=RunSection)
    score: ScoreSection = Field(default_factory=ScoreSection)

    _source: Path | None = PrivateAttr(None)

    @classmethod
    def advice(cls, key: str) -> str:
        """A sentence for somebody who knows a key by its name in another program, or nothing."""
        return ""

    @field_validator("name")
    @classmethod
    def _file_name(cls, name: str) -> str:
        if not NAME_PATTERN.fullmatch(name):
            raise ValueError(
                "use letters from a to z, digits, '.', '_' and '-' only: it names a folder"
            )
        return name

    @model_validator(mode="after")
    def _whole_average(self) -> Experiment:
        if self.average.swa and self.optimiser.patience:
            raise ValueError(
                "optimiser.patience may end the training before average.swa begins; set one to 0"
            )
        if self.average.snapshots > self.optimiser.epochs:
            raise ValueError(
                f"average.snapshots = {self.average.snapshots} states cannot come from "
                f"{self.optimiser.epochs} epochs; set optimiser.epochs higher"
            )
        if self.average.snapshot_of == "predictions" and not self.averages_predictions:
            raise ValueError(
                f"average.snapshot_of = 'predictions' is not for the family '{self.family}', whose "
                "run holds one network; use 'weights'"
            )
        return self

    @property
    def source(self) -> Path | None:
        """The file that this experiment was read from, if it was."""
        return self._source

    def content(self) -> dict[str, Any]:
        """All keys with their values, ready for TOML or JSON; unset keys are left out."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_toml(self) -> str:
        """The resolved experiment file."""
        return tomli_w.dumps(self.content())

    def content_hash(self) -> str:
        """A hash of what makes two runs the same experiment.

        Left out are the keys that a resumed run may change; of a path only the file's name
        counts, so that a moved folder is the same experiment. The hashes of the tables themselves
        are in ``provenance.json``.
        """
        content = _named_paths(self, self.content())
        for key in MAY_CHANGE_ON_RESUME:
            _remove(content, key.split("."))
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


def _remove(content: dict[str, Any], keys: list[str]) -> None:
    for key in keys[:-1]:
        content = content.get(key, {})
    content.pop(keys[-1], None)


def _named_paths(model: BaseModel, content: dict[str, Any]) -> dict[str, Any]:
    """The content with every located path cut to its file name."""
    named = dict(content)
    for name, field in type(model).model_fields.items():
        value, mark = getattr(model, name), located(field)
        if name not in content:
            continue
        if isinstance(value, BaseModel):
            named[name] = _named_paths(value, content[name])
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], BaseModel):
            pairs = zip(value, content[name], strict=True)
            named[name] = [_named_paths(item, inner) for item, inner in pairs]
        elif mark is not None and mark.holds_path(value):
            named[name] = mark.prefix + mark.path(value).name
    return named
