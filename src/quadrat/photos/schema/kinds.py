"""Kinds of values that several sections use."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field


def _in_range(value: int | tuple[int, int]) -> int | tuple[int, int]:
    sides = (value,) if isinstance(value, int) else value
    if any(not 16 <= side <= 8192 for side in sides):
        raise ValueError("sides must lie between 16 and 8192 pixels")
    return value


Size = Annotated[int | tuple[int, int], AfterValidator(_in_range)]
"""A side of a square, or (height, width), in pixels."""

Sides = tuple[int, int]
"""Height and width in pixels."""

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Rate = Annotated[float, Field(gt=0.0)]
Weight = Annotated[float, Field(ge=0.0)]
Width = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=1, le=64)]


def sides_of(size: Size) -> Sides:
    """Height and width."""
    return (size, size) if isinstance(size, int) else size
