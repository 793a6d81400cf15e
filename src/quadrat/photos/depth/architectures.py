"""The networks of Depth Anything V2 by name, so that they can be built without a model hub.

The sizes are those of Yang et al. 2024, "Depth Anything V2" (NeurIPS, arXiv:2406.09414): a DINOv2
backbone, of which four layers go through a dense prediction head (Ranftl et al. 2021, "Vision
transformers for dense prediction", ICCV).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quadrat._extras import require
from quadrat.errors import DataError, closest

TINY = "tiny"
"""The name of a network of 40,000 weights, for tests and rehearsals; it has no trained ones."""

_PREFIX = "depth-anything/Depth-Anything-V2-"
_REACH_M = {"Indoor": 20, "Outdoor": 80}


@dataclass(frozen=True)
class _Size:
    """A backbone and what follows it.

    Attributes:
        width: Length of a token.
        heads: Of attention.
        layers: Of the backbone.
        taken: Layers that the dense head sees, counted from 1.
        necks: Channels of each.
        fused: Channels after they are joined.
        head: Channels before the last layer.
        side: Side of the pictures it was trained on, in pixels.
        spread: Standard deviation of random weights.
    """

    width: int
    heads: int
    layers: int
    taken: tuple[int, ...]
    necks: tuple[int, ...]
    fused: int
    head: int = 32
    side: int = 518
    spread: float = 0.02


_SIZES = {
    "Small": _Size(384, 6, 12, (3, 6, 9, 12), (48, 96, 192, 384), 64),
    "Base": _Size(768, 12, 12, (3, 6, 9, 12), (96, 192, 384, 768), 128),
    "Large": _Size(1024, 16, 24, (5, 12, 18, 24), (256, 512, 1024, 1024), 256),
}
# With weights as small as usual, so thin a network would say zero everywhere.
_TINY = _Size(16, 2, 4, (1, 2, 3, 4), (4, 8, 8, 16), 8, head=8, side=56, spread=0.2)


def known_names() -> list[str]:
    """The names that `architecture` knows, the tiny one last."""
    relative = [f"{_PREFIX}{size}-hf" for size in _SIZES]
    metric = [f"{_PREFIX}Metric-{where}-{size}-hf" for where in _REACH_M for size in _SIZES]
    return [*relative, *metric, TINY]


def architecture(name: str) -> Any:
    """The configuration of a network, as transformers holds it.

    Args:
        name: One of `known_names`.

    Raises:
        DataError: No network has this name.
        MissingExtraError: transformers is not installed.
    """
    if name not in known_names():
        raise DataError(
            f"depth.model: '{name}' is not a network that can be built from its name alone."
            f"{closest(name, known_names())}",
            [f"known: {known}" for known in known_names()],
            fix="use one of these, or a folder with its config.json as depth.weights.",
        )
    where = next((place for place in _REACH_M if f"-Metric-{place}-" in name), None)
    size = _TINY if name == TINY else _SIZES[name.split("-")[-2]]
    kind = {"depth_estimation_type": "metric", "max_depth": _REACH_M[where]} if where else {}
    transformers: Any = require("transformers", extra="depth", purpose="a depth model")
    backbone = transformers.Dinov2Config(
        hidden_size=size.width,
        num_attention_heads=size.heads,
        num_hidden_layers=size.layers,
        out_indices=list(size.taken),
        image_size=size.side,
        patch_size=14,
        apply_layernorm=True,
        reshape_hidden_states=False,
        initializer_range=size.spread,
    )
    return transformers.DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=14,
        reassemble_hidden_size=size.width,
        neck_hidden_sizes=list(size.necks),
        fusion_hidden_size=size.fused,
        head_hidden_size=size.head,
        initializer_range=size.spread,
        **kind,
    )
