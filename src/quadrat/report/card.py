"""The model card: what a model is, how well it did, and what it must not be used for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from quadrat.report.cautions import cautions
from quadrat.report.contents import Contents
from quadrat.report.protocol import how_split
from quadrat.report.sections import SHOWN_FINDINGS
from quadrat.report.summary import Summary
from quadrat.report.words import baseline_label, counted, everyday, number, usable, words

_SPECIAL = re.compile(r"([\\`*\[\]<>|#])")


@dataclass(frozen=True)
class CardSection:
    """One heading of a card.

    Args:
        title: The heading.
        body: Markdown.
    """

    title: str
    body: str


@dataclass(frozen=True)
class Card:
    """A model card.

    Args:
        title: The model's name.
        summary: One sentence below it.
        sections: In the order of reading.
    """

    title: str
    summary: str
    sections: tuple[CardSection, ...]

    def __getitem__(self, title: str) -> CardSection:
        """The section with this heading."""
        return next(section for section in self.sections if section.title == title)

    def markdown(self) -> str:
        """The card as a Markdown document."""
        parts = [f"# {escaped(self.title)}", escaped(self.summary)]
        parts += [f"## {section.title}\n\n{section.body}" for section in self.sections]
        return "\n\n".join(parts) + "\n"


def make_card(contents: Contents, summary: Summary) -> Card:
    """The card of a run, from its files alone."""
    photos = contents.family == "photos"
    about = _about_photos(contents) if photos else _about_occurrence(contents)
    sections = (
        CardSection("What it is", about),
        CardSection("Intended use", _PHOTOS_USE if photos else _occurrence_use(contents)),
        CardSection("Training data", _training_data(contents)),
        CardSection("Protocol and scores", _scores(contents, summary)),
        CardSection("Limits", _limits(contents, summary)),
        CardSection("How to use it", _PHOTOS_HOW if photos else _occurrence_how(contents)),
        CardSection("Provenance", _provenance(contents)),
    )
    return Card(contents.name, f"{summary.headline} {summary.verdict}", sections)


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\1", text.replace("\n", " "))


def bullets(lines: Iterable[str]) -> str:
    """A list; each line is escaped."""
    return "\n".join(f"- {escaped(line)}" for line in lines)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; cells are escaped."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)]
    written = [f"| {' | '.join(map(escaped, lines[0]))} |", f"| {' | '.join(lines[1])} |"]
    written += [f"| {' | '.join(map(escaped, row))} |" for row in rows]
    return "\n".join(written)


def _about_photos(contents: Contents) -> str:
    section = contents.experiment.get("data") or {}
    targets = section.get("targets") or list(contents.metrics.get("per_target") or {})
    encoder = contents.experiment.get("encoder") or {}
    metadata = [*(section.get("numeric") or []), *(section.get("categorical") or [])]
    balance = [
        f"{rule['total']} = {' + '.join(rule['parts'])}"
        for rule in contents.experiment.get("balance") or []
        if isinstance(rule, Mapping) and "total" in rule
    ]
    lines = ["It reads a photo (or a set of photos) and predicts: " + ", ".join(targets) + "."]
    if contents.is_ensemble:
        lines.append(f"It is {contents.check['facts']['members']}.")
    if metadata:
        lines.append("Beside the photo it can use: " + ", ".join(metadata) + ".")
    if balance:
        lines.append("Its predictions obey: " + "; ".join(balance) + ".")
    if isinstance(encoder, Mapping) and encoder.get("name"):
        lines.append(f"Photos are encoded by {PurePath(str(encoder['name'])).name}.")
    return bullets(lines)


def _about_occurrence(contents: Contents) -> str:
    lines = [_POINTS_ANSWER if contents.has_points else _CELLS_ANSWER]
    species = contents.table("species.parquet")
    if species is not None:
        known = counted(species.height, "species", "species")
        lines.append(f"It knows {known}; a species outside its list has no answer.")
    if contents.is_ensemble:
        lines.append(f"It is {contents.check['facts']['members']}.")
    return bullets(lines)


def _occurrence_use(contents: Contents) -> str:
    return _POINTS_USE if contents.has_points else _OCCURRENCE_USE


def _occurrence_how(contents: Contents) -> str:
    return _POINTS_HOW if contents.has_points else _OCCURRENCE_HOW


def _training_data(contents: Contents) -> str:
    section = contents.experiment.get("data") or {}
    tables = contents.provenance.get("tables") or {}
    table = section.get("table") or section.get("points")
    lines = [f"Table: {PurePath(str(table)).name}"] if table else []
    lines += [f"SHA-256 of {key}: {value}" for key, value in tables.items()]
    facts = contents.check.get("facts") or {}
    lines += [f"{key}: {value}" for key, value in facts.items()]
    if not lines:
        return "The run folder does not say what it was trained on."
    return bullets(lines)


def _scores(contents: Contents, summary: Summary) -> str:
    metrics = contents.metrics
    rivals = [*summary.variants, *reversed(summary.rivals)]
    names = everyday(metrics["scores"], summary.primary)
    intervals = metrics.get("intervals") or {}
    beside = metrics.get("baselines") or {}
    rows = [
        [
            words(name).label,
            number(metrics["scores"][name]),
            _interval(intervals.get(name)),
            *[number(beside[rival.name].get(name)) for rival in rivals],
        ]
        for name in names
    ]
    head = [
        "Score",
        "This model",
        "95 % interval",
        *[baseline_label(rival.name) for rival in rivals],
    ]
    return "\n\n".join([escaped(how_split(contents)), table(head, rows)])


def _interval(interval: object) -> str:
    pair = usable(interval)
    return f"{number(pair[0])} to {number(pair[1])}" if pair else "–"


def _limits(contents: Contents, summary: Summary) -> str:
    usual = _PHOTOS_LIMITS if contents.family == "photos" else _OCCURRENCE_LIMITS
    checked = [str(line) for line in contents.check.get("warnings") or []]
    more = checked[SHOWN_FINDINGS:]
    told = [f"{counted(len(more), 'further finding')} of the data check in the report."]
    shown = [*checked[:SHOWN_FINDINGS], *(told if more else [])]
    return bullets([*cautions(contents, summary), *shown, *usual])


def _provenance(contents: Contents) -> str:
    """Versions, seed and hashes; no path, so that a card can be published."""
    if not contents.provenance:
        return "provenance.json is missing, so versions, seeds and hashes are not known."
    shown = ("quadrat", "python", "packages", "device", "seed", "experiment", "created")
    lines = []
    for key in shown:
        value = contents.provenance.get(key)
        if isinstance(value, Mapping):
            lines.append(f"{key}: " + ", ".join(_pair(k, v) for k, v in value.items() if v))
        elif value is not None:
            lines.append(_pair(key, value))
    return bullets(lines)


def _pair(key: str, value: Any) -> str:
    return f"{key} {value}"


_PHOTOS_USE = bullets(
    [
        "Estimates for many photos taken as the training photos were: same frame, height, light "
        "and kind of place.",
        "Ranking and monitoring, where the errors shown below are small against the differences "
        "that matter.",
        "Not for single decisions of weight without a measurement beside it.",
    ]
)

_OCCURRENCE_USE = bullets(
    [
        "Species lists of a place and week, as a filter for sound or photo identification.",
        "Range maps and phenology, to be read as where and when a species is recorded.",
        "Not as proof of absence, and not as abundance.",
    ]
)

_CELLS_ANSWER = (
    "It answers, for a latitude, a longitude and a week of the year (1 to 48, four a month; 0 "
    "is the whole year), with the probability that each species is recorded there."
)

_POINTS_ANSWER = (
    "It answers, for a place with covariates, with a number between 0 and 1 for each species: a "
    "suitability where it learnt from presences alone, a probability where it learnt from surveys."
)

_POINTS_USE = bullets(
    [
        "Maps of where species find suitable conditions, inside the region of the records.",
        "Not as abundance, and not for climates or places unlike those of the training sites.",
    ]
)

_PHOTOS_LIMITS = (
    "Photos of another camera, season or region were not judged, unless the split held them out.",
    "Values beyond the range of the training data are pulled towards it.",
)

_OCCURRENCE_LIMITS = (
    "Records follow people: where nobody looked, a low probability says little.",
    "Rare species have few records, so both their predictions and their scores are unsure.",
)

_PHOTOS_HOW = """\
```
quadrat predict RUN --data photos.csv --out predictions.csv
```

In Python: `quadrat.load_run("RUN").predict("photos.csv").frame()`."""

_OCCURRENCE_HOW = """\
```
quadrat species RUN --lat 46.2 --lon 6.1 --week 20
quadrat predict RUN --data places.csv --out predictions.parquet
```

In Python: `quadrat.load_run("RUN").predict("places.csv").frame()`."""

_POINTS_HOW = """\
```
quadrat predict RUN --data places.csv --out suitability.parquet
```

In Python: `quadrat.load_run("RUN").predict("places.csv")`."""
