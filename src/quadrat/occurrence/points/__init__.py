"""Points instead of cells: species from covariates, from records alone or from surveys."""

from __future__ import annotations
