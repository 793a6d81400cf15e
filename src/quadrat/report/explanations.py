"""Sheets that explain predictions: the views of a sample, with a map over them for each target."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from quadrat.report.style import new_figure, styled
from quadrat.runs import atomic_path

if TYPE_CHECKING:
    from quadrat.photos.explain.explaining import Sheet

Array = NDArray[np.float64]

_CELL = 2.3
_MOST_ROWS = 24
"""Views on one sheet; those of a sample that has more are left off, and that is said."""


def write_sheets(sheets: Sequence[Sheet], folder: Path) -> list[Path]:
    """Writes a PNG for each sample, numbered as they come."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, sheet in enumerate(sheets, 1):
        name = re.sub(r"[^\w.-]+", "-", Path(sheet.sample).stem).strip("-.")[:60]
        path = folder / f"{number:03d}-{name}.png"
        buffer = io.BytesIO()
        _draw(sheet).savefig(buffer, format="png", dpi=110, metadata={"Software": None})
        with atomic_path(path) as temporary:
            temporary.write_bytes(buffer.getvalue())
        paths.append(path)
    return paths


@styled()
def _draw(sheet: Sheet) -> Figure:
    views, targets = min(len(sheet.pictures), _MOST_ROWS), len(sheet.targets)
    height, width = sheet.pictures.shape[1:3]
    figure = new_figure(_CELL * (targets + 1), _CELL * height / width * views + 0.9)
    axes = figure.subplots(views, targets + 1, squeeze=False)
    limits = np.maximum(np.abs(sheet.maps).max(axis=(0, 1, 2)), 1e-12)
    for view in range(views):
        _photo(axes[view, 0], sheet.pictures[view])
        for target in range(targets):
            _map(axes[view, target + 1], sheet, view, target, limits[target])
    axes[0, 0].set_title(sheet.sample[-28:], fontsize=8)
    for target in range(targets):
        axes[0, target + 1].set_title(_said(sheet, target), fontsize=8)
    left_off = len(sheet.pictures) - views
    more = f"; {left_off} further views are not shown" if left_off else ""
    figure.supxlabel(f"{sheet.meaning}{more}", fontsize=8)
    return figure


def _photo(axes: Axes, picture: NDArray[np.uint8]) -> None:
    axes.imshow(picture)
    axes.axis("off")


def _map(axes: Axes, sheet: Sheet, view: int, target: int, limit: float) -> None:
    picture = sheet.pictures[view]
    grey = picture.mean(axis=2)
    axes.imshow(grey, cmap="gray", vmin=0, vmax=255)
    height, width = grey.shape
    axes.imshow(
        sheet.maps[view, :, :, target],
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        alpha=0.55,
        interpolation="bilinear",
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
    )
    axes.axis("off")


def _said(sheet: Sheet, target: int) -> str:
    """The name of a target with what is predicted, and what is true where that is known."""
    predicted, sigma, truth = (
        float(values[target]) for values in (sheet.predicted, sheet.sigma, sheet.truth)
    )
    spread = "" if math.isnan(sigma) else f" ± {sigma:.3g}"
    known = "" if math.isnan(truth) else f" (true {truth:.4g})"
    return f"{sheet.targets[target]}\n{predicted:.4g}{spread}{known}"
