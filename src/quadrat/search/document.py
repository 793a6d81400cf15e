"""An experiment with some keys changed."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

from quadrat.experiment import Experiment


def changed(
    experiment: Experiment, values: Mapping[str, Any], reset: Collection[str] = ()
) -> dict[str, Any]:
    """What the experiment's file would say with other values.

    Only keys that were given are in it, so that a default that follows from another key follows
    from its new value.

    Args:
        experiment: The experiment.
        values: Dotted key → value.
        reset: Dotted keys that go back to their defaults.
    """
    document = experiment.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    for key in reset:
        _section(document, key).pop(key.rpartition(".")[2], None)
    for key, value in values.items():
        _section(document, key)[key.rpartition(".")[2]] = copy.deepcopy(value)
    return document


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values by dotted key."""
    values: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[f"{prefix}{key}"] = value
    return values


def _section(document: dict[str, Any], key: str) -> dict[str, Any]:
    place = document
    for name in key.split(".")[:-1]:
        place = place.setdefault(name, {})
    return place
