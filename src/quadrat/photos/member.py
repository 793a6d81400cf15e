"""One trained network with everything it needs to answer: a fold's model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from quadrat.errors import RunError
from quadrat.photos.batches import SampleBatches
from quadrat.photos.depth.scaling import DepthScale
from quadrat.photos.encoders import EncoderTail
from quadrat.photos.features.source import FeatureSource
from quadrat.photos.fusion import Metadata
from quadrat.photos.network.photos_network import PhotosNetwork
from quadrat.photos.network.spec import NetworkSpec
from quadrat.photos.predictions import Answer
from quadrat.photos.samples.loading import Samples
from quadrat.photos.schema.network_rules import needs_tokens
from quadrat.photos.unlike import Likeness
from quadrat.photos.views.looks import Look
from quadrat.runs import atomic_path
from quadrat.runtime.metadata import MetadataEncoder
from quadrat.targets import TargetScaler

Array = NDArray[np.float64]

_PLAIN = Look()
_POINTS = "unlike.points"
_CHUNK = 4096
_LIVE = 16
"""Samples in a batch, where only vectors are kept of a photo, and where an encoder learns, maps are
read or places are looked at."""


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
        depth: How depth maps are scaled, where the network takes them.
        likeness: Training samples that others are compared with; None in models of before, and
            where the training rows are one group.
    """

    network: PhotosNetwork
    metadata: MetadataEncoder
    scaler: TargetScaler
    floor: tuple[float, ...]
    target_means: tuple[float, ...]
    covariance: Array | None = None
    depth: DepthScale | None = None
    likeness: Likeness | None = None

    def answer(
        self,
        samples: Samples,
        source: FeatureSource,
        *,
        hide_metadata: bool = False,
        look: Look = _PLAIN,
    ) -> Answer:
        """What the member says about samples.

        Args:
            samples: Their photos and metadata.
            source: What the frozen part of the encoder says of photos.
            hide_metadata: Answer as if no metadata were known.
            look: How photos are looked at.
        """
        parts = source.plan.parts
        parameters, vectors = self._said(samples, source, hide_metadata, look)
        distance = None if self.likeness is None else self.likeness.distance(vectors)
        floor = np.array(self.floor)
        return Answer(parameters, self.scaler, floor, self.network.distribution, distance, parts)

    def knowing(self, samples: Samples, groups: NDArray[np.str_], source: FeatureSource) -> Member:
        """The same member, which can tell how unlike its training samples others are.

        Args:
            samples: Its training samples.
            groups: Group of each ``(N,)``.
            source: What the frozen part of the encoder says of photos.
        """
        _, vectors = self._said(samples, source, True, _PLAIN)
        return replace(self, likeness=Likeness.fit(vectors, groups))

    def _said(
        self, samples: Samples, source: FeatureSource, hide_metadata: bool, look: Look
    ) -> tuple[Array, NDArray[np.float32]]:
        """Parameters ``(N, T, P)`` and mean vectors ``(N, D)`` of samples.

        Where parts are samples of their own, these have parameters.
        """
        parts, count = source.plan.parts, len(samples)
        samples = samples.parted(parts)
        device = source.device
        metadata = Metadata.of(self.metadata.encode(samples.numeric, samples.categorical), device)
        batches = SampleBatches(
            source.views(samples, look=look, predict=True),
            source.see(samples),
            metadata.hidden() if hide_metadata else metadata,
            np.full((len(samples), self.network.spec.targets), np.nan),
            samples.ids,
            batch_size=_LIVE if self._heavy else _CHUNK,
            device=device,
            depth=source.depth_views(samples, self.depth, look=look),
        )
        parameters, vectors = _forward(self.network.to(device), batches)
        return parameters, vectors.reshape(count, parts, -1).mean(axis=1)

    @property
    def _heavy(self) -> bool:
        """Whether much more than a vector is computed of a photo."""
        spec = self.network.spec
        return (
            self.network.encoder.learns
            or self.depth is not None
            or needs_tokens(spec.fusion, spec.head)
        )

    def to_json(self) -> dict[str, Any]:
        """Everything but the weights."""
        return {
            "network": self.network.spec.to_json(),
            "metadata": self.metadata.to_json(),
            "targets": self.scaler.to_json(),
            "floor": [value if np.isfinite(value) else None for value in self.floor],
            "target_means": list(self.target_means),
            "covariance": None if self.covariance is None else self.covariance.tolist(),
            "depth": None if self.depth is None else self.depth.to_json(),
            "unlike": None if self.likeness is None else self.likeness.to_json(),
        }

    def save_weights(self, path: Path) -> None:
        """Writes the weights as safetensors, and with them the samples to compare with."""
        state = {k: v.detach().cpu().contiguous() for k, v in self.network.state_dict().items()}
        if self.likeness is not None:
            state[_POINTS] = torch.from_numpy(self.likeness.points).half()
        with atomic_path(path) as temporary:
            save_file(state, temporary)

    @classmethod
    def load(cls, path: Path, values: Mapping[str, Any], tail: EncoderTail) -> Member:
        """Reads a member.

        Args:
            path: Its weights.
            values: What `to_json` gave.
            tail: A tail of the same build.

        Raises:
            RunError: The weights are missing, damaged, or of another network.
        """
        network = PhotosNetwork(NetworkSpec.from_json(values["network"]), tail)
        try:
            state = load_file(path)
            points = state.pop(_POINTS, torch.empty(0))
            network.load_state_dict(state)
        except (OSError, SafetensorError, RuntimeError) as error:
            why = str(error).splitlines()[0]
            raise RunError(
                f"{path} does not hold the weights of this model: {why} Resume or repeat the run."
            ) from error
        covariance, depth = values["covariance"], values.get("depth")
        unlike = values.get("unlike")
        return cls(
            network.eval(),
            MetadataEncoder.from_json(values["metadata"]),
            TargetScaler.from_json(values["targets"]),
            tuple(-np.inf if value is None else float(value) for value in values["floor"]),
            tuple(float(value) for value in values["target_means"]),
            None if covariance is None else np.array(covariance, dtype=np.float64),
            None if depth is None else DepthScale.from_json(depth),
            Likeness.from_json(points.float().numpy(), unlike) if unlike else None,
        )


def lowest_values(targets: Array) -> tuple[float, ...]:
    """The floor of every target, from training values ``(N, T)``; see `Member`."""
    return tuple(np.where(np.nanmin(targets, axis=0) >= 0.0, 0.0, -np.inf).tolist())


@torch.inference_mode()
def _forward(network: PhotosNetwork, batches: SampleBatches) -> tuple[Array, NDArray[np.float32]]:
    """Parameters ``(N, T, P)`` and vectors ``(N, D)``, in evaluation mode, batch by batch."""
    network.eval()
    parameters, vectors = [], []
    for batch in batches.epoch(0):
        output = network(batch)
        parameters.append(output.parameters.double().cpu().numpy())
        vectors.append(output.vectors.cpu().numpy())
    return np.concatenate(parameters), np.concatenate(vectors)
