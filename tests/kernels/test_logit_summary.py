"""Counts and sums of rows against plain comparisons in double precision."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from quadrat.kernels.logit_summary import summarise_rows

CUTS = np.array([-2.2, 0.5], np.float32)
EDGES = np.array([-3.0, -1.0, 0.0, 2.0], np.float32)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("width", [1, 40, 1300])
def test_counts_and_sums(dtype, width):
    generator = torch.Generator().manual_seed(width)
    logits = (torch.randn(33, width, generator=generator) * 4 - 3).to(dtype)
    logits[0, 0], logits[1, 0], logits[2, 0] = math.inf, -math.inf, 2.0
    rows = torch.arange(33).repeat_interleave(2)[3:]
    columns = torch.randint(width, (len(rows),), generator=generator)
    values = logits[rows, columns].float()
    starts = np.searchsorted(rows.numpy(), np.arange(34))
    found = summarise_rows(logits, starts, values.numpy(), CUTS, EDGES, 80.0)
    z = logits.float()
    np.testing.assert_array_equal(found.below, (z[rows] < values[:, None]).sum(dim=1))
    np.testing.assert_array_equal(found.above, (z[:, :, None] > torch.tensor(CUTS)).sum(dim=1))
    p = z.double().sigmoid()
    sums = torch.stack([p, p.square(), softplus(z.double().clamp(max=80))], dim=2).sum(dim=1)
    np.testing.assert_allclose(found.sums, sums, rtol=2e-6)
    bins = torch.bucketize(z, torch.tensor(EDGES)).flatten()
    np.testing.assert_array_equal(found.in_bins, torch.bincount(bins, minlength=5))
    expected = torch.bincount(bins, p.flatten(), minlength=5)
    np.testing.assert_allclose(found.probability, expected, rtol=2e-5, atol=1e-12)


def test_a_row_with_what_is_not_a_number_is_told():
    logits = torch.zeros(2, 5)
    logits[1, 3] = math.nan
    found = summarise_rows(
        logits, np.zeros(3, np.int64), np.zeros(0, np.float32), CUTS, EDGES, 80.0
    )
    assert np.isnan(found.sums[:, 0]).tolist() == [False, True]
