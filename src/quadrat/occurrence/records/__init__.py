"""What was recorded, and what its columns mean: cells, places, species."""

from __future__ import annotations
