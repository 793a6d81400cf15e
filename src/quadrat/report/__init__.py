"""Reports of finished runs: figures, one self-contained HTML page, a model card, and maps."""

from __future__ import annotations

from quadrat.report.map_files import MAP_FORMATS, write_map
from quadrat.report.writing import write_evaluation_report, write_report

__all__ = ["MAP_FORMATS", "write_evaluation_report", "write_map", "write_report"]
