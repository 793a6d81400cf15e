"""From `[clean]` to what is done with every photo."""

from __future__ import annotations

from quadrat.photos.schema import CleanSection
from quadrat.runtime.cleaning.photos import Cleaning


def cleaning_of(section: CleanSection) -> Cleaning:
    """What ``[clean]`` asks for."""
    return Cleaning(section.stamps, section.bottom_crop)
