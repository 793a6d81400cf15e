"""Search: which settings of an experiment score best on its validation part.

Trials are trainings without a run folder. The names are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quadrat._lazy import lazy_exports

_EXPORTS = {
    "Range": "quadrat.search.schema",
    "Space": "quadrat.search.space",
    "StudyResult": "quadrat.search.results",
    "default_space": "quadrat.search.space",
    "read_space": "quadrat.search.space",
    "searched_space": "quadrat.search.space",
    "tune": "quadrat.search.tuning",
}

__all__ = sorted(_EXPORTS)

if TYPE_CHECKING:
    from quadrat.search.results import StudyResult as StudyResult
    from quadrat.search.schema import Range as Range
    from quadrat.search.space import Space as Space
    from quadrat.search.space import default_space as default_space
    from quadrat.search.space import read_space as read_space
    from quadrat.search.space import searched_space as searched_space
    from quadrat.search.tuning import tune as tune

__getattr__ = lazy_exports(__name__, _EXPORTS)
