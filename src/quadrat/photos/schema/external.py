"""`[[external]]`: tables of other data sets, to learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from quadrat.experiment import FilePath, Located, Section

Factor = Annotated[float, Field(gt=0)]


class ExternalSection(Section):
    """A table of another data set: its rows are learnt from in every fold, and never judged by.

    They join the training part, and neither the inner nor the held-out one. Targets that they
    lack are left out of the loss, metadata that they lack are unknown. What sets scales (of
    targets, numbers and vectors) comes from `data.table` alone.
    """

    table: FilePath = Field(
        description="CSV (comma, semicolon or tab) or parquet, long or wide, as data.table."
    )
    image_root: Annotated[Path | None, Located()] = Field(
        None, description="Folder that its photo paths are relative to; its own by default."
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Its columns → ours; several that become one target are added up. Columns "
        "with our names need no entry, and all others are not used.",
    )
    scale: dict[str, Factor] = Field(
        default_factory=dict,
        description="Our targets and numbers → the factor that turns its unit into ours.",
    )
    weight: float = Field(
        1.0, gt=0.0, description="How much each of its samples counts, against one of data.table."
    )
