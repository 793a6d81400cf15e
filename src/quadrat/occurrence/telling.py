"""What a training says of its data before it begins."""

from __future__ import annotations

from quadrat.engine import Backend, current_progress
from quadrat.experiment import CheckReport
from quadrat.runs import Run, write_json


def tell(report: CheckReport, run: Run, backend: Backend) -> None:
    """Keeps the findings of the data check in the run folder, and warns."""
    if backend.is_main:
        write_json(run.path("check.json"), report.to_dict())
    for warning in report.warnings:
        current_progress().warn(warning)
