"""The reference page of the experiment file, made from the schema so that it cannot fall behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from quadrat.experiment.keys import inner_model
from quadrat.experiment.loading import FAMILIES, experiment_class
from quadrat.experiment.sections import Experiment, Section

_INTRODUCTION = """# The experiment file

One TOML file is one experiment. `family` chooses the schema. Unknown keys are errors that offer the
closest legal name; all problems of a file are listed at once. Paths are relative to the file they
stand in (photos to `data.image_root`, by default the table's folder). `--set section.key=value`
overrides any key; its paths are relative to the current folder, as a shell completes them. Where a
key takes a list and nothing else is meant, commas do: `--set split.regions=japan,uk`.
`quadrat recipes --schema` prints the JSON Schema, for editors that complete and check TOML.

A run folder keeps the resolved file with every default written out, so a run can be repeated from
its folder alone: `quadrat train runs/<run>`.

A resumed run may have other `optimiser.epochs`, `optimiser.patience` and
`optimiser.learning_rate_min`, another `name` and another `[run]` section than it began with;
anything else is another experiment.

This page is made from the schema.
"""


def reference_page() -> str:
    """All sections and keys of all families, as Markdown."""
    lines = [_INTRODUCTION, "## Both families\n", *_table("(top)", Experiment, top=True)]
    for name, model in _sections(Experiment):
        lines += _table(f"[{name}]", model)
    for family in sorted(FAMILIES):
        lines.append(f'## family = "{family}"\n')
        for name, model in _sections(experiment_class(family)):
            if Experiment.model_fields.get(name) is None or model is not _shared(name):
                repeated = "[[" if _is_list(experiment_class(family), name) else "["
                lines += _table(f"{repeated}{name}{']' * len(repeated)}", model)
    return "\n".join(lines).rstrip() + "\n"


def _shared(name: str) -> type[BaseModel] | None:
    return inner_model(Experiment.model_fields[name].annotation)


def _is_list(model: type[BaseModel], name: str) -> bool:
    field = model.model_fields.get(name)  # None for a section inside another
    return field is not None and str(field.annotation).startswith(("list[", "tuple["))


def _sections(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """The sections of a model, each followed by the sections inside it (``labels.propagate``)."""
    for name, field in model.model_fields.items():
        inner = inner_model(field.annotation)
        if inner is not None and issubclass(inner, Section):
            yield name, inner
            yield from ((f"{name}.{part}", deeper) for part, deeper in _sections(inner))


def _table(title: str, model: type[BaseModel], *, top: bool = False) -> list[str]:
    rows = [f"### `{title}`\n"]
    if not top and model.__doc__:
        rows.append(model.__doc__.strip().splitlines()[0] + "\n")
    rows += ["| key | values | default | meaning |", "|---|---|---|---|"]
    properties = model.model_json_schema().get("properties", {})
    for name, field in model.model_fields.items():
        if inner_model(field.annotation) is None:
            key = field.alias or name
            values = _values(properties.get(key, {}))
            default = _default(field)
            rows.append(f"| `{key}` | {values} | {default} | {_escaped(field.description)} |")
    return [*rows, ""]


def _escaped(text: str | None) -> str:
    return (text or "").replace("|", "\\|")


def _values(schema: dict[str, Any]) -> str:
    """The kind of a key's values, in words."""
    if "enum" in schema:
        return " \\| ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        kinds = [_values(option) for option in schema["anyOf"] if option.get("type") != "null"]
        return " \\| ".join(dict.fromkeys(kinds))
    if schema.get("format") == "path":
        return "path"
    kind = schema.get("type", "")
    if kind == "array":
        inner = _values(schema.get("items", {}))
        return f"list of {inner}" if inner else "list"
    if kind == "object":
        return "table"
    return {"string": "text", "integer": "whole number", "number": "number"}.get(kind, str(kind))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), [], {}, ""):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{list(value)}`"
    return f"`{value}`"


if __name__ == "__main__":
    import sys

    sys.stdout.write(reference_page())
