"""Search spaces: which keys of an experiment may become what.

A space file looks like an experiment file whose values are ranges:

    [optimiser]
    learning_rate = { low = 1e-4, high = 1e-2, log = true }

    [loss]
    kind = { choices = ["bce", "focal"] }
    focal_gamma = { low = 0.5, high = 5.0, when = { "loss.kind" = "focal" } }
"""

from __future__ import annotations

import contextlib
import tomllib
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, ValidationError

from quadrat.errors import ExperimentError, UsageError, closest
from quadrat.experiment import Experiment, parse, read_document
from quadrat.experiment.keys import inner_model
from quadrat.search.document import changed, flat
from quadrat.search.schema import Range, plain

FIXED = {
    "balance": "it belongs to the data",
    "data": "trials must be judged on the same data",
    "family": "a search stays in its family",
    "labels.max_species": "trials must be judged on the same species",
    "labels.min_observations": "trials must be judged on the same species",
    "name": "it is only a name",
    "optimiser.epochs": "give the epochs of a trial with --epochs",
    "run": "it does not change what is learnt",
    "score": "trials must be judged by the same score",
    "seed": "luck is not a setting",
    "split": "trials must be judged on the same rows",
}
"""Sections and keys that no search may change, and why."""


@dataclass(frozen=True)
class Space:
    """Ranges by key, in the order in which values are chosen.

    Args:
        ranges: Dotted key → range; a key comes after those that its ``when`` names.
    """

    ranges: Mapping[str, Range]

    def only(self, keys: Sequence[str], advice: Callable[[str], str] = lambda key: "") -> Space:
        """The space of some keys.

        Args:
            keys: Dotted keys.
            advice: What a name of another program is called here, as a sentence, or nothing.

        Raises:
            UsageError: The space lacks keys; lists all of them.
        """
        unknown = [
            f"'{key}'.{advice(key) or closest(key, self.ranges)}"
            for key in keys
            if key not in self.ranges
        ]
        if unknown:
            listed = "".join(f"\n  - {line}" for line in unknown)
            raise UsageError(
                f"the space has no range for:{listed}\n"
                f"It has: {', '.join(self.ranges)}. Give other ranges with --space."
            )
        return Space({key: kind for key, kind in self.ranges.items() if key in keys})

    def without(self, keys: Sequence[str]) -> Space:
        """The space of all other keys."""
        return Space({key: kind for key, kind in self.ranges.items() if key not in keys})

    def content(self) -> dict[str, dict[str, Any]]:
        """Every range as plain values, by dotted key."""
        return {key: kind.content() for key, kind in self.ranges.items()}

    def to_toml(self) -> str:
        """The space file, one line a key."""
        lines: list[str] = []
        section = ""
        for key, content in self.content().items():
            owner, _, name = key.rpartition(".")
            if owner != section:
                lines += ["", f"[{owner}]"] if lines else [f"[{owner}]"]
                section = owner
            lines.append(f"{name} = {_inline(content)}")
        return "\n".join(lines) + "\n"


def default_space(experiment: Experiment) -> Space:
    """The shipped space of an experiment's family, without keys that the experiment settles.

    Settled is a key of which every other value is refused, such as the shape of a network that
    goes on learning from a run.
    """
    require_searchable(experiment)
    text = (
        files("quadrat.search").joinpath("spaces", f"{experiment.family}.toml").read_text("utf-8")
    )
    space = make_space(tomllib.loads(text), experiment)
    return space.without(
        [key for key, kind in space.ranges.items() if _settled(key, kind, experiment)]
    )


def searched_space(
    experiment: Experiment,
    *,
    space: Path | str | Mapping[str, Any] | None = None,
    only: Sequence[str] = (),
    overrides: Sequence[str] = (),
) -> Space:
    """The ranges that a search of an experiment goes through; arguments as in `tune`.

    Raises:
        ExperimentError: The space file is wrong.
        UsageError: ``only`` names a key without a range, or nothing is left.
    """
    ranges = read_space(space, experiment) if space is not None else default_space(experiment)
    ranges = ranges.only(only, experiment.advice) if only else ranges
    ranges = ranges.without([override.partition("=")[0].strip() for override in overrides])
    if not ranges.ranges:
        raise UsageError("there is nothing to search: every key of the space is set or left out.")
    return ranges


def require_searchable(experiment: Experiment) -> None:
    """Checks that trainings of an experiment can be compared.

    Raises:
        UsageError: It is an ensemble, which trains nothing.
    """
    if experiment.family == "ensemble":
        raise UsageError(
            "an ensemble trains nothing, so there is nothing to search. Search the settings of its "
            "members' experiments."
        )


def read_space(source: Path | str | Mapping[str, Any], experiment: Experiment) -> Space:
    """Reads and checks a space.

    Args:
        source: A space file, or its content as a mapping.
        experiment: The experiment whose keys it is about.

    Raises:
        ExperimentError: Lists everything that is wrong with the space.
    """
    if isinstance(source, Mapping):
        return make_space(source, experiment)
    return make_space(read_document(Path(source)), experiment, Path(source))


def make_space(
    document: Mapping[str, Any], experiment: Experiment, source: Path | None = None
) -> Space:
    """Checks a space's content.

    Args:
        document: Sections of ranges.
        experiment: Every bound and choice must be legal in it.
        source: The file, for messages.

    Raises:
        ExperimentError: Lists everything that is wrong with it.
    """
    problems: list[str] = []
    ranges: dict[str, Range] = {}
    for key, value in _leaves(document, type(experiment), "", problems, experiment.advice):
        try:
            ranges[key] = Range.model_validate(value)
        except ValidationError as error:
            problems += [f"{key}{_place(item)}" for item in error.errors(include_url=False)]
    for key, kind in ranges.items():
        problems += _range_problems(key, kind, experiment)
    problems += _order_problems(ranges, experiment)
    if not ranges and not problems:
        problems.append("it has no range")
    if problems:
        raise ExperimentError(problems, source or Path("the search space"))
    return Space(ranges)


def is_whole(experiment: Experiment, key: str) -> bool:
    """Whether a key takes whole numbers only."""
    model: type[BaseModel] | None = type(experiment)
    *sections, name = key.split(".")
    for section in sections:
        model = inner_model(model.model_fields[section].annotation) if model else None
    kinds = set(_kinds(model.model_fields[name].annotation)) if model else set()
    return int in kinds and float not in kinds


def _kinds(annotation: Any) -> Iterator[Any]:
    arguments = typing.get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _kinds(argument)


def _nested(document: Mapping[str, Any]) -> dict[str, Any]:
    """Quoted dotted keys (``"loss.kind"``) as sections."""
    nested: dict[str, Any] = {}
    for name, value in document.items():
        first, _, rest = name.partition(".")
        if rest:
            nested[first] = {**nested.get(first, {}), rest: value}
        else:
            nested[name] = value
    return nested


def _leaves(
    document: Mapping[str, Any],
    model: type[BaseModel],
    prefix: str,
    problems: list[str],
    advice: Callable[[str], str],
) -> Iterator[tuple[str, Any]]:
    """The keys of a space that the schema knows and a search may change, with their ranges."""
    for name, value in _nested(document).items():
        key, field = prefix + name, model.model_fields.get(name)
        section = inner_model(field.annotation) if field is not None else None
        if field is None:
            hint = advice(name) or closest(name, model.model_fields)
            problems.append(
                f"{key}: unknown key.{hint or ' Known here: ' + ', '.join(model.model_fields)}"
            )
        elif key in FIXED:
            problems.append(f"{key}: it cannot be searched: {FIXED[key]}")
        elif section is None:
            yield key, value
        elif isinstance(value, Mapping):
            yield from _leaves(value, section, f"{key}.", problems, advice)
        else:
            problems.append(f"{key}: this is a section; give ranges of its keys")


def _range_problems(key: str, kind: Range, experiment: Experiment) -> list[str]:
    """Values that the schema refuses at this key where it is searched."""
    problems = []
    searched = {other: values[0] for other, values in kind.when.items()}
    for value in kind.choices or (kind.low, kind.high):
        try:
            parse(changed(experiment, {**searched, key: value}))
        except ExperimentError as error:
            problems += [p for p in error.problems if p.startswith((f"{key}:", f"{key}."))]
    if kind.choices and len({repr(plain(choice)) for choice in kind.choices}) < 2:
        problems.append(f"{key}: give at least two different choices")
    return problems


def _settled(key: str, kind: Range, experiment: Experiment) -> bool:
    if kind.when:
        return False
    own = flat(experiment.model_dump(mode="json")).get(key)
    for value in kind.choices or (kind.low, kind.high):
        if plain(value) != plain(own):
            with contextlib.suppress(ExperimentError):
                parse(changed(experiment, {key: value}))
                return False
    return True


def _order_problems(ranges: Mapping[str, Range], experiment: Experiment) -> list[str]:
    problems, places = [], list(ranges)
    content = flat(experiment.model_dump(mode="json"))
    for place, (key, kind) in enumerate(ranges.items()):
        for other, values in kind.when.items():
            if other not in content:
                problems.append(f"{key}.when: unknown key '{other}'.{closest(other, content)}")
            elif other in places[place:]:
                problems.append(f"{key}.when: put '{other}' before it, as it is chosen first")
            elif other in ranges and not any(ranges[other].holds(value) for value in values):
                problems.append(f"{key}.when: '{other}' never becomes {list(values)}")
    return problems


def _place(item: Any) -> str:
    place = "".join(f".{part}" for part in item["loc"])
    return f"{place}: {item['msg'].removeprefix('Value error, ')}"


def _inline(content: Mapping[str, Any]) -> str:
    """A range as an inline table."""
    parts = []
    for name, value in content.items():
        if isinstance(value, Mapping):
            inner = ", ".join(f'"{key}" = {_value(values)}' for key, values in value.items())
            parts.append(f"{name} = {{ {inner} }}")
        else:
            parts.append(f"{name} = {_value(value)}")
    return "{ " + ", ".join(parts) + " }"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").strip()
