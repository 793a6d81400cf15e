"""What the numbers of a run say: the headline and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from quadrat.report.contents import Contents
from quadrat.report.protocol import where_judged
from quadrat.report.words import (
    VARIANTS,
    baseline,
    direction,
    everyday,
    listed,
    spoken,
    spoken_interval,
    unit_of,
    usable,
    words,
)


@dataclass(frozen=True)
class Rival:
    """A baseline's primary score.

    Args:
        name: As in ``metrics.json``.
        value: Its primary score.
        interval: Low and high, or None.
    """

    name: str
    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Summary:
    """The primary score of a run beside those of its baselines.

    Args:
        primary: The score's name.
        value: The model's.
        interval: Low and high, or None.
        higher_is_better: The direction.
        rivals: The baselines that have the score, the weakest first.
        variants: The model itself, told less than it may know.
        unit: The targets' unit, where they share one.
        where: On what the model was judged, as the beginning of a sentence.
        support: The same of a score that has intervals, where the primary one has none.
    """

    primary: str
    value: float
    interval: tuple[float, float] | None
    higher_is_better: bool
    rivals: tuple[Rival, ...]
    variants: tuple[Rival, ...]
    unit: str
    where: str
    support: Summary | None = None

    @property
    def best_rival(self) -> Rival | None:
        """The strongest baseline."""
        return self.rivals[-1] if self.rivals else None

    @property
    def headline(self) -> str:
        """The result in one sentence."""
        known = words(self.primary)
        if known.kind == "share" and self.value < 0:
            said = f"explains nothing ({self._told(self.value, self.interval)})"
        else:
            value = spoken(self.primary, self.value, self.unit)
            interval = spoken_interval(self.primary, self.interval, self.unit)
            said = known.sentence.format(label=known.label, value=value, interval=interval)
        beside = [
            f"{spoken(self.primary, rival.value, self.unit)} for {baseline(rival.name)}"
            for rival in self.rivals
        ]
        against = f", against {listed(beside)}" if beside else ""
        which_way = "" if self.higher_is_better or not beside else " (less is better)"
        return f"{self.where} the model {said}{against}{which_way}."

    @property
    def verdict(self) -> str:
        """Whether that is good, by comparison with the strongest baseline."""
        told = [self._comparison()]
        for variant in self.variants:
            value = self._told(variant.value, variant.interval)
            told.append(f"{VARIANTS[variant.name][1]} {value}.")
        return " ".join(told)

    def _told(self, value: float, interval: tuple[float, float] | None) -> str:
        """A value of the primary score with its interval."""
        said = spoken(self.primary, value, self.unit)
        return said + spoken_interval(self.primary, interval, self.unit, beside=value)

    def _comparison(self) -> str:
        rival = self.best_rival
        if rival is None:
            return (
                "No baseline was judged beside it, so this number alone does not say whether the "
                "model is of use."
            )
        name = baseline(rival.name)
        if not self.is_better(rival):
            return f"It does not beat {name}: find out why before anyone relies on it."
        if self.interval is None or rival.interval is None:
            return f"It beats {name}; {self._supported()}."
        if self._clear_of(rival):
            return f"It beats the strongest baseline, {name}, and their intervals do not overlap."
        return (
            f"It beats the strongest baseline, {name}, but their intervals overlap: "
            "part of the difference may be chance."
        )

    def _supported(self) -> str:
        """How sure that is, by a score that has intervals."""
        beside = self.support
        if beside is None or beside.best_rival is None:
            return "without intervals nobody can say how surely"
        rival = beside.best_rival
        against = spoken(beside.primary, rival.value, beside.unit)
        told = f"{beside._told(beside.value, beside.interval)} against {against}"
        label = words(beside.primary).label
        if not beside.is_better(rival):
            return f"but not {baseline(rival.name)} in {label} ({told})"
        apart = "do not overlap" if beside._clear_of(rival) else "overlap"
        return f"in {label}, {told}, the intervals {apart}"

    def is_better(self, rival: Rival) -> bool:
        """Whether the model's score is better than the baseline's."""
        if not (math.isfinite(self.value) and math.isfinite(rival.value)):
            return False
        return (self.value > rival.value) == self.higher_is_better and self.value != rival.value

    def _clear_of(self, rival: Rival) -> bool:
        if self.interval is None or rival.interval is None:
            return False
        if self.higher_is_better:
            return self.interval[0] > rival.interval[1]
        return self.interval[1] < rival.interval[0]


def summarise(contents: Contents) -> Summary:
    """The primary score of a run beside those of its baselines."""
    metrics = contents.metrics
    primary = str(metrics.get("primary") or next(iter(metrics["scores"])))
    found = _of_score(contents, primary, bool(metrics.get("higher_is_better", True)))
    if found.interval is not None:
        return found
    others = [name for name in everyday(metrics["scores"], primary) if direction(name)]
    for name in others:
        beside = _of_score(contents, name, direction(name) == "↑")
        if beside.interval is not None and beside.rivals and beside.rivals[-1].interval is not None:
            return replace(found, support=beside)
    return found


def _of_score(contents: Contents, primary: str, higher: bool) -> Summary:
    metrics = contents.metrics
    intervals = metrics.get("baseline_intervals") or {}
    judged = [
        Rival(name, float(scores[primary]), usable((intervals.get(name) or {}).get(primary)))
        for name, scores in (metrics.get("baselines") or {}).items()
        if isinstance(scores.get(primary), int | float)
    ]
    judged.sort(key=lambda rival: rival.value if higher else -rival.value)
    value = metrics["scores"].get(primary)
    return Summary(
        primary=primary,
        value=float("nan") if value is None else float(value),
        interval=usable((metrics.get("intervals") or {}).get(primary)),
        higher_is_better=higher,
        rivals=tuple(rival for rival in judged if rival.name not in VARIANTS),
        variants=tuple(rival for rival in judged if rival.name in VARIANTS),
        unit=common_unit(contents),
        where=where_judged(contents),
    )


def units(contents: Contents) -> Mapping[str, str]:
    """Target → unit, for the targets of ``metrics.json``."""
    given = (contents.experiment.get("data") or {}).get("units") or {}
    return {target: unit_of(target, given) for target in contents.metrics.get("per_target") or {}}


def common_unit(contents: Contents) -> str:
    """The unit that all targets share, or nothing."""
    different = set(units(contents).values())
    return different.pop() if len(different) == 1 else ""
