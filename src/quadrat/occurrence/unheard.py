"""Settings and synonyms that change nothing, which whoever wrote them may not know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from quadrat.errors import counted
from quadrat.occurrence.records.synonyms import SynonymUse
from quadrat.occurrence.samples.dataset import OccurrenceData
from quadrat.occurrence.schema import NetworkSection, OccurrenceExperiment
from quadrat.occurrence.transfer.starting import Start

_SHOWN = 10


def unheard(
    experiment: OccurrenceExperiment,
    data: OccurrenceData,
    synonyms: SynonymUse | None,
    start: Start | None,
) -> list[str]:
    """A sentence for everything that was asked for and changes nothing.

    Args:
        experiment: What was asked for.
        data: Its records.
        synonyms: What became of ``data.synonyms``.
        start: The run that training starts from.
    """
    found = list(_without_effect(experiment, data))
    if synonyms is not None and synonyms.idle:
        found.append(
            f"data.synonyms: {len(synonyms.idle)} of {counted(synonyms.rows, 'row')} "
            f"{_verb(synonyms.idle)} nothing, as the table has no such old species: "
            f"{some(synonyms.idle)}"
        )
    if start is not None and start.match.idle:
        idle = start.match.idle
        found.append(
            f"start.synonyms: {counted(len(idle), 'row')} {_verb(idle)} nothing: {some(idle)}"
        )
    return found


def _without_effect(experiment: OccurrenceExperiment, data: OccurrenceData) -> Iterator[str]:
    drawn, species = experiment.loss.neg_samples, len(data.vocabulary)
    if drawn >= species:
        yield (
            f"loss.neg_samples = {drawn} draws nothing, as {species:,} species "
            f"{'is' if species == 1 else 'are'} learnt: all are computed, as with 0"
        )
    weight = experiment.network.environment_weight
    usual = NetworkSection.model_fields["environment_weight"].default
    if weight not in (0.0, usual) and not data.encoder.columns:
        chosen = experiment.data.environment
        reason = "the table has none" if chosen is None else "data.environment = []"
        yield (
            f"network.environment_weight = {weight:g} does nothing: there is no environment to "
            f"predict ({reason})"
        )


def _verb(things: Sequence[object]) -> str:
    return "does" if len(things) == 1 else "do"


def some(words: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(words[:_SHOWN]) + more
