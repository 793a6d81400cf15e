"""The keys of an experiment that say what its points are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DATA = ("points", "taxonomy")
"""Keys of [data] that points have; all others are about cells."""

_SHARED = ("kind", "covariates", "categorical", "min_records", "folds", "block")


def points_keys(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """What the tables of a run of points are, without keys that did nothing in it.

    Args:
        experiment: Sections and keys, every default written out.
    """
    given: Mapping[str, Any] = experiment.get("points") or {}
    data: Mapping[str, Any] = experiment.get("data") or {}
    kept = {key: given[key] for key in (*_place(given), *_absence(given), *_SHARED) if key in given}
    told = {key: value for key, value in kept.items() if value not in (None, "", [], ())}
    if "species_columns" in told:
        told["species_columns"] = len(told["species_columns"])  # hundreds of names say nothing
    return {key: data[key] for key in _DATA if data.get(key)} | {
        f"points.{key}": value for key, value in told.items()
    }


def _place(given: Mapping[str, Any]) -> tuple[str, ...]:
    return ("x", "y") if given.get("x") else ("lat", "lon")


def _absence(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys that name the species, and say where they are absent."""
    if given.get("kind") == "presence-absence":
        wide = bool(given.get("species_columns"))
        return ("species_columns",) if wide else ("species", "occurrence")
    drawn = ("background_points",) if given.get("background") == "random" else ()
    return ("species", "group", "background", "background_table", *drawn)
