"""Maps of numbers: where a species is, how many species there are, how sure the model is of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.errors import UsageError, closest
from quadrat.geo import CellGrid, RasterGrid, is_land
from quadrat.occurrence.records.taxonomy import Species, Vocabulary
from quadrat.runtime.weeks import WEEKS, WHOLE_YEAR

Values = NDArray[np.float32]

KINDS = ("range", "richness", "uncertainty")
"""What can be mapped."""

_ANSWERS = 16_000_000
"""Probabilities held at a time, where all species are asked for."""


class Answers(Protocol):
    """What answers: an occurrence predictor."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The species."""
        ...

    def probabilities(
        self,
        lat: ArrayLike,
        lon: ArrayLike,
        week: ArrayLike,
        *,
        columns: Sequence[int] | None = None,
    ) -> Values:
        """The probabilities of species at places, ``(N, S)``."""
        ...


@dataclass(frozen=True)
class Subject:
    """What a map shows.

    Args:
        kind: One of `KINDS`.
        quantity: A short name for columns and tags: ``probability``, ``richness`` …
        title: What is shown, for people.
        note: A second, quieter line; may be empty.
        label: The quantity with its unit, for a colour bar.
        unit: The unit alone.
        highest: The greatest value that can be; None where it depends on the place.
        species: The species, where there is one.
    """

    kind: str
    quantity: str
    title: str
    note: str
    label: str
    unit: str
    highest: float | None
    species: Species | None = None


@dataclass(frozen=True)
class MapLayers:
    """A map a week.

    Args:
        subject: What is shown.
        weeks: Weeks 1-48, 0 for the whole year.
        grid: Where.
        values: One row a week ``(weeks, N)``; NaN at sea where only land was asked for.
        far: Which places are far from all records ``(N,)``: pictures stripe them. None: unknown,
            or of no concern.
    """

    subject: Subject
    weeks: tuple[int, ...]
    grid: RasterGrid | CellGrid
    values: Values
    far: NDArray[np.bool_] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The name of every week's layer: ``week_20``, or ``year``."""
        return tuple("year" if week == WHOLE_YEAR else f"week_{week}" for week in self.weeks)


def map_layers(
    predictor: Answers,
    kind: str,
    grid: RasterGrid | CellGrid,
    weeks: Sequence[int],
    *,
    species: str | None = None,
    among: Sequence[int] | None = None,
    group: str = "",
    land_only: bool = False,
) -> MapLayers:
    """Asks a model for a map.

    ``range`` is the probability p of one species. ``richness`` is the expected number of species,
    ``Σ p``. ``uncertainty`` is, with a species, the entropy of its presence in bits,
    ``−p log₂ p − (1 − p) log₂(1 − p)`` (C. E. Shannon, "A mathematical theory of communication",
    1948), and else the standard deviation of the number of species, ``√(Σ p (1 − p))``, as if
    species came and went independently of one another where place and week are known.

    Args:
        predictor: The model.
        kind: One of `KINDS`.
        grid: Where.
        weeks: Weeks 1-48; 0 is the whole year, in which a species has its greatest probability.
        species: A code, scientific name or common name; its map costs one column of the model.
        among: Positions of the species that are counted; all by default.
        group: What these species are called.
        land_only: NaN at sea.

    Raises:
        UnknownNameError: The model does not know the species.
        UsageError: There is no such kind of map, or it needs a species, or does not take one.
    """
    subject, columns, of_species = _subject(predictor.vocabulary, kind, species, among, group)
    lat, lon = grid.places()
    wanted = np.flatnonzero(is_land(lat, lon)) if land_only else np.arange(len(lat))
    values = np.full((len(weeks), len(lat)), np.nan, dtype=np.float32)
    counted = len(predictor.vocabulary) if columns is None else len(columns)
    size = max(_ANSWERS // max(counted, 1), WEEKS)
    for start in range(0, len(wanted), size):
        rows = wanted[start : start + size]
        for layer, week in enumerate(weeks):
            found = predictor.probabilities(lat[rows], lon[rows], week, columns=columns)
            values[layer, rows] = of_species(found)
    return MapLayers(subject, tuple(weeks), grid, values)


def presence(layers: MapLayers, threshold: float) -> MapLayers:
    """The range of a species cut at a threshold: 1 where it counts as present, else 0.

    Args:
        layers: Its probabilities.
        threshold: The least probability of a presence.

    Raises:
        UsageError: The layers show something else than a range.
    """
    if layers.subject.kind != "range":
        raise UsageError("a threshold cuts the range of a species; leave it out of other maps.")
    cut = (layers.values >= threshold).astype(np.float32)
    values = np.where(np.isnan(layers.values), layers.values, cut)
    label = f"present (1) from a probability of {threshold:.3g}"
    subject = replace(layers.subject, quantity="presence", label=label)
    return replace(layers, subject=subject, values=values)


def near_records(layers: MapLayers, far: NDArray[np.bool_]) -> MapLayers:
    """The same layers, blank where the model has no records near.

    Args:
        layers: The layers.
        far: Which places are far from all records ``(N,)``.
    """
    return replace(layers, values=np.where(far, np.float32(np.nan), layers.values))


def entropy_bits(probability: Values) -> Values:
    """The entropy of a presence of known probability, in bits, of the same shape."""
    p = np.clip(probability.astype(np.float64), 0, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(q > 0, -q * np.log2(q), 0.0) for q in (p, 1 - p)]
    return np.asarray(parts[0] + parts[1], np.float32)


def _subject(
    vocabulary: Vocabulary,
    kind: str,
    species: str | None,
    among: Sequence[int] | None,
    group: str,
) -> tuple[Subject, Sequence[int] | None, Callable[[Values], Values]]:
    """What is shown, of which columns, and how their probabilities ``(N, S)`` become a number."""
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise UsageError(f"there is no map of '{kind}'.{closest(kind, KINDS)} Known: {known}.")
    if kind == "range" and species is None:
        raise UsageError("a range map is that of one species: give its name or code.")
    if kind == "richness" and species is not None:
        raise UsageError("richness counts species: leave the species out, or map its range.")
    if species is None:
        return _of_all(kind, among, group)
    column = vocabulary.find(species)
    return _of_one(kind, vocabulary.species[column]), [column], _ONE[kind]


_ONE: dict[str, Callable[[Values], Values]] = {
    "range": lambda found: found[:, 0],
    "uncertainty": lambda found: entropy_bits(found[:, 0]),
}


def _of_one(kind: str, species: Species) -> Subject:
    name = species.common or species.scientific or species.code
    note = species.scientific if species.scientific != name else ""
    if kind == "range":
        label = "probability of occurrence (0–1)"
        return Subject(kind, "probability", name, note, label, "1", 1.0, species)
    title, label = f"Uncertainty about {name}", "entropy of the presence (bits)"
    return Subject(kind, "entropy", title, note, label, "bit", 1.0, species)


def _of_all(
    kind: str, among: Sequence[int] | None, group: str
) -> tuple[Subject, Sequence[int] | None, Callable[[Values], Values]]:
    what = f"species of {group}" if group else "species"
    if kind == "richness":
        subject = Subject(
            kind, "richness", f"Expected number of {what}", "", "species (count)", "species", None
        )
        return subject, among, lambda p: p.sum(axis=1, dtype=np.float64).astype(np.float32)
    subject = Subject(
        kind,
        "richness_sd",
        f"Uncertainty of the number of {what}",
        "species taken as independent at a known place and week",
        "standard deviation (species)",
        "species",
        None,
    )

    def spread(p: Values) -> Values:
        return np.asarray(np.sqrt((p * (1 - p)).sum(axis=1, dtype=np.float64)), np.float32)

    return subject, among, spread
