"""Quadrat: ecological quantities from field photos and species records.

The verbs of the command line are functions here; ``report`` is a package, and its verb is
``quadrat.workflow.report``. The names below are imported when they are first used, so that
``import quadrat`` is instant and pulls in neither torch nor polars.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quadrat._lazy import lazy_exports

__version__ = "0.1.0"

_EXPORTS = {
    "QuadratError": "quadrat.errors",
    "Run": "quadrat.predictors",
    "check": "quadrat.workflow",
    "demo": "quadrat.workflow",
    "evaluate": "quadrat.workflow",
    "load_experiment": "quadrat.workflow",
    "load_run": "quadrat.predictors",
    "predict": "quadrat.workflow",
    "submit": "quadrat.workflow",
    "train": "quadrat.workflow",
    "tune": "quadrat.search",
}

__all__ = ["__version__", *sorted(_EXPORTS)]

if TYPE_CHECKING:
    from quadrat.errors import QuadratError as QuadratError
    from quadrat.predictors import Run as Run
    from quadrat.predictors import load_run as load_run
    from quadrat.search import tune as tune
    from quadrat.workflow import check as check
    from quadrat.workflow import demo as demo
    from quadrat.workflow import evaluate as evaluate
    from quadrat.workflow import load_experiment as load_experiment
    from quadrat.workflow import predict as predict
    from quadrat.workflow import submit as submit
    from quadrat.workflow import train as train

__getattr__ = lazy_exports(__name__, _EXPORTS)


def __dir__() -> list[str]:
    return __all__
