"""How what a network says of the places of a view becomes one vector."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from quadrat.photos.encoders.steps import State, Steps

GEM_POWER = 3.0
"""Power of the generalised mean where it does not learn, and where it begins to."""

_LEAST = 1e-6


def pooled(
    kind: str,
    steps: Steps,
    network: nn.Module,
    state: State,
    power: Tensor | float = GEM_POWER,
) -> Tensor:
    """The vectors ``(V, K)`` of views.

    Args:
        kind: ``auto`` (what the network does itself at its end), ``class``, ``mean``, ``max`` or
            ``gem``.
        steps: How the network runs.
        network: The network, or the part of it that holds its own pooling.
        state: After a block, or after the end.
        power: Of ``gem``.
    """
    model: Any = network
    if kind == "auto":
        vectors: Tensor = model.forward_head(state.values)
        return vectors
    if kind == "class":
        return state.values[:, 0]
    places = steps.places(network, state).flatten(1, 2)
    if kind == "gem":
        return generalised_mean(places, power)
    return places.mean(dim=1) if kind == "mean" else places.amax(dim=1)


def generalised_mean(places: Tensor, power: Tensor | float) -> Tensor:
    """``(mean of x^p)^(1/p)`` over places ``(V, N, K)``, in float32, ``(V, K)``.

    Values below 1e-6 count as 1e-6, because powers of negative numbers are not real.

    Reference: Radenović, Tolias & Chum 2018, Fine-tuning CNN image retrieval with no human
    annotation.
    """
    return places.float().clamp(min=_LEAST).pow(power).mean(dim=1).pow(1.0 / power)


def reads_class_token(network: nn.Module) -> bool:
    """Whether a network's own vector is its class token."""
    return has_class_token(network) and getattr(network, "global_pool", "") == "token"


def has_class_token(network: nn.Module) -> bool:
    """Whether a network has a class token."""
    return getattr(network, "cls_token", None) is not None
