"""From a TOML file (or a mapping) and overrides to a checked experiment, all problems at once."""

from __future__ import annotations

import importlib
import json
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from quadrat.errors import ExperimentError, UsageError, closest
from quadrat.experiment.paths import Located, located
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
        overrides: ``"section.key=value"``; values are TOML, bare words are text, and paths are
            relative to the current folder, as a shell completes them.

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
    family = _overridden_family(overrides) or content.get("family")
    model = experiment_class(family, source)
    for override in overrides:
        _apply(content, override, model)
    try:
        experiment = model.model_validate(content, context={"folder": folder or Path.cwd()})
    except ValidationError as error:
        raise ExperimentError(_problems(error, model), source) from None
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


def _split_override(override: str) -> tuple[list[str], Any]:
    key, equals, text = override.partition("=")
    keys = [part.strip() for part in key.split(".")]
    if not equals or not all(keys):
        raise UsageError(f"cannot read the override {override!r}: write section.key=value.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    return keys, value


def _overridden_family(overrides: Sequence[str]) -> object:
    values = [_split_override(override) for override in overrides]
    return next((value for keys, value in reversed(values) if keys == ["family"]), None)


def _apply(content: dict[str, Any], override: str, model: type[BaseModel]) -> None:
    keys, value = _split_override(override)
    place: Any = content
    for position, key in enumerate(keys[:-1]):
        if isinstance(place, list):
            place = place[_index(key, place, override)]
        else:
            place = place.setdefault(key, {})
        if not isinstance(place, (dict, list)):
            written = ".".join(keys[: position + 1])
            raise UsageError(f"cannot apply {override!r}: {written} is a value, not a section.")
    mark = _located(model, keys)
    if mark is not None:
        value = mark.absolute(value, Path.cwd())
    if isinstance(place, list):
        place[_index(keys[-1], place, override)] = value
    else:
        place[keys[-1]] = value


def _index(key: str, items: list[Any], override: str) -> int:
    if not key.isdecimal() or int(key) >= len(items):
        raise UsageError(
            f"cannot apply {override!r}: '{key}' must be a number below {len(items)}, "
            "because that place holds a list."
        )
    return int(key)


def _located(model: type[BaseModel], keys: Sequence[str]) -> Located | None:
    owner = _model_at(model, keys[:-1])
    field = owner.model_fields.get(keys[-1]) if owner else None
    return located(field) if field else None


def _model_at(model: type[BaseModel] | None, keys: Sequence[str | int]) -> type[BaseModel] | None:
    """The model of the section that a path of keys leads to."""
    for key in keys:
        if isinstance(key, int) or key.isdecimal():
            continue
        field = model.model_fields.get(key) if model else None
        model = inner_model(field.annotation) if field else None
    return model


def inner_model(annotation: Any) -> type[BaseModel] | None:
    """The section model inside a field's annotation, through lists and unions; None for keys."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    models = (inner_model(argument) for argument in typing.get_args(annotation))
    return next((model for model in models if model is not None), None)


def _problems(error: ValidationError, model: type[Experiment]) -> list[str]:
    problems = []
    found = error.errors(include_url=False)
    for item in found:
        if item["type"] == "too_short" and _has_worse(found, item["loc"]):
            continue
        path = ".".join(str(key) for key in item["loc"]) or "experiment"
        if item["type"] == "extra_forbidden":
            hint = model.advice(str(item["loc"][-1])) or _closest_key(model, item["loc"])
            problems.append(f"{path}: unknown key.{hint}")
            continue
        shown = item["input"]
        given = f" (given: {shown!r})" if isinstance(shown, (str, int, float, bool)) else ""
        problems.append(f"{path}: {_message(item['type'], item['msg'], shown)}{given}")
    return problems


def _has_worse(found: Sequence[Any], location: tuple[str | int, ...]) -> bool:
    """Whether items of a list are wrong, which pydantic then takes for too few."""
    depth = len(location)
    return any(len(item["loc"]) > depth and item["loc"][:depth] == location for item in found)


def _message(kind: str, words: str, value: object) -> str:
    """Pydantic's words, or ours where its words are of Python's types."""
    if kind in ("tuple_type", "list_type", "set_type"):
        single = isinstance(value, (str, int, float))
        return "must be a list" + (f", such as {json.dumps([value])}" if single else "")
    if kind == "too_short":
        return f"the list is too short, give {words.partition(' have ')[2].partition(' after ')[0]}"
    if kind in ("model_type", "dict_type"):
        return "is a section of keys, not a value"
    message = words.removeprefix("Value error, ")
    return message[0].lower() + message[1:]


def _closest_key(model: type[BaseModel], location: Sequence[str | int]) -> str:
    owner = _model_at(model, list(location[:-1]))
    if owner is None:
        return ""
    known = list(owner.model_fields)
    hint = closest(str(location[-1]), known)
    return hint or f" Known here: {', '.join(known)}."
