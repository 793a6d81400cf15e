"""The selective scan: a linear recurrence whose steps depend on what is read."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import Tensor

CHUNK = 32
"""Steps whose decays and inputs are computed together, before the loop over them."""

PackageScan = Callable[..., Tensor]


def selective_scan(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """``h_t = exp(Δ_t A) h_{t-1} + Δ_t u_t B_t``, ``y_t = C_t h_t``, from ``h_0 = 0``.

    Gu & Dao (2023), "Mamba: linear-time sequence modeling with selective state spaces". A step
    with ``Δ = 0`` leaves the state as it is. Of a step only one multiplication and one addition
    wait for the step before; all else is computed for many steps at once.

    Args:
        u: Inputs ``(B, L, E)``.
        delta: Step sizes Δ ≥ 0, ``(B, L, E)``.
        a: A < 0, ``(E, N)``.
        b: ``(B, L, N)``.
        c: ``(B, L, N)``.

    Returns:
        y, ``(B, L, E)``.
    """
    state = u.new_zeros(len(u), *a.shape)
    found = []
    for start in range(0, u.shape[1], CHUNK):
        part = slice(start, start + CHUNK)
        decay = torch.exp(delta[:, part, :, None] * a)
        added = (delta[:, part] * u[:, part])[..., None] * b[:, part, None]
        states = []
        for kept, new in zip(decay.unbind(1), added.unbind(1), strict=True):
            state = torch.addcmul(new, kept, state)
            states.append(state)
        found.append((torch.stack(states, dim=1) @ c[:, part, :, None]).squeeze(-1))
    return torch.cat(found, dim=1)


def fast_scan(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The same by the kernels of the package mamba_ssm, where it is installed and on CUDA."""
    if u.is_cuda and find_spec("mamba_ssm") is not None:
        kernels = import_module("mamba_ssm.ops.selective_scan_interface")
        return by_package(kernels.selective_scan_fn, u, delta, a, b, c)
    return selective_scan(u, delta, a, b, c)


def by_package(
    scan: PackageScan, u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor
) -> Tensor:
    """The scan by a function that takes time last, as mamba_ssm's does."""
    turned = (part.transpose(1, 2).contiguous() for part in (u, delta))
    states = (part.transpose(1, 2).contiguous() for part in (b, c))
    return scan(*turned, a, *states).transpose(1, 2)
