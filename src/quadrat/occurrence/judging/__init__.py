"""How good a network is, and beside what."""

from __future__ import annotations
