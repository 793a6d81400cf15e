"""The experiment file of the photos family: its sections, keys and defaults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from quadrat.experiment import (
    Experiment,
    FilePath,
    Located,
    OptimiserSection,
    RunSection,
    Section,
)
from quadrat.photos import _rules

Size = int | tuple[int, int]
"""A side of a square, or (height, width), in pixels."""

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Rate = Annotated[float, Field(gt=0.0)]
Weight = Annotated[float, Field(ge=0.0)]
Width = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class _LocatedRows(Located):
    """Marks encoder.rows: a path, unless it names a column."""

    def holds_path(self, value: object) -> bool:
        return super().holds_path(value) and not str(value).startswith("column:")


class DataSection(Section):
    """Which tables and photos, and what their columns mean."""

    table: FilePath = Field(
        description="Training table: long (one row a target) or wide (one row a photo)."
    )
    test: Annotated[Path | None, Located()] = Field(
        None, description="Table of the photos that a submission predicts."
    )
    sample_submission: Annotated[Path | None, Located()] = Field(
        None, description="Submission file whose columns and order a submission must have."
    )
    image_root: Annotated[Path | None, Located()] = Field(
        None, description="Folder that photo paths are relative to; the table's own by default."
    )
    image: str = Field("image_path", description="Column of the photo's path.")
    id: str = Field(
        "sample_id",
        description="Column that names a row. Samples of wide tables bear this name; where a table "
        "lacks the column, their photo's.",
    )
    sample: str | None = Field(
        None, description="Column that names the sample, where several photos make one."
    )
    set_by: tuple[str, ...] = Field(
        (), description="Columns that together name the sample, where several photos make one."
    )
    target_name: str = Field("target_name", description="Long tables: column of the target's name.")
    target_value: str = Field("target", description="Long tables: column of the target's value.")
    targets: tuple[str, ...] = Field(
        min_length=1, description="Targets to predict, in the order of all outputs."
    )
    numeric: tuple[str, ...] = Field((), description="Metadata columns that hold numbers.")
    categorical: tuple[str, ...] = Field((), description="Metadata columns that hold categories.")
    lat: str | None = Field(None, description="Column of the latitude in degrees (WGS 84).")
    lon: str | None = Field(None, description="Column of the longitude in degrees (WGS 84).")
    date: str | None = Field(None, description="Column of the date.")
    min_readable: float = Field(
        1.0,
        gt=0.0,
        le=1.0,
        description="Share of the photos that must be readable: below it the work stops, above it "
        "samples with unreadable photos are left out and reported.",
    )

    @property
    def sample_columns(self) -> tuple[str, ...]:
        """The columns that name a sample of several photos; none where a photo is a sample."""
        return (self.sample,) if self.sample is not None else self.set_by

    @model_validator(mode="after")
    def _agree(self) -> DataSection:
        _rules.raise_problems(_rules.data_problems(self))
        return self


class BalanceSection(Section):
    """One identity between targets: the total is the sum of its parts."""

    total: str = Field(description="Target that is the sum.")
    parts: tuple[str, ...] = Field(min_length=1, description="Targets that add up to the total.")


class BalanceMethodSection(Section):
    """How predictions are made to obey the identities."""

    kind: Literal["project", "project-covariance", "none"] = Field(
        "project",
        description="project: the nearest values that obey all identities and are not negative; "
        "project-covariance: nearest in the metric of the out-of-fold errors; none: as predicted.",
    )
    tolerance: float = Field(
        0.5,
        ge=0.0,
        description="Largest violation in a table, in the targets' unit, that passes without "
        "mention.",
    )


class SplitSection(Section):
    """Which samples are held out."""

    kind: Literal["group", "random", "leave-group-out", "spatial-block", "column"] = Field(
        "group",
        description="group: whole groups a fold; random: single samples (flatters); "
        "leave-group-out: every group once; spatial-block: squares on the map; column: as given.",
    )
    by: tuple[str, ...] = Field((), description="Columns whose values together name the group.")
    folds: int = Field(5, ge=2, description="Number of folds (group, random, spatial-block).")
    repeats: int = Field(1, ge=1, description="How often the folds are drawn anew.")
    stratify: str | None = Field(
        None, description="Column or target that shall be spread alike over the folds."
    )
    block_km: float | None = Field(None, gt=0.0, description="Side of a spatial block in km.")
    column: str | None = Field(
        None, description="Column that tells the fold, or, with split.test, what is held out."
    )
    test: tuple[str, ...] = Field(
        (),
        description="Values of split.column that are held out; without them every value of the "
        "column is a fold.",
    )
    inner: float = Field(
        0.15,
        ge=0.0,
        le=0.5,
        description="Share of the training groups kept for early stopping and calibration.",
    )
    seed: int | None = Field(
        None, ge=0, description="Seed of the folds; the experiment's if unset."
    )

    @field_validator("test", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        if isinstance(value, list | tuple):
            return tuple(str(v) if isinstance(v, int | float) else v for v in value)
        return value

    @model_validator(mode="after")
    def _agree(self) -> SplitSection:
        _rules.raise_problems(_rules.split_problems(self))
        return self


class ViewsSection(Section):
    """How a photo is brought to the encoder's size."""

    size: Size | None = Field(
        None, description="Side, or [height, width], in pixels; the encoder's own if unset."
    )
    predict_size: Size | None = Field(
        None, description="The same for held-out and new photos; views.size if unset."
    )
    fit: Literal["squash", "pad", "crop"] = Field(
        "squash",
        description="squash: resized whatever its proportions; pad: kept whole, with a border of "
        "the encoder's mean colour; crop: the largest middle part of the right proportions.",
    )

    @field_validator("size", "predict_size")
    @classmethod
    def _in_range(cls, value: Size | None) -> Size | None:
        sides = (value,) if isinstance(value, int) else (value or ())
        if any(not 16 <= side <= 8192 for side in sides):
            raise ValueError("sides must lie between 16 and 8192 pixels")
        return value


class AugmentSection(Section):
    """What is varied in training."""

    flips: Literal["none", "horizontal", "vertical", "both"] = Field(
        "none", description="Mirror photos at random, along these axes."
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


class EncoderSection(Section):
    """What turns a photo into a vector."""

    name: Annotated[str, Located(prefix="precomputed:")] = Field(
        _rules.BUNDLED, description="timm:MODEL, or precomputed:FILE.npy with one row a photo."
    )
    weights: Annotated[str, Located(words=("hub", "bundled", "none"))] = Field(
        "hub",
        description="hub: downloaded by timm; bundled: installed with quadrat, for "
        f"{_rules.BUNDLED} (its default); none: random; or a file (safetensors or state dict).",
    )
    rows: Annotated[str | None, _LocatedRows()] = Field(
        None,
        description="precomputed: which photos the matrix's rows are: a text file with one photo "
        "a line, or column:NAME, a column of the table with row numbers from 0.",
    )
    train: Literal["head", "all"] = Field(
        "head", description="head: the encoder is frozen; all: it learns too."
    )
    learning_rate: Rate = Field(1e-5, description="Of the encoder, with encoder.train = 'all'.")
    pool: Literal["auto", "class", "mean", "max"] = Field(
        "auto", description="How tokens become one vector; auto: as the model was trained."
    )
    cache: bool = Field(True, description="Keep the features of a frozen encoder for later runs.")

    @property
    def precomputed(self) -> bool:
        """Whether the features were computed elsewhere."""
        return self.name.startswith("precomputed:")

    @model_validator(mode="before")
    @classmethod
    def _default_weights(cls, content: Any) -> Any:
        if not isinstance(content, dict) or "weights" in content:
            return content
        name = str(content.get("name", _rules.BUNDLED))
        if name == _rules.BUNDLED:
            return {**content, "weights": "bundled"}
        return {**content, "weights": "none"} if name.startswith("precomputed:") else content

    @model_validator(mode="after")
    def _agree(self) -> EncoderSection:
        _rules.raise_problems(_rules.encoder_problems(self))
        return self


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

    kind: Literal["mlp", "linear"] = Field("mlp", description="mlp: hidden layers; linear: none.")
    shared: bool = Field(True, description="One hidden part for all targets, or one for each.")
    hidden: tuple[Width, ...] = Field((256,), description="Widths of the hidden layers (mlp).")
    distribution: Literal["point", "gaussian"] = Field(
        "point", description="point: one number a target; gaussian: mean and standard deviation."
    )
    learning_rate: Rate | None = Field(
        None, description="Of head and fusion; optimiser.learning_rate if unset."
    )


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


class PhotosExperiment(Experiment):
    """One experiment of the photos family."""

    family: Literal["photos"] = Field("photos", description="The family of models.")
    data: DataSection = Field(description="Tables, photos and columns.")
    balance: tuple[BalanceSection, ...] = Field((), description="Identities between targets.")
    balance_method: BalanceMethodSection = Field(default_factory=BalanceMethodSection)
    split: SplitSection = Field(description="Which samples are held out.")
    views: ViewsSection = Field(default_factory=ViewsSection)
    augment: AugmentSection = Field(default_factory=AugmentSection)
    encoder: EncoderSection = Field(default_factory=EncoderSection)
    fusion: FusionSection = Field(default_factory=FusionSection)
    head: HeadSection = Field(default_factory=HeadSection)
    loss: LossSection = Field(default_factory=LossSection)
    optimiser: PhotosOptimiser = Field(default_factory=PhotosOptimiser)
    run: PhotosRun = Field(default_factory=PhotosRun)

    @model_validator(mode="after")
    def _agree(self) -> PhotosExperiment:
        _rules.raise_problems(_rules.experiment_problems(self))
        return self
