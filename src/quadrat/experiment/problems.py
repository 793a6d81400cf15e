"""What pydantic finds wrong, in our words: one line a problem, each beginning with the key."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from quadrat.errors import closest
from quadrat.experiment.keys import inner_model, item_of_list, model_at, takes_text
from quadrat.experiment.sections import Experiment

_LISTS = ("tuple_type", "list_type", "set_type")
_SHAPES = {
    "bool_type": "true, false",
    "bool_parsing": "true, false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "text",
    "path_type": "a path",
    "dict_type": "a section of keys",
    "model_type": "a section of keys",
}
"""What a value of another shape should have been."""

_LABEL = re.compile(r".*\[.*|bool|int|float|str|path|none|constrained-(int|float|str)")
"""How pydantic names the members of a union, which no file has."""


@dataclass(frozen=True)
class _Finding:
    """One of pydantic's findings.

    Args:
        key: Where it is, as a file has it.
        union: How many of the key's parts lead to a union; None where there is none.
        kind: Pydantic's name of the problem.
        words: Pydantic's words.
        value: What was given.
        expected: The choices, of a literal.
    """

    key: tuple[str | int, ...]
    union: int | None
    kind: str
    words: str
    value: object
    expected: str

    @classmethod
    def of(cls, item: Mapping[str, Any], model: type[BaseModel]) -> _Finding:
        key, union = _without_labels(item["loc"], model)
        if item["type"] == "missing" and key and isinstance(key[-1], int):
            key = key[:-1]  # an item of a list that is too short
        expected = item.get("ctx", {}).get("expected", "")
        return cls(key, union, item["type"], item["msg"], item["input"], str(expected))

    @property
    def path(self) -> str:
        """The key as it is written."""
        return ".".join(str(part) for part in self.key) or "experiment"

    @property
    def fits(self) -> bool:
        """Whether the value has the shape of this member, and only what it says is wrong."""
        deeper = self.union is not None and len(self.key) > self.union
        return deeper or self.kind not in (*_SHAPES, *_LISTS, "literal_error")

    @property
    def given(self) -> str:
        """The value, if it is short enough to be shown."""
        shown = isinstance(self.value, (str, int, float, bool))
        return f" (given: {self.value!r})" if shown else ""

    @property
    def hint(self) -> str:
        """The choice that was probably meant."""
        choices = re.findall(r"'([^']*)'", self.expected)
        if not isinstance(self.value, str):
            return ""
        initials = {"".join(part[:1] for part in name.split("-")): name for name in choices}
        meant = initials.get(self.value.casefold(), "")
        return f" Did you mean '{meant}'?" if meant else closest(self.value, choices)


def problems(error: ValidationError, model: type[Experiment]) -> list[str]:
    """One line for each thing that is wrong.

    Args:
        error: What pydantic raised.
        model: The schema.
    """
    found = [_Finding.of(item, model) for item in error.errors(include_url=False)]
    told: list[str] = []
    for finding in found:
        if finding.kind == "too_short" and _has_worse(found, finding.key):
            continue
        alternatives = [finding] if finding.union is None else _same_union(found, finding)
        if finding in alternatives:
            told.append(_line(alternatives if not finding.fits else [finding], model))
    return list(dict.fromkeys(told))


def _same_union(found: Sequence[_Finding], one: _Finding) -> list[_Finding]:
    """The findings about one value of a union that are worth telling."""
    size = one.union
    same = [f for f in found if f.union == size and f.key[:size] == one.key[:size]]
    return [f for f in same if f.fits] or same


def _line(alternatives: Sequence[_Finding], model: type[Experiment]) -> str:
    first = alternatives[0]
    if first.kind == "extra_forbidden":
        name = str(first.key[-1])
        return f"{first.path}: unknown key.{model.advice(name) or _closest_key(model, first.key)}"
    if first.kind == "literal_error" or len(alternatives) > 1:
        hint = next((f.hint for f in alternatives if f.expected), "")
        return f"{first.path}: must be {_shapes(alternatives)}{first.given}{hint and '.' + hint}"
    return f"{first.path}: {_message(first, model)}{first.given}"


def _shapes(findings: Sequence[_Finding]) -> str:
    """What would have been right, as a sentence has it: ``true or false, or a list``."""
    choices = [choice for f in findings if f.expected for choice in re.split(", | or ", f.expected)]
    choices += [_SHAPES.get(f.kind, "a list") for f in findings if not f.expected]
    *others, last = dict.fromkeys(choices)
    return f"{', '.join(others)} or {last}" if others else last


def _message(finding: _Finding, model: type[BaseModel]) -> str:
    """Pydantic's words, or ours where its words are of Python's types."""
    kind, words, value = finding.kind, finding.words, finding.value
    if kind in _LISTS:
        return f"must be a list{_example(finding, model)}"
    if kind == "too_short":
        return f"the list is too short, give {words.partition(' have ')[2].partition(' after ')[0]}"
    if kind == "missing" and isinstance(value, (list, tuple)):
        return f"the list is too short: it has {len(value)}"
    if kind in ("model_type", "dict_type"):
        return "is a section of keys, not a value"
    message = words.removeprefix("Value error, ")
    return message[0].lower() + message[1:]


def _example(finding: _Finding, model: type[BaseModel]) -> str:
    """The value as the list that was probably meant."""
    owner = model_at(model, finding.key[:-1])
    field = owner.model_fields.get(str(finding.key[-1])) if owner else None
    value, text = finding.value, takes_text(item_of_list(field.annotation) if field else None)
    if isinstance(value, str) and value.startswith("["):
        return ", and words in it need quotes"
    if isinstance(value, str):
        return f", such as {json.dumps([value])}" if text and value else ""
    if isinstance(value, (int, float)):
        return f", such as {json.dumps([str(value) if text else value])}"
    return ""


def _without_labels(
    location: Sequence[str | int], model: type[BaseModel]
) -> tuple[tuple[str | int, ...], int | None]:
    """The location without the names of a union's members, and how long it is before the first."""
    key: list[str | int] = []
    owner: type[BaseModel] | None = model
    union = None
    for part in location:
        field = owner.model_fields.get(str(part)) if owner else None
        if field is not None:
            owner = inner_model(field.annotation)
        elif isinstance(part, str) and _LABEL.fullmatch(part):
            union = len(key) if union is None else union
            continue
        key.append(part)
    return tuple(key), union


def _has_worse(found: Sequence[_Finding], key: tuple[str | int, ...]) -> bool:
    """Whether items of a list are wrong, which pydantic then takes for too few."""
    depth = len(key)
    return any(len(f.key) > depth and f.key[:depth] == key for f in found)


def _closest_key(model: type[BaseModel], key: Sequence[str | int]) -> str:
    owner = model_at(model, key[:-1])
    if owner is None:
        return ""
    known = list(owner.model_fields)
    hint = closest(str(key[-1]), known)
    return hint or f" Known here: {', '.join(known)}."
