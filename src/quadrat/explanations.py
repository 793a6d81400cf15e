"""What `quadrat explain` asks of a run of any family, and what it is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quadrat.errors import UsageError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Question:
    """What is to be explained; every family refuses what it does not know.

    Attributes:
        table: The samples, records or places; by default the run's own where it keeps them.
        method: Photos: how maps are made; by default the one that suits the head.
        samples: Photos: how many samples get a sheet, the first ones of the table.
        species: Species: codes or names of those to tell of; by default the first ones.
        week: Networks of place and week: 1-48, or 0 for the whole year; by default the mean of
            four weeks of the year.

    Raises:
        UsageError: There is nothing to explain.
    """

    table: Path | None = None
    method: str | None = None
    samples: int | None = None
    species: Sequence[str] = ()
    week: int | None = None

    def __post_init__(self) -> None:
        if self.samples is not None and self.samples < 1:
            raise UsageError(f"--samples {self.samples}: at least one must be explained.")


@dataclass(frozen=True)
class Explanations:
    """What explains the answers of a run.

    Attributes:
        tables: By name, as their files will be called.
        sheets: What is drawn, one a sample; see `quadrat.report.explanations`.
    """

    tables: Mapping[str, pl.DataFrame]
    sheets: Sequence[Any] = ()
