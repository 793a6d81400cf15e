"""Monocular depth: a frozen network of transformers, from the hub, a folder or a file."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from quadrat._extras import require
from quadrat.errors import DataError
from quadrat.photos.depth.architectures import TINY, architecture
from quadrat.photos.encoders.base import reason
from quadrat.photos.encoders.weights import hash_weights

_CONFIG, _WEIGHTS = "config.json", "model.safetensors"
_KIND = "depth_anything"
_SHOWN = 6
# What decides a map besides the weights and their shapes.
_DECIDE = ("depth_estimation_type", "max_depth", "patch_size", "head_in_index")
_DECIDE_BACKBONE = ("num_attention_heads", "out_indices", "apply_layernorm", "layer_norm_eps")


class DepthModel(nn.Module):
    """A depth network that never learns and always stays in evaluation mode.

    Args:
        network: ``DepthAnythingForDepthEstimation`` of transformers.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.config: Any = network.config
        self.requires_grad_(False)
        self.train(False)

    @property
    def metric(self) -> bool:
        """Whether maps are distances in metres; otherwise nearness without a unit."""
        return bool(self.config.depth_estimation_type == "metric")

    @property
    def patch(self) -> int:
        """The sides of a photo must be multiples of this many pixels."""
        return int(self.config.patch_size)

    def train(self, mode: bool = True) -> Self:
        """Leaves the network in evaluation mode."""
        return super().train(False)

    def forward(self, photos: Tensor) -> Tensor:
        """Maps ``(V, H, W)`` of prepared photos ``(V, 3, H, W)``.

        Networks that are not metric say disparity: large is near, up to a scale and a shift that
        they choose for every photo. Metric ones say metres: large is far.
        """
        depth: Tensor = self.network(pixel_values=photos).predicted_depth
        return depth

    def fingerprint(self) -> str:
        """A hash of everything that decides what comes out of a prepared photo."""
        backbone = self.config.backbone_config
        decides = [getattr(self.config, key) for key in _DECIDE]
        decides += [getattr(backbone, key) for key in _DECIDE_BACKBONE]
        return hash_weights(self.network, _KIND, *(str(value) for value in decides))

    def save(self, folder: Path) -> None:
        """Writes configuration and weights, as `load_depth_model` reads them."""
        network: Any = self.network
        transformers: Any = require("transformers", extra="depth", purpose="a depth model")
        with tempfile.TemporaryDirectory(dir=_made(folder.parent), prefix=".depth") as temporary:
            with _quiet(transformers):
                network.save_pretrained(temporary)
            for name in (_WEIGHTS, _CONFIG):
                (Path(temporary) / name).replace(_made(folder) / name)


def load_depth_model(name: str, weights: str = "hub", *, seed: int = 0) -> DepthModel:
    """Makes a depth network, on the CPU, in float32.

    Args:
        name: Its name on the hub, or ``tiny``.
        weights: ``hub``; ``none`` for random ones; a folder with ``config.json`` and
            ``model.safetensors``; or a safetensors file, with a ``config.json`` beside it or of
            the network that ``name`` says.
        seed: Of random weights; the global generators are left as they are.

    Raises:
        MissingExtraError: transformers is not installed.
        DataError: Configuration or weights cannot be had, or do not fit.
    """
    require("transformers", extra="depth", purpose="a depth model")
    if weights == "none":
        return DepthModel(_random(architecture(name), seed))
    path = _fetched(name) if weights == "hub" else _local(Path(weights))
    beside = path.parent / _CONFIG
    config = _read_config(beside) if beside.is_file() else architecture(name)
    return DepthModel(_filled(config, path))


def _random(config: Any, seed: int) -> nn.Module:
    transformers: Any = require("transformers", extra="depth", purpose="a depth model")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = transformers.DepthAnythingForDepthEstimation(config)
    return network


def _fetched(name: str) -> Path:
    """The weights of a network from the hub, with its configuration beside them."""
    hub: Any = require("huggingface_hub", extra="depth", purpose="a depth model of the hub")
    if name == TINY:
        raise DataError(
            f"depth.model: the network '{TINY}' has no trained weights.",
            fix="set depth.weights = 'none', or another depth.model.",
        )
    try:
        hub.hf_hub_download(name, _CONFIG)
        return Path(hub.hf_hub_download(name, _WEIGHTS))
    except (OSError, ValueError, hub.errors.EntryNotFoundError) as error:
        raise DataError(
            f"the depth model {name} cannot be had from the hub: {reason(error)}.",
            fix="check depth.model and the connection; or, with none, fetch config.json and "
            "model.safetensors elsewhere and set depth.weights to their folder.",
        ) from error


def _local(path: Path) -> Path:
    file = path / _WEIGHTS if path.is_dir() else path
    if path.is_dir() and not (path / _CONFIG).is_file():
        raise DataError(f"depth.weights: the folder {path} has no {_CONFIG}.")
    if not file.is_file():
        raise DataError(f"depth.weights: the file {file} does not exist.", fix="check the path.")
    return file


def _read_config(path: Path) -> Any:
    transformers: Any = require("transformers", extra="depth", purpose="a depth model")
    try:
        config = transformers.AutoConfig.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read: {reason(error)}.") from error
    if config.model_type != _KIND:
        raise DataError(
            f"{path} describes a network of the kind '{config.model_type}', not {_KIND}.",
            fix="use a network of Depth Anything.",
        )
    return config


def _filled(config: Any, path: Path) -> nn.Module:
    """The network of a configuration with all its weights from a file, and no others."""
    transformers: Any = require("transformers", extra="depth", purpose="a depth model")
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"depth.weights: {path} is no safetensors file: {reason(error)}."
        ) from error
    with _quiet(transformers):
        network, found = transformers.DepthAnythingForDepthEstimation.from_pretrained(
            None,
            config=config,
            state_dict=state,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # they are told below, by name
            output_loading_info=True,
        )
    problems = [
        f"{what}: {', '.join(names[:_SHOWN])}" + (" …" if len(names) > _SHOWN else "")
        for what, names in (
            ("missing", sorted(found["missing_keys"])),
            ("unexpected", sorted(found["unexpected_keys"])),
            ("of another shape", sorted(str(key[0]) for key in found["mismatched_keys"])),
        )
        if names
    ]
    if problems:
        raise DataError(
            f"depth.weights: {path} does not hold the weights of this network.",
            problems,
            fix="put the config.json that belongs to it beside it, or name its network in "
            "depth.model.",
        )
    loaded: nn.Module = network
    return loaded


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Without the bars and reports of transformers, whose findings become our errors."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
