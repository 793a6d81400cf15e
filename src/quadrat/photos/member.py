"""One trained network with everything it needs to answer: a fold's model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from quadrat.errors import RunError
from quadrat.photos.encoders import PhotoEncoder
from quadrat.photos.features.source import FeatureSource
from quadrat.photos.fusion.plain import Metadata
from quadrat.photos.network.photos_network import NetworkSpec, PhotosNetwork
from quadrat.photos.predictions import Answer
from quadrat.photos.samples.loading import Samples
from quadrat.runs import atomic_path
from quadrat.runtime.metadata import MetadataEncoder
from quadrat.targets import TargetScaler

Array = NDArray[np.float64]

_CHUNK = 4096


class _Input(NamedTuple):
    """Pooled or single vectors of some samples."""

    views: Tensor
    owner: Tensor
    metadata: Metadata


@dataclass(frozen=True)
class Member:
    """A network, and how metadata and targets are scaled for it.

    Attributes:
        network: The network; with its own encoder where that was trained.
        metadata: Learnt from the training rows.
        scaler: The same of the targets.
        floor: Smallest value of every target: 0 where no training value is negative, otherwise
            minus infinity.
        target_means: Training mean of every target, in its unit.
        covariance: Of the errors on the inner rows ``(T, T)``, where the balance asks for it.
    """

    network: PhotosNetwork
    metadata: MetadataEncoder
    scaler: TargetScaler
    floor: tuple[float, ...]
    target_means: tuple[float, ...]
    covariance: Array | None = None

    def source(self, frozen: FeatureSource) -> FeatureSource:
        """Where the member's vectors come from: its own encoder if it has one."""
        if self.network.encoder is None:
            return frozen
        return FeatureSource(
            self.network.encoder, device=frozen.device, cache=False, workers=frozen.workers
        )

    def answer(
        self, samples: Samples, source: FeatureSource, *, hide_metadata: bool = False
    ) -> Answer:
        """What the member says about samples.

        Args:
            samples: Their photos and metadata.
            source: Where its vectors come from (`source`).
            hide_metadata: Answer as if no metadata were known.
        """
        features = source.of(samples, predict=True)
        device = source.device
        metadata = Metadata.of(self.metadata.encode(samples.numeric, samples.categorical), device)
        if hide_metadata:
            metadata = metadata.hidden()
        views = torch.from_numpy(features.matrix).to(device)
        owner = torch.from_numpy(features.owner).to(device)
        parameters = _forward(self.network.to(device), views, owner, metadata)
        floor = np.array(self.floor)
        return Answer(parameters, self.scaler, floor, self.network.spec.distribution)

    def to_json(self) -> dict[str, Any]:
        """Everything but the weights."""
        return {
            "network": self.network.spec.to_json(),
            "metadata": self.metadata.to_json(),
            "targets": self.scaler.to_json(),
            "floor": [value if np.isfinite(value) else None for value in self.floor],
            "target_means": list(self.target_means),
            "covariance": None if self.covariance is None else self.covariance.tolist(),
        }

    def save_weights(self, path: Path) -> None:
        """Writes the weights as safetensors."""
        state = {k: v.detach().cpu().contiguous() for k, v in self.network.state_dict().items()}
        with atomic_path(path) as temporary:
            save_file(state, temporary)

    @classmethod
    def load(cls, path: Path, values: Mapping[str, Any], encoder: PhotoEncoder | None) -> Member:
        """Reads a member.

        Args:
            path: Its weights.
            values: What `to_json` gave.
            encoder: An encoder of the same build, where it was trained with the member.

        Raises:
            RunError: The weights are missing, damaged, or of another network.
        """
        network = PhotosNetwork(NetworkSpec.from_json(values["network"]), encoder)
        try:
            network.load_state_dict(load_file(path))
        except (OSError, SafetensorError, RuntimeError) as error:
            why = str(error).splitlines()[0]
            raise RunError(
                f"{path} does not hold the weights of this model: {why} Resume or repeat the run."
            ) from error
        covariance = values["covariance"]
        return cls(
            network.eval(),
            MetadataEncoder.from_json(values["metadata"]),
            TargetScaler.from_json(values["targets"]),
            tuple(-np.inf if value is None else float(value) for value in values["floor"]),
            tuple(float(value) for value in values["target_means"]),
            None if covariance is None else np.array(covariance, dtype=np.float64),
        )


def lowest_values(targets: Array) -> tuple[float, ...]:
    """The floor of every target, from training values ``(N, T)``; see `Member`."""
    return tuple(np.where(np.nanmin(targets, axis=0) >= 0.0, 0.0, -np.inf).tolist())


@torch.inference_mode()
def _forward(network: PhotosNetwork, views: Tensor, owner: Tensor, metadata: Metadata) -> Array:
    """Parameters ``(N, T, P)``, in float32 and evaluation mode, chunk by chunk."""
    network.eval()
    count = len(metadata.numeric)
    found = []
    for first in range(0, count, _CHUNK):
        last = min(first + _CHUNK, count)
        mine = (owner >= first) & (owner < last)
        chosen = torch.arange(first, last, device=owner.device)
        given = _Input(views[mine], owner[mine] - first, metadata.take(chosen))
        found.append(network(given).double().cpu().numpy())
    return np.concatenate(found)
