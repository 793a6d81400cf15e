"""The experiment file of the occurrence family: its sections, keys and defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from quadrat.experiment import (
    Experiment,
    FilePath,
    Located,
    OptimiserSection,
    ScoreSection,
    Section,
)

WATCHLIST = (
    "hawgoo", "hawhaw", "elepai", "apapan", "iiwi", "hawama", "kea1", "nibkiw1", "takahe3",
    "riflem1", "tui1", "kokako3", "galhaw1", "galrai1", "galpet", "kagu1", "calcon", "whocra",
)  # fmt: skip
"""Eighteen birds of small ranges, most of them on islands: hard for a model that smooths."""

Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class DataSection(Section):
    """Which records, and what is taken from them."""

    table: FilePath = Field(
        description="Combined parquet: one row an H3 cell, week_1 … week_48 as lists of species "
        "codes, other numeric columns as environment."
    )
    taxonomy: FilePath | None = Field(
        None,
        description="Table of species_code, sci_name, com_name, class_name; without it species "
        "bear their codes as names.",
    )
    watchlist: Annotated[tuple[str, ...] | Path, Located()] = Field(
        WATCHLIST,
        description="Codes of species whose average precision is reported one by one, or a file "
        "with one code a line.",
    )
    sample_fraction: float = Field(
        1.0, gt=0.0, le=1.0, description="Share of the cells to use, drawn with split.seed."
    )
    yearly: bool = Field(
        False,
        description="Train on the whole year too: one sample a cell with the union over its weeks. "
        "Predictions for the year are the maximum over weeks either way.",
    )
    environment: tuple[str, ...] | None = Field(
        None,
        description="Columns that the environment head learns to predict; every numeric column "
        "where the key is missing, none with [].",
    )


class LabelsSection(Section):
    """Which species are learnt."""

    min_observations: int = Field(
        50, ge=0, description="Leave out species with fewer training samples (cell and week)."
    )


class SplitSection(Section):
    """Which cells are held out; all weeks of a cell go together."""

    kind: Literal["cell", "spatial-block"] = Field(
        "cell",
        description="cell: single cells at random, whose neighbours may be learnt (flatters); "
        "spatial-block: all cells of a square of block_km.",
    )
    validation: Share = Field(
        0.1, gt=0.0, description="Share of cells for early stopping and the choice of the state."
    )
    test: Share = Field(
        0.0, description="Share of cells that are judged once, at the end; 0: validation is judged."
    )
    block_km: float = Field(
        1000.0,
        gt=0.0,
        description="Side of a spatial block in km; intervals resample blocks of this size too.",
    )
    seed: int = Field(42, ge=0, description="Seed of the split and of sample_fraction.")

    @model_validator(mode="after")
    def _leave_something(self) -> SplitSection:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must leave cells for training")
        return self


class NetworkSection(Section):
    """The network."""

    scale: float = Field(
        0.75, gt=0.0, le=8.0, description="Widths and depths; 1.0 has about 7 million parameters."
    )
    encoding: Literal["spherical", "harmonic"] = Field(
        "spherical",
        description="How the place is told. spherical: smooth at the poles and the dateline; "
        "harmonic: sines and cosines of latitude and longitude.",
    )
    coord_harmonics: int = Field(
        8,
        ge=1,
        le=64,
        description="Detail of the place: harmonics of latitude and longitude, or half the number "
        "of waves around the globe that the spherical encoding reaches.",
    )
    week_harmonics: int = Field(8, ge=1, le=24, description="Harmonics of the week of the year.")
    environment_weight: float = Field(
        0.1, ge=0.0, description="Weight of the environment's squared error; 0: no such head."
    )


class LossSection(Section):
    """What makes a prediction wrong."""

    kind: Literal["bce"] = Field(
        "bce", description="bce: binary cross-entropy, a species not recorded counts as absent."
    )
    species_weight: float = Field(1.0, gt=0.0, description="Weight of the species' loss.")
    label_smoothing: Share = Field(
        0.0, description="Draws labels towards one half by this share; probabilities suffer."
    )


class OccurrenceOptimiser(OptimiserSection):
    """How the weights are learnt; the defaults suit cells and weeks."""

    epochs: int = Field(8, ge=1, description="Passes over the training samples.")
    batch_size: int = Field(1024, ge=1, description="Samples in a batch of one process.")
    learning_rate: float = Field(1e-3, gt=0, description="Highest learning rate.")
    warmup_steps: int | None = Field(
        None, ge=0, description="Steps of linear warm-up, 100 by default; excludes warmup_epochs."
    )

    @model_validator(mode="before")
    @classmethod
    def _default_warmup(cls, values: object) -> object:
        if isinstance(values, dict) and values.keys().isdisjoint(("warmup_steps", "warmup_epochs")):
            return {**values, "warmup_steps": 100}
        return values


class OccurrenceScore(ScoreSection):
    """What is judged, and how surely."""

    primary: str = Field("geoscore", description="The score that chooses and headlines.")

    @field_validator("weights")
    @classmethod
    def _no_targets(cls, weights: dict[str, float]) -> dict[str, float]:
        if weights:
            raise ValueError("occurrence has no targets to weigh; remove this key")
        return weights


class OccurrenceExperiment(Experiment):
    """One experiment of the occurrence family."""

    family: Literal["occurrence"] = Field("occurrence", description="The family of models.")
    data: DataSection = Field(description="Records and names.")
    labels: LabelsSection = Field(default_factory=LabelsSection)
    split: SplitSection = Field(default_factory=SplitSection)
    network: NetworkSection = Field(default_factory=NetworkSection)
    loss: LossSection = Field(default_factory=LossSection)
    optimiser: OccurrenceOptimiser = Field(
        default_factory=lambda: OccurrenceOptimiser.model_validate({})
    )
    score: OccurrenceScore = Field(default_factory=OccurrenceScore)
