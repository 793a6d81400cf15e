"""Which records are used, and what is taken from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from quadrat.experiment import FilePath, Located, Section

WATCHLIST = (
    "hawgoo", "hawhaw", "elepai", "apapan", "iiwi", "hawama", "kea1", "nibkiw1", "takahe3",
    "riflem1", "tui1", "kokako3", "galhaw1", "galrai1", "galpet", "kagu1", "calcon", "whocra",
)  # fmt: skip
"""Eighteen birds of small ranges, most of them on islands: hard for a model that smooths."""


_WITH_POINTS = ("table", "points", "taxonomy")
"""Keys that do something where points are given; all others are about cells."""


class DataSection(Section):
    """Which records, and what is taken from them."""

    table: FilePath | None = Field(
        None,
        description="Combined parquet: one row an H3 cell, week_1 … week_48 as lists of species "
        "codes, other numeric columns as environment. Either this or points.",
    )
    points: FilePath | None = Field(
        None, description="Table of points with covariates instead of cells; see [points]."
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
    cache: bool = Field(
        True,
        description="Keep what was prepared from the records, if it took over two seconds, in the "
        "cache folder (QUADRAT_CACHE) by the contents of the files and all settings.",
    )

    @property
    def cells(self) -> Path:
        """The table of cells.

        Raises:
            ValueError: There are points instead; a caller's mistake.
        """
        if self.table is None:
            raise ValueError("this experiment has points, not cells")
        return self.table

    @model_validator(mode="after")
    def _one_input(self) -> DataSection:
        if (self.table is None) == (self.points is None):
            raise ValueError("give either table (cells) or points")
        if self.points is not None:
            for key, field in type(self).model_fields.items():
                if key not in _WITH_POINTS and getattr(self, key) != field.default:
                    raise ValueError(f"{key} is for cells; remove it, or give table")
        return self
