"""The backbones that the documentation names are what it says of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import timm
import torch

from quadrat.photos.encoders.steps import steps_of

PAGE = Path(__file__).parents[3] / "docs" / "photos.md"
ROWS = re.findall(
    r"^\| [^|]+ \| `timm:([\w.]+)` \| (\d+) \| (\d+) \| (\d+) M \|$",
    PAGE.read_text(encoding="utf-8"),
    flags=re.MULTILINE,
)


def test_the_page_has_them():
    assert len(ROWS) == 11


@pytest.mark.parametrize(("name", "blocks", "size", "millions"), ROWS)
def test_blocks_size_and_weights(name: str, blocks: str, size: str, millions: str):
    assert name in timm.list_models(f"{name.partition('.')[0]}.*", pretrained=True)
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=0)
    steps = steps_of(model)
    assert not steps.whole, "it can be frozen block by block"
    assert len(steps.blocks) == int(blocks)
    assert timm.data.resolve_model_data_config(model)["input_size"][1] == int(size)
    assert sum(p.numel() for p in model.parameters()) // 10**6 == int(millions)
