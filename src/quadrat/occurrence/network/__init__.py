"""The network, its parts, and how it lies on disk."""

from __future__ import annotations
