"""Training, for any family: one loop, its state, its devices.

The engine knows nothing of photos or species: it is handed a module, batches and an objective.
"""

from quadrat.engine.averaging import MovingAverage
from quadrat.engine.backend import Backend
from quadrat.engine.batches import Batch, Batches, IndexBatches
from quadrat.engine.evaluation import evaluate
from quadrat.engine.loop import OnEpoch, fit
from quadrat.engine.objective import Evaluator, Losses, Objective
from quadrat.engine.optimiser import FitSettings, ParameterGroup, parameter_groups
from quadrat.engine.orders import SampleOrder, epoch_order
from quadrat.engine.progress import Progress, current_progress, report_progress
from quadrat.engine.randomness import seed_everything
from quadrat.engine.running_score import Report, RunningScore
from quadrat.engine.signals import stop_requested, stops_gracefully
from quadrat.engine.training import FitResult, HistoryLog

__all__ = [
    "Backend",
    "Batch",
    "Batches",
    "Evaluator",
    "FitResult",
    "FitSettings",
    "HistoryLog",
    "IndexBatches",
    "Losses",
    "MovingAverage",
    "Objective",
    "OnEpoch",
    "ParameterGroup",
    "Progress",
    "Report",
    "RunningScore",
    "SampleOrder",
    "current_progress",
    "epoch_order",
    "evaluate",
    "fit",
    "parameter_groups",
    "report_progress",
    "seed_everything",
    "stop_requested",
    "stops_gracefully",
]
