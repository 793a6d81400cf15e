"""The checkpoint file of the BirdNET geomodel, read without running any code that it may hold."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quadrat.errors import DataError
from quadrat.occurrence.network.model import NetworkSpec

_SCALAR = np._core.multiarray.scalar  # type: ignore[attr-defined]

_SAFE = [
    _SCALAR,
    (_SCALAR, "numpy.core.multiarray.scalar"),  # its name in numpy 1
    np.dtype,
    *(getattr(np.dtypes, f"{kind}DType") for kind in ("Str", "Int64", "Float32", "Float64")),
]
"""Codes and scores of some checkpoints are numpy scalars; these make them and run nothing."""

_DEFAULT_SCALE = 1.0
"""What the geomodel's own programs assume where the configuration does not tell the scale."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds that a model needs.

    Args:
        path: The file.
        weights: Its parameters by the geomodel's names, on the CPU in single precision.
        spec: The shape of the network.
        codes: The species of the outputs, in order; None where the file does not tell.
        epoch: Epochs that it had been trained, if the file tells.
        score: The best GeoScore that it had, if the file tells.
        sha256: Of the file.
    """

    path: Path
    weights: Mapping[str, Tensor]
    spec: NetworkSpec
    codes: tuple[str, ...] | None
    epoch: int | None
    score: float | None
    sha256: str


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint of the geomodel (``checkpoint_best.pt``).

    Raises:
        DataError: The file is missing, holds other things than weights and plain data, or is no
            checkpoint of the geomodel.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"the checkpoint {path} cannot be read: {error.strerror}.") from error
    found = _unpacked(content, path)
    weights = _weights(found, path)
    config = found.get("model_config") or {}
    epoch, score = found.get("epoch"), found.get("best_geoscore")
    return Checkpoint(
        path=path,
        weights=weights,
        spec=_spec(weights, config),
        codes=_codes(found.get("species_vocab"), path),
        epoch=int(epoch) + 1 if epoch is not None else None,
        score=float(score) if score is not None else None,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _unpacked(content: bytes, path: Path) -> dict[str, Any]:
    try:
        with torch.serialization.safe_globals(_SAFE):
            found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [
            "it is cut short"
        ]
        foreign = next((line for line in lines if "GLOBAL" in line), None)
        if foreign is None:
            raise DataError(
                f"{path} is damaged or is not a file of torch.save: {lines[0].split('. ')[0]}.",
                fix="give checkpoint_best.pt or checkpoint_latest.pt of a geomodel training.",
            ) from error
        raise DataError(
            f"{path} holds more than weights and plain data, so opening it could run code that "
            f"somebody put there: {foreign}",
            fix="ask its authors for a checkpoint of tensors, numbers and text only.",
        ) from error
    return found if isinstance(found, dict) else {}


def _weights(found: Mapping[str, Any], path: Path) -> dict[str, Tensor]:
    state = found.get("model_state_dict", found)
    tensors = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    needed = ("encoder.input_proj.weight", "encoder.week_enc.harmonics", "species_head.head.3.bias")
    missing = [f"no {name}" for name in needed if name not in tensors]
    if missing:
        raise DataError(
            f"{path} is not a checkpoint of the BirdNET geomodel.",
            missing,
            fix="give checkpoint_best.pt or checkpoint_latest.pt of a geomodel training.",
        )
    return {name: value.float() for name, value in tensors.items()}


def _spec(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> NetworkSpec:
    """The shape; what the tensors themselves tell is not taken from the configuration."""
    environment = weights.get("env_head.head.1.bias")
    return NetworkSpec(
        encoding="harmonic",
        coord_harmonics=len(weights["encoder.lat_enc.harmonics"]),
        week_harmonics=len(weights["encoder.week_enc.harmonics"]),
        scale=float(config.get("model_scale", _DEFAULT_SCALE)),
        species=len(weights["species_head.head.3.bias"]),
        environment=0 if environment is None else len(environment),
        habitat_head="species_gate.weight" in weights,
    )


def _codes(vocabulary: Any, path: Path) -> tuple[str, ...] | None:
    if not vocabulary:
        return None
    by_index = {int(index): str(code) for index, code in vocabulary["idx_to_species"].items()}
    if sorted(by_index) != list(range(len(by_index))):
        raise DataError(f"{path}: the indices of its species are not 0, 1, 2 … without a gap.")
    return tuple(by_index[index] for index in range(len(by_index)))
