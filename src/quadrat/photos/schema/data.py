"""`[data]`: tables, photos and columns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from quadrat.experiment import FilePath, Located, Section
from quadrat.photos.schema import rules


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
    exif: bool = Field(
        False,
        description="Fill unknown values of data.date, data.lat and data.lon from what the camera "
        "wrote into the photos; known ones stay as they are.",
    )
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
        rules.raise_problems(rules.data_problems(self))
        return self
