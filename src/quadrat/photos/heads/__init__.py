"""From a sample's vector to the parameters of its targets."""

from __future__ import annotations

# Imported for the names it registers.
from quadrat.photos.heads import plain as plain
from quadrat.photos.heads.amounts import AmountsHead
from quadrat.photos.heads.base import Head, HeadSpec, heads

__all__ = ["AmountsHead", "Head", "HeadSpec", "heads"]
