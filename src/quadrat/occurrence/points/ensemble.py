"""Models of several kinds that answer together, and how they lie in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from quadrat.errors import RunError
from quadrat.occurrence.points.encoding import Inputs, PointEncoder
from quadrat.occurrence.points.forest import Forests
from quadrat.occurrence.points.logistic import Logistic
from quadrat.occurrence.points.network import NetworkShape, PointNetwork
from quadrat.occurrence.points.table import Covariates
from quadrat.runs import atomic_path, read_json, write_json

FILE = "ensemble.json"
_CHUNK = 4096
Arrays = Mapping[str, NDArray[np.generic]]


class PointModel(Protocol):
    """What an ensemble asks of a model."""

    def answers(self, inputs: Inputs) -> NDArray[np.float32]:
        """Between 0 and 1, for every site and species ``(N, S)``."""
        ...

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All that it has learnt, by name."""
        ...


@dataclass(frozen=True)
class Networks:
    """Trained networks as one model: the mean of the members.

    Args:
        module: The members.
        balanced: Answer as if a species were present at half of its sites. With presence-only
            records the share of presences is the choice of whoever drew the background.
    """

    module: PointNetwork
    balanced: bool

    @torch.inference_mode()
    def answers(self, inputs: Inputs) -> NDArray[np.float32]:
        """The mean over members of the probabilities ``(N, S)``."""
        self.module.eval()
        device = self.module.prior.device
        offset = torch.zeros_like(self.module.prior) if self.balanced else self.module.prior
        parts = [
            (
                self.module.log_ratios(torch.from_numpy(inputs[start : start + _CHUNK]).to(device))
                + offset
            )
            .sigmoid()
            .mean(dim=0)
            .cpu()
            for start in range(0, max(1, len(inputs)), _CHUNK)
        ]
        found: NDArray[np.float32] = torch.cat(parts).numpy()
        return found

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The weights by name."""
        return {name: t.detach().cpu().numpy() for name, t in self.module.state_dict().items()}


@dataclass(frozen=True)
class PointEnsemble:
    """Models that answer together; every kind has the same weight.

    Args:
        encoder: The encoding of covariates that all of them use.
        models: By kind.
        balanced: Whether answers are those of equally many presences and absences.
    """

    encoder: PointEncoder
    models: Mapping[str, PointModel]
    balanced: bool

    def answers(
        self, covariates: Covariates, species: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Between 0 and 1, for every place and species ``(N, S)``.

        Args:
            covariates: Of the places.
            species: Columns of the wanted ones; by default all.
        """
        inputs = self.encoder.encoded(covariates)
        found = (_answers(model, inputs, species) for model in self.models.values())
        total = sum(each.astype(np.float64) for each in found)
        return (np.asarray(total) / len(self.models)).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Writes everything into a folder: JSON, and arrays as safetensors."""
        folder.mkdir(parents=True, exist_ok=True)
        for kind, model in self.models.items():
            arrays = {name: np.ascontiguousarray(a) for name, a in model.arrays().items()}
            with atomic_path(folder / f"{kind}.safetensors") as temporary:
                temporary.write_bytes(save(arrays))
        shapes = {
            kind: vars(model.module.shape) if isinstance(model, Networks) else {}
            for kind, model in self.models.items()
        }
        description = {"encoder": self.encoder.to_dict(), "balanced": self.balanced}
        write_json(folder / FILE, {**description, "models": shapes})

    @classmethod
    def load(cls, folder: Path, *, device: str | torch.device = "cpu") -> PointEnsemble:
        """Reads what `save` wrote.

        Raises:
            RunError: A file is missing or damaged.
        """
        described = read_json(folder / FILE)
        balanced = bool(described["balanced"])
        models: dict[str, PointModel] = {}
        for kind, shape in described["models"].items():
            arrays = _arrays(folder / f"{kind}.safetensors")
            try:
                models[kind] = _model(kind, arrays, shape, balanced, torch.device(device))
            except (TypeError, RuntimeError) as error:
                raise RunError(
                    f"the {kind} in {folder} cannot be used: {error}".splitlines()[0]
                ) from error
        return cls(PointEncoder.from_dict(described["encoder"]), models, balanced)


def _answers(
    model: PointModel, inputs: Inputs, species: Sequence[int] | None
) -> NDArray[np.float32]:
    if species is None:
        return model.answers(inputs)
    if isinstance(model, Forests):  # the trees of other species need not be walked
        return model.of_species(species).answers(inputs)
    return model.answers(inputs)[:, list(species)]


def _model(
    kind: str, arrays: Arrays, shape: Mapping[str, object], balanced: bool, device: torch.device
) -> PointModel:
    if kind == "forest":
        return Forests.from_arrays(arrays)
    if kind == "logistic":
        return Logistic.from_arrays(arrays)
    if kind != "network":
        raise RunError(f"the model kind '{kind}' is unknown. Install a newer quadrat.")
    module = PointNetwork(NetworkShape(**shape))  # type: ignore[arg-type]
    module.load_state_dict({name: torch.from_numpy(a) for name, a in arrays.items()})
    return Networks(module.to(device).eval(), balanced)


def _arrays(path: Path) -> Arrays:
    try:
        arrays: Arrays = load_file(path)
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path} cannot be used: {error} Repeat the run.") from error
    return arrays
