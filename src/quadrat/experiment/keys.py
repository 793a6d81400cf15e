"""Which section or key of a schema a path of keys leads to."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def inner_model(annotation: Any) -> type[BaseModel] | None:
    """The section model inside a field's annotation, through lists and unions; None for keys."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    models = (inner_model(argument) for argument in typing.get_args(annotation))
    return next((model for model in models if model is not None), None)


def model_at(model: type[BaseModel] | None, keys: Sequence[str | int]) -> type[BaseModel] | None:
    """The model of the section that a path of keys leads to."""
    for key in keys:
        if isinstance(key, int) or key.isdecimal():
            continue
        field = model.model_fields.get(key) if model else None
        model = inner_model(field.annotation) if field else None
    return model


def field_at(model: type[BaseModel], keys: Sequence[str]) -> FieldInfo | None:
    """The field that a path of keys leads to, if there is one."""
    owner = model_at(model, keys[:-1])
    return owner.model_fields.get(keys[-1]) if owner else None


def options(annotation: Any) -> Iterator[Any]:
    """The members of a union, without None; any other annotation is its only member."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from options(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for member in typing.get_args(annotation):
            yield from options(member)
    elif annotation is not type(None):
        yield annotation


def item_of_list(annotation: Any) -> Any:
    """What a list holds at a key that takes one kind of list; None elsewhere."""
    lists = [o for o in options(annotation) if typing.get_origin(o) in (tuple, list)]
    return typing.get_args(lists[0])[0] if len(lists) == 1 else None


def takes_text(annotation: Any) -> bool:
    """Whether a value may be text: any, a path, or one of some words."""
    return any(
        any(isinstance(choice, str) for choice in typing.get_args(option))
        if typing.get_origin(option) is typing.Literal
        else isinstance(option, type) and issubclass(option, (str, Path))
        for option in options(annotation)
    )
