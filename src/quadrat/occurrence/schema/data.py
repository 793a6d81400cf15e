"""Which records are used, and what is taken from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from quadrat.experiment import FilePath, Located, Section

WATCHLIST = (
    "hawgoo", "hawhaw", "elepai", "apapan", "iiwi", "hawama", "kea1", "nibkiw1", "takahe3",
    "riflem1", "tui1", "kokako3", "galhaw1", "galrai1", "galpet", "kagu1", "calcon", "whocra",
)  # fmt: skip
"""Eighteen birds of small ranges, most of them on islands: hard for a model that smooths."""


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
    synonyms: FilePath | None = Field(
        None,
        description="Table with the columns old and new, each a code or a name of the taxonomy: "
        "records of the old species count for the new one.",
    )
    sample_fraction: float = Field(
        1.0, gt=0.0, le=1.0, description="Share of the cells to use, drawn with split.seed."
    )
    ocean_rate: float = Field(
        1.0,
        ge=0.0,
        le=1.0,
        description="Share of the ocean cells to use, drawn with split.seed. Ocean: the centre "
        "lies off the land, and water_fraction, where it is known, is above 0.99.",
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
