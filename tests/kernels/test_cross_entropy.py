"""The loss of absences against PyTorch in double precision."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import softplus

from quadrat.kernels.cross_entropy import absent_sums


def test_sums_and_slopes():
    generator = torch.Generator().manual_seed(0)
    logits = (torch.randn(60, 333, generator=generator) * 6 - 4).bfloat16()
    logits[0, :4] = torch.tensor([-300.0, 300.0, 0.0, 88.0])
    sums, slopes = absent_sums(logits)
    torch.testing.assert_close(
        sums.double(), softplus(logits.double()).sum(dim=1), rtol=2e-6, atol=0
    )
    torch.testing.assert_close(slopes.double(), logits.double().sigmoid(), rtol=4e-3, atol=1e-37)


def test_what_is_not_a_number_reaches_the_sum_of_its_row_only():
    logits = torch.zeros(3, 40).bfloat16()
    logits[1, 7] = math.nan
    sums, slopes = absent_sums(logits)
    assert slopes.isnan().nonzero().tolist() == [[1, 7]]
    assert sums.isnan().tolist() == [False, True, False]
