"""Kinds of values that several sections use."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Size = int | tuple[int, int]
"""A side of a square, or (height, width), in pixels."""


def sides(size: Size) -> tuple[int, int]:
    """Height and width of a size."""
    return (size, size) if isinstance(size, int) else size


def size_in_range(size: Size | None) -> Size | None:
    """The same size, where photos can be seen at it; None where none is set.

    Raises:
        ValueError: A side is too small or too large.
    """
    if size is not None and any(not 16 <= side <= 8192 for side in sides(size)):
        raise ValueError("sides must lie between 16 and 8192 pixels")
    return size


Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Rate = Annotated[float, Field(gt=0.0)]
Weight = Annotated[float, Field(ge=0.0)]
Width = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=1, le=64)]
