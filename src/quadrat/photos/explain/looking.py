"""Maps from inside a network: gradients, attention and densities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quadrat.errors import UsageError
from quadrat.photos.encoders.pooling import reads_class_token
from quadrat.photos.encoders.steps import State
from quadrat.photos.explain.recording import attentions, parts_of, recorded
from quadrat.photos.explain.subject import Subject
from quadrat.photos.heads.amounts import DensityHead
from quadrat.photos.member import Member

Array = NDArray[np.float64]


def gradcam(subject: Subject) -> Array:
    """How much each place adds to the predictions, ``(V, h, w, T)``, mean over the members.

    The gradient of a target's mean with respect to the last map of the encoder, times the map,
    summed over channels; in standard deviations of the target, with its sign. Where a network
    averages the places this is Grad-CAM (Selvaraju et al. 2017, ICCV) without its cut at zero,
    which is for classes; elsewhere it keeps gradients of different places apart (Draelos and
    Carin 2020, "HiResCAM").

    Raises:
        UsageError: The encoder has no places that can be seen.
    """
    return np.asarray(np.mean([_gradcam(subject, member) for member in subject.members], axis=0))


def _gradcam(subject: Subject, member: Member) -> Array:
    part = parts_of(subject, member)[-1]
    network = member.network.to(subject.source.device).eval()
    with torch.enable_grad(), recorded(part) as recorder:
        pixels = subject.pixels.clone().requires_grad_()
        parameters = network(subject.batch(member, subject.hold(pixels))).parameters
        means = network.distribution.mean(parameters)[0]
        state = recorder.state
        if state is None or (state.values.ndim == 3 and state.grid is None):
            raise UsageError("the places of this encoder cannot be seen; use --method occlusion.")
        values = state.values
        slopes = [torch.autograd.grad(mean, values, retain_graph=True)[0] for mean in means]
    places = part.steps.places(part.model, state)
    maps = [
        (places * part.steps.places(part.model, State(slope, state.grid))).sum(dim=-1)
        for slope in slopes
    ]
    return torch.stack(maps, dim=-1).detach().double().cpu().numpy()


def rollout(subject: Subject) -> Array:
    """Where attention comes from, ``(V, h, w, T)``: the same for all targets, mean over members.

    The attention of the class token to places, through all blocks; of networks without one, the
    mean over places. It says where a network looks, not what for.

    Raises:
        UsageError: The network has no attention between all places.
    """
    found = [_rollout(subject, member) for member in subject.members]
    each: Array = np.mean(found, axis=0)
    return np.repeat(each[..., None], subject.members[0].network.spec.targets, axis=-1)


def _rollout(subject: Subject, member: Member) -> Array:
    parts = parts_of(subject, member)
    network = member.network.to(subject.source.device).eval()
    last = parts[-1]
    with torch.no_grad(), attentions(parts) as layers, recorded(last) as recorder:
        network(subject.batch(member, subject.hold(subject.pixels)))
    rolled = roll(layers)
    prefix = int(getattr(last.model, "num_prefix_tokens", 0))
    row = rolled[:, 0] if prefix and reads_class_token(last.model) else rolled[:, prefix:].mean(1)
    if recorder.state is None or recorder.state.grid is None:
        raise UsageError("the places of this encoder cannot be seen; use --method occlusion.")
    return row[:, prefix:].reshape(len(row), *recorder.state.grid).double().cpu().numpy()


def roll(layers: Sequence[Tensor]) -> Tensor:
    """The attention through all layers ``(V, N, N)``; every row sums to one.

    ``R = A_L … A_1`` with ``A = (mean over heads + identity) / 2``, whose identity stands for the
    residual connection (Abnar and Zuidema 2020, "Quantifying attention flow in transformers", ACL).

    Args:
        layers: The attention of each block ``(V, heads, N, N)``, the first one first.
    """
    rolled = torch.eye(layers[0].shape[-1], device=layers[0].device, dtype=torch.float64)
    for attention in layers:
        mixed = 0.5 * (attention.double().mean(dim=1) + torch.eye(attention.shape[-1]).to(rolled))
        rolled = mixed @ rolled
    return rolled / rolled.sum(dim=-1, keepdim=True)


@torch.inference_mode()
def density(subject: Subject) -> Array:
    """The amounts that a density head puts in each place, ``(V, h, w, T)``, mean over the members.

    In the targets' units; the sums over places are the amounts that the head says.

    Raises:
        UsageError: The run's head tells no densities.
    """
    maps = []
    for member in subject.members:
        network = member.network.to(subject.source.device).eval()
        if not isinstance(network.head, DensityHead):
            raise UsageError(
                "density maps need head.kind = 'density'; use --method gradcam or occlusion."
            )
        views, _ = network.see(subject.batch(member, subject.hold(subject.pixels)), 1)
        found = network.head.density(views) @ network.head.summing.T
        maps.append(found.double().cpu().numpy())
    return np.asarray(np.mean(maps, axis=0))
