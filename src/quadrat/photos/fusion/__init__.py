"""From the views of a sample and its metadata to one vector."""

from __future__ import annotations

# Imported for the names they register.
from quadrat.photos.fusion import attending as attending
from quadrat.photos.fusion import convolving as convolving
from quadrat.photos.fusion import plain as plain
from quadrat.photos.fusion import pooling as pooling
from quadrat.photos.fusion import state_space as state_space
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
