"""Paths in experiment files: relative to the file they stand in, absolute once loaded."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class Located:
    """Marks a field whose value holds a path.

    Args:
        prefix: Only values that begin with it hold a path, behind it (``"precomputed:"``).
        words: Values that are names and not paths (``"hub"``).
    """

    prefix: str = ""
    words: tuple[str, ...] = ()

    def holds_path(self, value: object) -> bool:
        """Whether this value is a path, rather than one of the names beside it."""
        text = str(value)
        return (
            isinstance(value, (str, Path))
            and text not in self.words
            and (text.startswith(self.prefix))
        )

    def path(self, value: object) -> Path:
        """The path in a value."""
        return Path(str(value)[len(self.prefix) :])

    def absolute(self, value: Any, folder: Path) -> Any:
        """The value with its path made absolute against a folder."""
        if not self.holds_path(value):
            return value
        path = folder / self.path(value).expanduser()
        absolute = Path(self.prefix + str(path.absolute().resolve()))
        return str(absolute) if isinstance(value, str) else absolute

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Makes the path absolute after validation, against ``context["folder"]``."""

        def resolve(value: Any, info: ValidationInfo) -> Any:
            context = info.context or {}
            return self.absolute(value, Path(context.get("folder", Path.cwd())))

        return core_schema.with_info_after_validator_function(resolve, handler(source))


FilePath = Annotated[Path, Located()]
"""A path that is relative to the experiment file."""


def located(field: FieldInfo) -> Located | None:
    """How a field holds a path, if it does; also inside a union such as ``FilePath | None``."""
    marks = list(field.metadata)
    for option in typing.get_args(field.annotation):
        marks += getattr(option, "__metadata__", ())
    return next((mark for mark in marks if isinstance(mark, Located)), None)
