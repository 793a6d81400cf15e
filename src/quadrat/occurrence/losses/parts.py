"""Work on matrices of logits a few rows at a time, in single precision or finer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

RowSums = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From logits ``(R, W)`` to the sums of their losses ``(R,)`` and the derivatives ``(R, W)``."""

_AT_ONCE = {"cpu": 1 << 17}
_AT_ONCE_ELSEWHERE = 1 << 26
"""Logits at once: few enough for a processor's cache, many enough to fill a GPU."""


def by_parts(logits: Tensor, sums: RowSums) -> tuple[Tensor, Tensor]:
    """Sums and derivatives of all rows, the derivatives in the logits' own precision.

    Args:
        logits: ``(B, W)``.
        sums: Of some rows, which it gets in single precision or finer.
    """
    fine = finer(logits)
    each = torch.empty(len(logits), dtype=fine, device=logits.device)
    slopes = torch.empty_like(logits)
    for part in _parts(logits):
        each[part], slopes[part] = sums(logits[part].to(fine))
    return each, slopes


def finer(logits: Tensor) -> torch.dtype:
    """Single precision, or that of the logits if it is finer."""
    return torch.promote_types(logits.dtype, torch.float32)


def _parts(logits: Tensor) -> Iterator[slice]:
    at_once = _AT_ONCE.get(logits.device.type, _AT_ONCE_ELSEWHERE)
    step = max(1, at_once // max(1, logits.shape[1]))
    for start in range(0, len(logits), step):
        yield slice(start, start + step)
