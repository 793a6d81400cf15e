"""From the views of a sample and its metadata to one vector."""

from __future__ import annotations

# Imported for the names it registers.
from quadrat.photos.fusion import plain as plain
from quadrat.photos.fusion.base import (
    FusionSpec,
    SampleViews,
    fusions,
    mean_by_owner,
    padded_by_owner,
)
from quadrat.photos.fusion.metadata import Metadata, MetadataDropout

__all__ = [
    "FusionSpec",
    "Metadata",
    "MetadataDropout",
    "SampleViews",
    "fusions",
    "mean_by_owner",
    "padded_by_owner",
]
