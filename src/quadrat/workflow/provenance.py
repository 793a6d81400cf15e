"""Where a run comes from: versions, machine, seeds, hashes of the input tables, command line."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import quadrat
from quadrat.experiment import Experiment, located
from quadrat.runs import read_json

_PACKAGES = ("torch", "torchvision", "timm", "accelerate", "numpy", "polars", "scikit-learn", "h3")


def provenance(experiment: Experiment) -> dict[str, Any]:
    """The record that goes into ``provenance.json``."""
    import torch

    from quadrat.engine import Backend

    backend = Backend.create(experiment.run.device, experiment.optimiser.precision)
    name = torch.cuda.get_device_name() if backend.device.type == "cuda" else platform.processor()
    return {
        "quadrat": quadrat.__version__,
        "python": platform.python_version(),
        "packages": {package: _version(package) for package in _PACKAGES},
        "system": platform.platform(),
        "device": {"type": backend.device.type, "name": name, "precision": backend.precision},
        "threads": torch.get_num_threads(),
        "seed": experiment.seed,
        "experiment": experiment.content_hash(),
        "tables": {key: file_hash(path) for key, path in input_files(experiment)},
        "runs": {key: weights_hash(path) for key, path in input_runs(experiment)},
        "command": list(sys.argv),
        "folder": os.fspath(Path.cwd()),
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def input_files(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """The files that an experiment names, with their keys."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from input_files(value, f"{prefix}{name}.")
        elif isinstance(value, tuple):
            for place, item in enumerate(value):
                if isinstance(item, BaseModel):
                    yield from input_files(item, f"{prefix}{name}.{place}.")
        mark = located(field)
        if mark is not None and mark.holds_path(value) and mark.path(value).is_file():
            yield f"{prefix}{name}", mark.path(value)


def input_runs(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """The run folders that an experiment names, with their keys."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from input_runs(value, f"{prefix}{name}.")
        mark = located(field)
        if mark is not None and mark.holds_path(value):
            path = mark.path(value)
            if (path / "model.json").is_file():
                yield f"{prefix}{name}", path


def weights_hash(run: Path) -> str | None:
    """The SHA-256 of the weights of a run with one network."""
    weights = read_json(run / "model.json").get("weights")
    return file_hash(run / weights) if isinstance(weights, str) else None


def file_hash(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
