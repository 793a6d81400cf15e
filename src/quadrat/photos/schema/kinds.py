"""Kinds of values that several sections use."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Size = int | tuple[int, int]
"""A side of a square, or (height, width), in pixels."""

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Rate = Annotated[float, Field(gt=0.0)]
Weight = Annotated[float, Field(ge=0.0)]
Width = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=1, le=64)]
