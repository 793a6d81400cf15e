"""Flags of other programs in our words, for somebody who wrote one of them here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Flag(NamedTuple):
    """What became of a flag.

    Args:
        key: The key of the experiment file that does it; empty where none does.
        note: How the values differ, or what does it instead.
    """

    key: str = ""
    note: str = ""


class ForeignFlags:
    """The flags of some programs. Messages about unknown keys and options are made from them.

    Args:
        programs: Flags of each program by name, in small letters with underscores.
        called: How a sentence begins, with ``{}`` in place of the flag.
    """

    def __init__(self, *programs: Mapping[str, Flag], called: str) -> None:
        self.programs, self.called = programs, called

    def find(self, name: str) -> tuple[Flag, ...]:
        """What became of a flag, once for each different answer of the programs that have it.

        Args:
            name: A key or an option, with or without dashes, in letters of any size.
        """
        plain = _plain(name)
        return tuple(dict.fromkeys(flags[plain] for flags in self.programs if plain in flags))

    def advice(self, name: str) -> str:
        """The sentence for somebody who wrote a flag of another program, or nothing.

        Args:
            name: A key or an option, with or without dashes.
        """
        found = self.find(name)
        if not found:
            return ""
        called = self.called.format(_plain(name))
        words = " or ".join(
            f"'{flag.key}'{f' ({flag.note})' if flag.note else ''}" for flag in found if flag.key
        )
        return f" {called} is {words} here." if words else f" {called}: {found[0].note}."


def _plain(name: str) -> str:
    return name.lstrip("-").replace("-", "_").lower()
