"""How training tells what it is doing: silent by default, a reporter where one is set.

The reporter is a context variable, so that no function between a command and the loop has to pass
it on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any


class Progress:
    """A silent reporter, and the interface of the others."""

    def note(self, message: str) -> None:
        """A line that a person should read."""

    def warn(self, message: str) -> None:
        """A warning that a person should read."""

    @contextlib.contextmanager
    def task(self, label: str, total: int) -> Iterator[Task]:
        """A piece of work of known size."""
        yield Task()

    def epoch(self, label: str, record: Mapping[str, Any], epochs: int) -> None:
        """An epoch that ended, with its record in the history."""


class Task:
    """A piece of work under way."""

    def advance(self, steps: int = 1) -> None:
        """Some steps are done."""


_current: ContextVar[Progress] = ContextVar("progress", default=Progress())  # noqa: B039


def current_progress() -> Progress:
    """The reporter in force."""
    return _current.get()


@contextlib.contextmanager
def report_progress(progress: Progress) -> Iterator[None]:
    """Puts a reporter in force, inside the block."""
    token = _current.set(progress)
    try:
        yield
    finally:
        _current.reset(token)
