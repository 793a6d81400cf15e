"""What one logit costs, for a species that was seen and for one that was not.

A curve gives its value and its slope at once: both need the same exponentials, and the sum over a
whole matrix of logits can then be taken in one pass. In all formulas ``p = σ(z)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from quadrat._registry import Registry
from quadrat.occurrence.losses.parts import RowSums, by_parts
from quadrat.occurrence.schema import LossSection

Curve = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From logits to the loss and its derivative: fresh tensors of the same shape."""

_FACTORS = 8
_STEEP = 8.0
"""Of so many factors of at least ``1 - σ(8) = 0.0003`` the product is no subnormal number."""


@dataclass(frozen=True)
class Curves:
    """The two sides of a loss.

    Args:
        present: For a species that was seen.
        absent: For one that was not.
        absent_sums: The same summed over rows, where there is a quicker way than curve by curve.
    """

    present: Curve
    absent: Curve
    absent_sums: RowSums | None = None


LOSSES: Registry[Callable[[LossSection], Curves]] = Registry("loss")


@LOSSES.register("bce", summary="binary cross-entropy; a species not recorded counts as absent")
def bce(section: LossSection) -> Curves:
    """``-log p`` and ``-log(1 - p)``."""
    return Curves(mirrored(cross_entropy), cross_entropy, cross_entropy_sums)


@LOSSES.register("asl", summary="asymmetric loss; easy absences hardly count")
def asl(section: LossSection) -> Curves:
    """``-(1 - p)^γ₊ log p`` and ``-p_m^γ₋ log(1 - p_m)`` with ``p_m = max(p - m, 0)``.

    Ridnik et al., "Asymmetric loss for multi-label classification", ICCV 2021, eq. 7. The gradient
    is that of the formula, the focusing factors included.
    """
    gamma, clip = section.asl_gamma_neg, section.asl_clip
    return Curves(
        present=mirrored(lambda z: focused(z, section.asl_gamma_pos)),
        absent=lambda z: shifted(z, gamma, clip) if clip > 0 else focused(z, gamma),
    )


@LOSSES.register("focal", summary="focal loss; what is known already hardly counts")
def focal(section: LossSection) -> Curves:
    """``-α (1 - p)^γ log p`` and ``-(1 - α) p^γ log(1 - p)``.

    Lin et al., "Focal loss for dense object detection", ICCV 2017, eq. 5.
    """
    alpha, gamma = section.focal_alpha, section.focal_gamma
    return Curves(
        present=mirrored(lambda z: _times(alpha, focused(z, gamma))),
        absent=lambda z: _times(1 - alpha, focused(z, gamma)),
    )


@LOSSES.register("assume-negative", summary="cross-entropy that counts what was seen λ times")
def assume_negative(section: LossSection) -> Curves:
    """``-λ log p`` and ``-log(1 - p)``.

    Cole et al., "Spatial implicit neural representations for global-scale species mapping", ICML
    2023. Which absences are looked at, and where, is not the curves' affair.
    """
    return Curves(
        present=mirrored(lambda z: _times(section.pos_lambda, cross_entropy(z))),
        absent=cross_entropy,
        absent_sums=cross_entropy_sums,
    )


def cross_entropy(z: Tensor) -> tuple[Tensor, Tensor]:
    """``-log(1 - p) = softplus(z)``."""
    return functional.softplus(z), z.sigmoid()


def cross_entropy_sums(logits: Tensor) -> tuple[Tensor, Tensor]:
    """``Σ -log(1 - p)`` of every row, and p; in bfloat16 on a CPU a kernel does it in one pass."""
    if logits.dtype == torch.bfloat16 and logits.device.type == "cpu":
        from quadrat.kernels.cross_entropy import absent_sums

        return absent_sums(logits.contiguous())
    return by_parts(logits, _by_products if logits.device.type == "cpu" else _plain)


def _plain(z: Tensor) -> tuple[Tensor, Tensor]:
    return functional.softplus(z).sum(dim=1), z.sigmoid()


def _by_products(z: Tensor) -> tuple[Tensor, Tensor]:
    """``-Σ log(1 - p) = -log Π (1 - p)``.

    On a CPU logarithms take most of the time of a loss, and one of a product of eight takes the
    place of eight. A factor is rounded to 3e-8, and so is a loss.
    """
    if not bool(z.amax() <= _STEEP):
        return _plain(z)
    p = z.sigmoid()
    factors = 1 - p
    whole = factors.shape[1] // _FACTORS * _FACTORS
    sums = factors[:, whole:].log().sum(dim=1)
    factors = factors[:, :whole]
    for _ in range(_FACTORS.bit_length() - 1):
        half = factors.shape[1] // 2
        factors = factors[:, :half].mul_(factors[:, half:])
    return sums.add_(factors.log_().sum(dim=1)).neg_(), p


def focused(z: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """``-p^γ log(1 - p)``."""
    loss, p = cross_entropy(z)
    if gamma == 0:
        return loss, p
    factor = p.pow(gamma)
    slope = (1 - p).mul_(loss).mul_(gamma).add_(p).mul_(factor)
    return loss.mul_(factor), slope


def shifted(z: Tensor, gamma: float, clip: float) -> tuple[Tensor, Tensor]:
    """``-u^γ log(1 - u)`` with ``u = max(p - clip, 0)``; flat where u is 0."""
    p = z.sigmoid()
    u = (p - clip).clamp_(min=0)
    loss = torch.log1p(-u).neg_()
    slope = (1 - u).reciprocal_()
    if gamma > 0:
        # d/du = γ u^(γ-1) loss + u^γ / (1 - u)
        slope.addcdiv_(loss, u.clamp(min=torch.finfo(u.dtype).tiny), value=gamma)
        factor = u.pow_(gamma)
    else:
        factor = u.sign_()
    slope.mul_(factor).mul_(p).mul_(1 - p)
    return loss.mul_(factor), slope


def mirrored(curve: Curve) -> Curve:
    """The curve of ``-z``: what a loss of ``1 - p`` is to a loss of ``p``."""

    def mirror(z: Tensor) -> tuple[Tensor, Tensor]:
        loss, slope = curve(-z)
        return loss, slope.neg_()

    return mirror


def _times(factor: float, curve: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    loss, slope = curve
    return loss.mul_(factor), slope.mul_(factor)
