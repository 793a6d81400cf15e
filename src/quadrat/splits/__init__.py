"""Honest folds: nothing that belongs together is on both sides, and shifts are told."""

from __future__ import annotations

from quadrat.splits.blocks import spatial_blocks
from quadrat.splits.folds import Fold, Folds
from quadrat.splits.leaks import Leak, find_leaks
from quadrat.splits.making import make_folds
from quadrat.splits.parting import (
    column_folds,
    combine,
    group_folds,
    inner_split,
    leave_group_out,
    random_folds,
)
from quadrat.splits.shift import ShiftReport, shift_report

__all__ = [
    "Fold",
    "Folds",
    "Leak",
    "ShiftReport",
    "column_folds",
    "combine",
    "find_leaks",
    "group_folds",
    "inner_split",
    "leave_group_out",
    "make_folds",
    "random_folds",
    "shift_report",
    "spatial_blocks",
]
