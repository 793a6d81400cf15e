"""Which species were seen in which sample."""

from __future__ import annotations
