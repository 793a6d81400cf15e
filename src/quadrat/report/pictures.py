"""A single figure as a file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from quadrat.errors import UsageError
from quadrat.runs import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = ("png", "svg", "pdf")


def picture_bytes(figure: Figure, kind: str) -> bytes:
    """A figure as ``png``, ``svg`` or ``pdf``."""
    from quadrat.report.style import to_pdf, to_png, to_svg

    if kind == "svg":
        return to_svg(figure).encode()
    return to_png(figure, dpi=200) if kind == "png" else to_pdf(figure)


def picture_kind(path: Path) -> str:
    """The kind of picture that a file's ending asks for.

    Raises:
        UsageError: Another ending than those of `PICTURES`.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind not in PICTURES:
        raise UsageError(f"cannot draw {path.name}: the ending must be .png, .svg or .pdf.")
    return kind


def write_picture(figure: Figure, path: Path) -> None:
    """Writes a figure as a file, whole or not at all.

    Raises:
        UsageError: Another ending than those of `PICTURES`.
    """
    content = picture_bytes(figure, picture_kind(path))
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
