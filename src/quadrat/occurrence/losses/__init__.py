"""What makes a prediction wrong."""

from __future__ import annotations
