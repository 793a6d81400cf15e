"""What turns photos into vectors: networks by name, or features computed elsewhere."""

from __future__ import annotations

# Imported for the names they register.
from quadrat.photos.encoders import open_clip_models as open_clip_models
from quadrat.photos.encoders import precomputed as precomputed
from quadrat.photos.encoders import timm_models as timm_models
from quadrat.photos.encoders.base import (
    Encoded,
    EncoderTail,
    Held,
    PhotoEncoder,
    encoders,
)
from quadrat.photos.encoders.creating import create_encoder
from quadrat.photos.encoders.precomputed import PrecomputedEncoder
from quadrat.photos.encoders.timm_encoder import TimmEncoder

__all__ = [
    "Encoded",
    "EncoderTail",
    "Held",
    "PhotoEncoder",
    "PrecomputedEncoder",
    "TimmEncoder",
    "create_encoder",
    "encoders",
]
