"""The state of a training: saved whole, atomically, and read back without pickle.

A state file is named ``state-<number>-<digest>.pt`` after the SHA-256 of its bytes, so that damage
of any kind is noticed. The last two are kept: when the newest is damaged, the one before it is
taken up, with a warning.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import torch

from quadrat.runs import atomic_path

FORMAT_VERSION = 1
_KEPT = 2


class DamagedStateWarning(UserWarning):
    """A saved state could not be read, and an older one is taken up."""


def save_state(folder: Path, state: dict[str, Any]) -> Path:
    """Writes a state and drops all but the last two.

    Args:
        folder: The folder of this training's states.
        state: Tensors and plain data.
    """
    buffer = io.BytesIO()
    torch.save({"format_version": FORMAT_VERSION, **state}, buffer)
    content = buffer.getbuffer()
    digest = hashlib.sha256(content).hexdigest()[:16]
    older = _states(folder)
    number = 1 + max((int(other.stem.split("-")[1]) for other in older), default=0)
    path = folder / f"state-{number:06d}-{digest}.pt"
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    for other in older[: -(_KEPT - 1)]:
        other.unlink()
    return path


def load_state(folder: Path) -> dict[str, Any] | None:
    """The newest state that is whole, on the CPU; None where training has not begun.

    A damaged file is skipped with a `DamagedStateWarning` and stays where it is.
    """
    for path in reversed(_states(folder)):
        try:
            return _read(path)
        except Exception as error:  # whatever a damaged file makes the reader do
            warnings.warn(
                f"the saved state {path} is damaged ({error}); going back to the one before it",
                DamagedStateWarning,
                stacklevel=2,
            )
    return None


def _read(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    digest = path.stem.rpartition("-")[2]
    if hashlib.sha256(content).hexdigest()[:16] != digest:
        raise ValueError("its content does not match its digest")
    state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    if state["format_version"] > FORMAT_VERSION:
        raise ValueError(f"format version {state['format_version']} is newer than this quadrat")
    return state


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob("state-*.pt")) if folder.is_dir() else []
