"""The functions behind the verbs: Python, the command line and the web page call the same ones.

They are imported when they are first used, because most verbs need only one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quadrat._lazy import lazy_exports

_EXPORTS = {
    "birdnet_lists": "quadrat.workflow.species_lists",
    "check": "quadrat.workflow.checking",
    "demo": "quadrat.workflow.demonstration",
    "draw_year": "quadrat.workflow.places",
    "ensemble": "quadrat.workflow.combining",
    "evaluate": "quadrat.workflow.evaluation",
    "explain": "quadrat.workflow.explaining",
    "import_model": "quadrat.workflow.importing",
    "load_experiment": "quadrat.workflow.experiments",
    "make_map": "quadrat.workflow.maps",
    "nearest_records": "quadrat.workflow.places",
    "occurrence_run": "quadrat.workflow.places",
    "predict": "quadrat.workflow.prediction",
    "report": "quadrat.workflow.evaluation",
    "species_list": "quadrat.workflow.places",
    "submit": "quadrat.workflow.prediction",
    "train": "quadrat.workflow.training",
}

__all__ = sorted(_EXPORTS)

if TYPE_CHECKING:
    from quadrat.workflow.checking import check as check
    from quadrat.workflow.combining import ensemble as ensemble
    from quadrat.workflow.demonstration import demo as demo
    from quadrat.workflow.evaluation import evaluate as evaluate
    from quadrat.workflow.evaluation import report as report
    from quadrat.workflow.experiments import load_experiment as load_experiment
    from quadrat.workflow.explaining import explain as explain
    from quadrat.workflow.importing import import_model as import_model
    from quadrat.workflow.maps import make_map as make_map
    from quadrat.workflow.places import draw_year as draw_year
    from quadrat.workflow.places import nearest_records as nearest_records
    from quadrat.workflow.places import occurrence_run as occurrence_run
    from quadrat.workflow.places import species_list as species_list
    from quadrat.workflow.prediction import predict as predict
    from quadrat.workflow.prediction import submit as submit
    from quadrat.workflow.species_lists import birdnet_lists as birdnet_lists
    from quadrat.workflow.training import train as train

__getattr__ = lazy_exports(__name__, _EXPORTS)
