"""A calibration beside a model's weights: ``calibration.npz``, arrays only."""

from __future__ import annotations

import zipfile
from pathlib import Path

from quadrat.errors import RunError
from quadrat.runs import atomic_path
from quadrat.runtime.calibration import Calibration

FILE = "calibration.npz"


def save_calibration(folder: Path, calibration: Calibration | None) -> None:
    """Writes a calibration; where there is none, a file of an earlier one is removed."""
    path = folder / FILE
    if calibration is None:
        path.unlink(missing_ok=True)
        return
    with atomic_path(path) as temporary:
        calibration.write(temporary)


def load_calibration(folder: Path, species: int) -> Calibration | None:
    """Reads the calibration of a model, if it has one.

    Raises:
        RunError: The file is damaged, or is of another model.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        found = Calibration.read(path)
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise RunError(
            f"the calibration {path} cannot be used: {error}. Repeat the run."
        ) from error
    if found.slope.shape != (species,):
        raise RunError(
            f"{path} calibrates {found.slope.size} species, but the model has {species}. Restore "
            "the file that was written with it."
        )
    return found
