"""Reports of finished runs: figures, one self-contained HTML page, and a model card."""

from __future__ import annotations

from quadrat.report.writing import RangeGrid, draw_range_map, write_report

__all__ = ["RangeGrid", "draw_range_map", "write_report"]
