"""From sites to models: the networks through the engine, forests and regressions beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from quadrat.engine import Backend, FitResult, FitSettings, OnEpoch, fit, seed_everything
from quadrat.occurrence.points.batches import PointBatches
from quadrat.occurrence.points.data import PointData, section_of
from quadrat.occurrence.points.encoding import Inputs, PointEncoder
from quadrat.occurrence.points.ensemble import Networks, PointEnsemble, PointModel
from quadrat.occurrence.points.forest import grow
from quadrat.occurrence.points.logistic import regress
from quadrat.occurrence.points.network import NetworkShape, PointNetwork
from quadrat.occurrence.points.objective import PointObjective
from quadrat.occurrence.points.sites import Labels
from quadrat.occurrence.schema import OccurrenceExperiment

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """Which sites are learnt, and which choose the networks' state.

    Args:
        fold: Its number, for records and messages.
        learnt: Rows of the sites that are learnt.
        held_out: Rows that choose the state; none where it is not chosen.
        epochs: Length of the networks' training.
    """

    fold: int
    learnt: Rows
    held_out: Rows
    epochs: int


@dataclass(frozen=True)
class Fitted:
    """Trained models.

    Args:
        model: What answers.
        baseline: The simple model beside it; None where baselines are not wanted.
        result: How the networks' training ended; None without networks.
    """

    model: PointEnsemble
    baseline: PointEnsemble | None
    result: FitResult | None


def fit_part(
    experiment: OccurrenceExperiment,
    data: PointData,
    part: Part,
    backend: Backend,
    *,
    state: Path | None = None,
    history: Any = None,
    on_epoch: OnEpoch | None = None,
) -> Fitted:
    """Fits all models of an experiment on some of its sites.

    Args:
        experiment: The experiment.
        data: Its data.
        part: Which sites, and for how long.
        backend: Where the networks compute.
        state: Where the networks' training is saved and taken up.
        history: Receives a record an epoch.
        on_epoch: Called with every record; training ends when it returns True.
    """
    _, section = section_of(experiment)
    learnt = data.sites.rows(part.learnt)
    encoder = PointEncoder.fitted(learnt.covariates, section)
    inputs, labels = encoder.encoded(learnt.covariates), learnt.labels
    balanced = section.kind == "presence-only"
    models: dict[str, PointModel] = {}
    result = None
    if "network" in section.models:
        held_out = data.sites.rows(part.held_out)
        chosen_on = (encoder.encoded(held_out.covariates), held_out.labels)
        module = _network(experiment, encoder, (inputs, labels), seed=experiment.seed + part.fold)
        result = _fit_network(
            module, experiment, (inputs, labels), chosen_on, part, backend, state, history, on_epoch
        )
        models["network"] = Networks(module, balanced)
    if "forest" in section.models:
        seed = experiment.seed + 1000 * part.fold
        models["forest"] = grow(inputs, labels, trees=section.trees, balanced=balanced, seed=seed)
    baseline = None
    if experiment.score.baselines or "logistic" in section.models:
        simple = regress(inputs, labels, numbers=encoder.numbers, balanced=balanced)
        models |= {"logistic": simple} if "logistic" in section.models else {}
        baseline = PointEnsemble(encoder, {"logistic": simple}, balanced)
    return Fitted(PointEnsemble(encoder, models, balanced), baseline, result)


def _network(
    experiment: OccurrenceExperiment,
    encoder: PointEncoder,
    learnt: tuple[Inputs, Labels],
    *,
    seed: int,
) -> PointNetwork:
    """Networks before training, which know how their inputs are spread."""
    _, section = section_of(experiment)
    inputs, labels = learnt
    seed_everything(seed)
    shape = NetworkShape.of(
        section, inputs=inputs.shape[1], numbers=encoder.numbers, species=labels.shape[1]
    )
    module = PointNetwork(shape)
    module.start_from(torch.from_numpy(inputs), torch.from_numpy(labels))
    return module


def _fit_network(
    module: PointNetwork,
    experiment: OccurrenceExperiment,
    learnt: tuple[Inputs, Labels],
    chosen_on: tuple[Inputs, Labels],
    part: Part,
    backend: Backend,
    state: Path | None,
    history: Any,
    on_epoch: OnEpoch | None,
) -> FitResult:
    optimiser = experiment.optimiser.model_copy(update={"epochs": part.epochs})
    batches = PointBatches(
        *learnt,
        optimiser.batch_size,
        device=backend.device,
        seed=experiment.seed,
        rank=backend.rank,
        world=backend.world,
    )
    validation = None
    if len(part.held_out):
        validation = PointBatches(
            *chosen_on, optimiser.batch_size, device=backend.device, seed=0, shuffle=False
        )
    return fit(
        module,
        batches,
        PointObjective(experiment.score.primary),
        FitSettings(optimiser, experiment.average, experiment.run, experiment.seed),
        backend=backend,
        validation=validation,
        state=state,
        history=history,
        fold=part.fold,
        on_epoch=on_epoch,
    )
