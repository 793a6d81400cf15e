"""Species lists as BirdNET-Analyzer reads them: one ``Scientific name_Common name`` a line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from quadrat.errors import DataError
from quadrat.runs import write_text

BIRDNET_THRESHOLD = 0.03
"""Probability from which BirdNET-Analyzer's own location filter keeps a species by default."""


def birdnet_lines(names: Iterable[tuple[str, str]]) -> list[str]:
    """The lines of a list, sorted, each once.

    Args:
        names: Scientific and common names.
    """
    return sorted({f"{scientific}_{common}" for scientific, common in names})


def write_birdnet_list(names: Iterable[tuple[str, str]], path: Path) -> None:
    """Writes ``species_list.txt``.

    Args:
        names: Scientific and common names.
        path: The file.

    Raises:
        DataError: There is no species; BirdNET takes an empty list for no filter at all.
    """
    lines = birdnet_lines(names)
    if not lines:
        raise DataError(
            f"no species is probable enough for {path.name}, and BirdNET takes an empty list for "
            "no filter at all.",
            fix="ask with a lower threshold.",
        )
    write_text(path, "".join(f"{line}\n" for line in lines))
