"""Training an occurrence experiment into a run folder, from records to scores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quadrat.engine import (
    Backend,
    OnEpoch,
    current_progress,
)
from quadrat.errors import RunError
from quadrat.occurrence.findings import findings, missing_watched
from quadrat.occurrence.fitting import Fitted, fit_network, make_objective, read_start
from quadrat.occurrence.judging.adjustment import Adjustment, adjust
from quadrat.occurrence.judging.baselines import TrainingCounts
from quadrat.occurrence.judging.final_scores import Holdout, judge
from quadrat.occurrence.judging.what_it_learnt import write_what_it_learnt
from quadrat.occurrence.network.species_network import OccurrenceNetwork
from quadrat.occurrence.records.reading import known_species
from quadrat.occurrence.records.taxonomy import make_vocabulary
from quadrat.occurrence.samples.dataset import OccurrenceData, left_out, prepare
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.occurrence.telling import tell
from quadrat.occurrence.transfer.starting import Start
from quadrat.occurrence.writing import write_model_and_scores
from quadrat.runs import History, Run, read_json, write_json


def train(
    experiment: OccurrenceExperiment,
    run: Run,
    *,
    history: History,
    on_epoch: OnEpoch | None = None,
) -> dict[str, Any]:
    """Trains, judges and writes a run; goes on from what lies in its folder.

    Args:
        experiment: The experiment.
        run: Where everything goes.
        history: Receives a record an epoch.
        on_epoch: Called with every record; training ends when it returns True.

    Returns:
        The metrics, which are also in ``metrics.json``.

    Raises:
        DataError: The records cannot be used.
        UsageError: The primary score is not one of this family.
        Stopped: A signal asked to stop; the state was saved.
    """
    _announce_compiling()
    data = prepare(experiment)
    backend = Backend.create(experiment.run.device, experiment.optimiser.precision)
    start = _record_start(run, experiment, data, backend)
    tell(findings(experiment, data, start), run, backend)
    fitted = fit_network(
        experiment,
        data,
        backend,
        state=run.fold(0) / "state",
        history=history,
        on_epoch=on_epoch,
    )
    fitted, data = _with_kept_species(experiment, fitted, data)
    cells = data.partition.judged
    missing = missing_watched(data.table, data.partition, experiment.data.watchlist)
    adjustment = adjusted(experiment, data, fitted.network, backend)
    judged = judge(
        fitted.network,
        data.samples(cells),
        adjustment=adjustment,
        vocabulary=data.vocabulary,
        counts=TrainingCounts.of(data.samples(data.partition.train)),
        blocks=data.partition.blocks[cells],
        watchlist=fitted.objective.watchlist,
        score=experiment.score,
        protocol=data.partition.protocol(experiment.split, intervals=experiment.score.bootstrap > 0)
        | left_out(data.table, cells, data.vocabulary)
        | ({"watchlist_missing": missing} if missing else {}),
        backend=backend,
        seed=experiment.seed,
        holdout=_holdout(data),
    )
    if backend.is_main:
        write_model_and_scores(run, data, judged, fitted, adjustment.stored)
        write_what_it_learnt(run.folder, data, fitted.network, experiment.seed)
        write_json(run.path("metrics.json"), judged.metrics.to_dict())
    return judged.metrics.to_dict()


def _holdout(data: OccurrenceData) -> Holdout | None:
    parts = data.partition
    if not len(parts.holdout):
        return None
    return Holdout(data.samples(parts.holdout), parts.blocks[parts.holdout])


def adjusted(
    experiment: OccurrenceExperiment,
    data: OccurrenceData,
    network: OccurrenceNetwork,
    backend: Backend,
) -> Adjustment:
    """Calibration and thresholds of a network, from its validation cells."""
    parts = data.partition
    return adjust(
        network,
        data.samples(parts.validation),
        parts.blocks[parts.validation],
        experiment.calibrate,
        judged=len(parts.test) or None,
        device=backend.device,
        seed=experiment.seed,
    )


def _announce_compiling() -> None:
    from quadrat.kernels.compiling import are_compiled

    if not are_compiled():
        current_progress().note("compiling kernels: about half a minute, once on this machine")


def _record_start(
    run: Run, experiment: OccurrenceExperiment, data: OccurrenceData, backend: Backend
) -> Start | None:
    """Writes what became of the species of the run that training starts from, and gives it.

    Raises:
        RunError: That run has changed since this training began.
    """
    start, path = read_start(experiment, data), run.path("start.json")
    if start is None:
        return None
    if path.exists() and read_json(path)["weights"] != start.sha256:
        raise RunError(
            f"{start.folder} has changed since {run.folder} began to learn from it. Put it back, "
            "or start a new run."
        )
    if backend.is_main:
        write_json(path, start.describe(data.vocabulary))
    return start


def _with_kept_species(
    experiment: OccurrenceExperiment, fitted: Fitted, data: OccurrenceData
) -> tuple[Fitted, OccurrenceData]:
    """The network with the species that were not learnt but stay, and the data in its terms."""
    start = fitted.start
    if start is None or not start.kept:
        return fitted, data
    network, spec, vocabulary = start.extended(fitted.network, fitted.spec, data.vocabulary)
    _, unnamed = make_vocabulary(vocabulary.codes, known_species(experiment.data))
    whole = replace(data, vocabulary=vocabulary, unnamed=unnamed, label_weights=None)
    whole = replace(whole, counts=whole.samples(whole.partition.train).labels.counts())
    objective = make_objective(experiment, whole)
    fitted = fitted._replace(network=network, spec=spec, objective=objective)
    return fitted, whole
