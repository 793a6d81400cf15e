"""Further photos beside each photo: a colour card, a scale bar, a picture of depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from quadrat.photos.samples._rows import Rows
from quadrat.tables import FIRST_ROW

Beside = tuple[tuple[tuple[str, ...], ...], ...]
"""Of every sample, of every photo, one path a further photo."""


def photos_beside(rows: Rows, image: str, extra: Mapping[str, str]) -> Beside:
    """The further photos of every photo, as they stand in the table.

    Where a photo stands in several rows, these must name the same; a blank is a problem. None are
    given where a column is missing, which is a problem already.

    Args:
        rows: The table.
        image: Column of the photos.
        extra: Name → column of the photos beside them.
    """
    if not set(extra.values()) <= set(rows.frame.columns):
        return ()
    for name, column in extra.items():
        rows.blank([column], f"views.extra.{name}")
    values = rows.frame.select(pl.col(extra.values()).cast(pl.String)).rows()
    found: list[dict[str, int]] = [{} for _ in rows.ids]
    photos = rows.frame[image].cast(pl.String)
    for row, (owner, photo) in enumerate(zip(rows.owner, photos, strict=True)):
        first = found[owner].setdefault(photo, row)
        rows.problems.extend(_differences(photo, list(extra.values()), values, (first, row)))
    return tuple(tuple(values[row] for row in firsts.values()) for firsts in found)


def _differences(
    photo: str,
    columns: Sequence[str],
    values: Sequence[tuple[str, ...]],
    rows: tuple[int, int],
) -> list[str]:
    first, row = rows
    return [
        f"row {row + FIRST_ROW}: '{photo}' has '{there}' in column '{column}' here and '{before}' "
        f"in row {first + FIRST_ROW}"
        for column, before, there in zip(columns, values[first], values[row], strict=True)
        if before != there
    ]
