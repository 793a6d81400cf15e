"""Parts by name: a decorator, a frozen info record, and look-up that helps with typing errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from quadrat.errors import UnknownNameError

T = TypeVar("T")


@dataclass(frozen=True)
class Info:
    """What a registry knows about a part besides the part itself."""

    name: str
    summary: str


class Registry(Generic[T]):
    """Named parts of one kind.

    Args:
        kind: What the parts are, in the words of the error message (``"loss"``).
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._parts: dict[str, tuple[T, Info]] = {}

    def register(self, name: str, *, summary: str) -> Callable[[T], T]:
        """A decorator that files a part under a name.

        Args:
            name: The name that experiment files use.
            summary: One line for listings and the documentation.

        Raises:
            ValueError: The name is taken.
        """
        if name in self._parts:
            raise ValueError(f"the {self.kind} '{name}' is registered twice")

        def file(part: T) -> T:
            self._parts[name] = (part, Info(name, summary))
            return part

        return file

    def __getitem__(self, name: str) -> T:
        return self._entry(name)[0]

    def __contains__(self, name: object) -> bool:
        return name in self._parts

    def info(self, name: str) -> Info:
        """The record of one part."""
        return self._entry(name)[1]

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._parts)

    def _entry(self, name: str) -> tuple[T, Info]:
        try:
            return self._parts[name]
        except KeyError:
            raise UnknownNameError(self.kind, name, self._parts) from None
