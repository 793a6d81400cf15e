"""What training starts from."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from quadrat.experiment import FilePath, Section
from quadrat.occurrence.schema.network import NetworkSection

_SHAPE = (
    "scale",
    "encoding",
    "coord_harmonics",
    "week_harmonics",
    "habitat_head",
    "environment_input",
)
"""Keys of the network that a run has settled."""


class StartSection(Section):
    """A trained run to start from, instead of a fresh network."""

    run: FilePath | None = Field(
        None,
        description="Folder of a trained or imported run, whose network goes on learning. The "
        "shape in [network] is the run's.",
    )
    synonyms: FilePath | None = Field(
        None,
        description="Table with the columns old (a code or scientific name of that run) and new "
        "(a code of the table): new species that begin as old ones; an old one may become several.",
    )
    missing: Literal["keep", "drop"] = Field(
        "keep",
        description="Species of that run which are not learnt from the table. keep: they stay as "
        "they were and are answered for; drop: they are left out.",
    )
    new_species_epochs: int = Field(
        0,
        ge=0,
        description="Epochs before all others in which only the outputs of new species learn.",
    )
    learning_rate_factor: float = Field(
        1.0,
        gt=0.0,
        le=1.0,
        description="Learning rate of all layers before the species' outputs, as a share of "
        "optimiser.learning_rate.",
    )

    @model_validator(mode="after")
    def _nothing_without_a_run(self) -> StartSection:
        fields = type(self).model_fields
        idle = [n for n in fields if n != "run" and getattr(self, n) != fields[n].default]
        if self.run is None and idle:
            raise ValueError(f"{idle[0]} does nothing without run; name the run to start from")
        return self


def network_of_run(section: NetworkSection, run: Path) -> NetworkSection:
    """The section with the shape that a run's network has.

    Args:
        section: As it is written; keys that are given must agree with the run.
        run: The run's folder; where it is gone, the section stays as it is.

    Raises:
        ValueError: A given key says something else than the run.
    """
    try:
        known = tomllib.loads((run / "experiment.toml").read_text(encoding="utf-8"))["network"]
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return section
    settled: dict[str, Any] = {key: known[key] for key in _SHAPE if key in known}
    given = section.model_dump(mode="json", include=section.model_fields_set)
    others = [
        f"network.{key} = {given[key]!r} instead of {value!r}"
        for key, value in settled.items()
        if given.get(key, value) != value
    ]
    if others:
        raise ValueError(
            f"the run to start from, {run.name}, has another network: {', '.join(others)}. Leave "
            "these keys out, as the recipe fine-tune does, or give the run's values with --set"
        )
    weights = {key: value for key, value in known.items() if key not in given}
    return NetworkSection.model_validate({**weights, **given})
