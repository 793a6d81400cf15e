"""From a TOML file (or a mapping) and overrides to a checked experiment, all problems at once."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from quadrat.errors import ExperimentError, closest
from quadrat.experiment.overrides import apply, overridden_family
from quadrat.experiment.problems import problems
from quadrat.experiment.sections import Experiment

FAMILIES = {
    "ensemble": "quadrat.ensemble.schema:EnsembleExperiment",
    "occurrence": "quadrat.occurrence.schema:OccurrenceExperiment",
    "photos": "quadrat.photos.schema:PhotosExperiment",
}
"""Each family's schema, imported when an experiment of that family is read."""


def load(source: Path | str, overrides: Sequence[str] = ()) -> Experiment:
    """Reads an experiment file.

    Args:
        source: A TOML file; its paths are relative to the folder it lies in.
        overrides: ``"section.key=value"``; values are TOML, bare words are text or, for keys
            that take a list, its items (``japan,uk``), and paths are relative to the current
            folder, as a shell completes them.

    Raises:
        ExperimentError: Lists everything that is wrong with the file.
    """
    path = Path(source)
    return parse(read_document(path), overrides, folder=path.parent, source=path)


def read_document(path: Path) -> dict[str, Any]:
    """The raw contents of a TOML file.

    Raises:
        ExperimentError: The file is missing or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ExperimentError(["the file does not exist; check the path"], path) from error
    except IsADirectoryError as error:
        raise ExperimentError(["this is a folder; give the experiment file"], path) from error
    except UnicodeDecodeError as error:
        raise ExperimentError(["not a text file in UTF-8"], path) from error
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError([f"not valid TOML: {error}"], path) from error


def parse(
    document: Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    folder: Path | None = None,
    source: Path | None = None,
) -> Experiment:
    """Checks the contents of an experiment file.

    Args:
        document: Sections and keys.
        overrides: As in `load`.
        folder: What relative paths are relative to; the current folder by default.
        source: The file, for messages.

    Raises:
        ExperimentError: Lists everything that is wrong.
    """
    content = _copied(document)
    family = overridden_family(overrides) or content.get("family")
    model = experiment_class(family, source)
    for override in overrides:
        apply(content, override, model)
    try:
        experiment = model.model_validate(content, context={"folder": folder or Path.cwd()})
    except ValidationError as error:
        raise ExperimentError(problems(error, model), source) from None
    experiment._source = source
    return experiment


def experiment_class(family: object, source: Path | None = None) -> type[Experiment]:
    """The schema of a family.

    Raises:
        ExperimentError: The family is missing or unknown.
    """
    if not isinstance(family, str) or family not in FAMILIES:
        hint = closest(str(family), FAMILIES) if family is not None else ""
        given = f"unknown family {family!r}.{hint}" if family is not None else "it is missing."
        known = ", ".join(f"'{name}'" for name in sorted(FAMILIES))
        raise ExperimentError([f"family: {given} Set it to one of: {known}"], source)
    module, _, name = FAMILIES[family].partition(":")
    model: type[Experiment] = getattr(importlib.import_module(module), name)
    return model


def json_schema() -> dict[str, Any]:
    """The JSON Schema of experiment files, one branch a family."""
    branches = []
    definitions: dict[str, Any] = {}
    for family in sorted(FAMILIES):
        schema = experiment_class(family).model_json_schema()
        definitions |= schema.pop("$defs", {})
        branches.append(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Quadrat experiment",
        "oneOf": branches,
        "$defs": definitions,
    }


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copied(inner) for inner in value]
    return value
