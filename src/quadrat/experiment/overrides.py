"""``section.key=value`` as a command line gives it, put into the content of an experiment file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from quadrat.errors import UsageError
from quadrat.experiment.keys import field_at, item_of_list, takes_text
from quadrat.experiment.paths import located

_BARE_LIST = re.compile(r"\[([^\[\]\"']*)\]")
"""A list whose quotes a shell has taken away."""


def overridden_family(overrides: Sequence[str]) -> object:
    """The family that the overrides name, if they name one."""
    values = [_split(override) for override in overrides]
    return next((_value(text)[0] for keys, text in reversed(values) if keys == ["family"]), None)


def apply(content: dict[str, Any], override: str, model: type[BaseModel]) -> None:
    """Puts an override into the content of a file.

    The value is TOML. What is no TOML is text, or, for a key that takes a list, its items with
    commas between them. Paths are relative to the current folder.

    Args:
        content: Sections and keys, which are changed.
        override: ``"section.key=value"``.
        model: The schema.

    Raises:
        UsageError: It cannot be read, or leads through something that is no section.
    """
    keys, text = _split(override)
    place: Any = content
    for position, key in enumerate(keys[:-1]):
        if isinstance(place, list):
            place = place[_index(key, place, override)]
        else:
            place = place.setdefault(key, {})
        if not isinstance(place, (dict, list)):
            written = ".".join(keys[: position + 1])
            raise UsageError(f"cannot apply {override!r}: {written} is a value, not a section.")
    last = _index(keys[-1], place, override) if isinstance(place, list) else keys[-1]
    place[last] = _meant(model, keys, text)


def _split(override: str) -> tuple[list[str], str]:
    key, equals, text = override.partition("=")
    keys = [part.strip() for part in key.split(".")]
    if not equals or not all(keys):
        raise UsageError(f"cannot read the override {override!r}: write section.key=value.")
    return keys, text.strip()


def _index(key: str, items: list[Any], override: str) -> int:
    if not key.isdecimal() or int(key) >= len(items):
        raise UsageError(
            f"cannot apply {override!r}: '{key}' must be a number below {len(items)}, "
            "because that place holds a list."
        )
    return int(key)


def _meant(model: type[BaseModel], keys: Sequence[str], text: str) -> Any:
    """The value that a text stands for at a key."""
    value, is_bare = _value(text)
    field = field_at(model, keys)
    if field is None:
        return value
    if isinstance(value, str) and value:
        value = _as_items(value, field.annotation) if is_bare else _as_item(value, field.annotation)
    mark = located(field)
    return value if mark is None else mark.absolute(value, Path.cwd())


def _value(text: str) -> tuple[Any, bool]:
    """The value that is written, and whether it is text without quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"], False
    except tomllib.TOMLDecodeError:
        return text, True


def _as_items(text: str, annotation: Any) -> Any:
    """The items of a bare list, where the key can mean nothing else."""
    item = None if takes_text(annotation) else item_of_list(annotation)
    bracketed = _BARE_LIST.fullmatch(text)
    words = [word.strip() for word in (bracketed[1] if bracketed else text).split(",")]
    if item is None or not all(words):
        return text
    if takes_text(item):
        return text if "[" in text and not bracketed else words
    return [_value(word)[0] for word in words] if len(words) > 1 else text


def _as_item(text: str, annotation: Any) -> Any:
    item = None if takes_text(annotation) else item_of_list(annotation)
    return [text] if takes_text(item) else text
