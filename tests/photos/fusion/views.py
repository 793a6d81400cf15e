"""Made-up views and metadata of samples with sets of different size."""

from __future__ import annotations

from typing import Any

import torch

from quadrat.photos.fusion import FusionSpec, Metadata, SampleViews

WIDTH, TOKEN, HIDDEN = 6, 7, 12


def spec(**keys: Any) -> FusionSpec:
    given: dict[str, Any] = {
        "token_width": TOKEN,
        "slots": 2,
        "heads": 3,
        "latents": 5,
        "layers": 2,
        **keys,
    }
    return FusionSpec(WIDTH, 2, (4, 3), (2, 3), HIDDEN, 0.0, **given)


def views(sizes: tuple[int, ...], seed: int = 0, grid: tuple[int, int] = (2, 3)) -> SampleViews:
    """Views of samples, ``sizes`` of each."""
    generator = torch.Generator().manual_seed(seed)
    owner = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    count = len(owner)
    vectors = torch.randn(count, WIDTH, generator=generator)
    return SampleViews(
        vectors=vectors,
        photos=torch.stack([vectors[owner == k].mean(dim=0) for k in range(len(sizes))]),
        owner=owner,
        slot=torch.arange(count) % 2,
        tokens=torch.randn(count, *grid, TOKEN, generator=generator),
    )


def one_of(given: SampleViews, sample: int) -> SampleViews:
    """One sample by itself."""
    rows = given.owner == sample
    return SampleViews(
        vectors=given.vectors[rows],
        photos=given.photos[sample : sample + 1],
        owner=torch.zeros(int(rows.sum()), dtype=torch.int64),
        slot=given.slot[rows],
        tokens=None if given.tokens is None else given.tokens[rows],
    )


def metadata(rows: int, seed: int = 0) -> Metadata:
    generator = torch.Generator().manual_seed(seed)
    missing = (torch.rand(rows, 2, generator=generator) < 0.3).float()
    return Metadata(
        torch.randn(rows, 2, generator=generator) * (1.0 - missing),
        missing,
        torch.stack([torch.randint(0, n, (rows,), generator=generator) for n in (4, 3)], dim=1),
    )
