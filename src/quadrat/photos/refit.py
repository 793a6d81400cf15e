"""One more network that learns from all samples, and answers for new tables."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from quadrat.photos.learner import NetworkLearner
from quadrat.photos.member import Member
from quadrat.photos.samples.parts import Part
from quadrat.photos.saving import REFIT
from quadrat.runs import Run, read_json, write_json

_STATE = "state-{}"


def refit(
    learner: NetworkLearner,
    everything: Part,
    nothing: Part,
    run: Run,
    *,
    fold_members: Sequence[Member],
    best_epochs: Sequence[int],
) -> Member:
    """Trains on all samples for the mean of the folds' best epochs, or reads what it left.

    No rows are left to choose a state by, so it is the last one. The learning rate is planned as
    in the folds, and training ends where they were best. The covariance of errors, where the
    balance asks for it, is the mean of the folds': errors on rows that were learnt are too small.

    Args:
        learner: The learner of the folds.
        everything: All samples.
        nothing: No samples.
        run: Where the member goes.
        fold_members: The members of the folds.
        best_epochs: The best epoch of each fold.

    Raises:
        Stopped: A signal asked to stop; the state was saved.
    """
    epochs = round(sum(best_epochs) / len(best_epochs))
    goal = {"epochs": epochs, "of": learner.experiment.optimiser.epochs}
    folder = run.path(REFIT).parent
    marker = folder / "refit.json"
    if learner.backend.agree(marker.exists() and read_json(marker)["goal"] == goal):
        return Member.load(run.path(REFIT), read_json(marker)["member"], learner.encoder.rest())
    state = folder / _STATE.format(epochs)
    fitted = learner.fit(
        everything,
        nothing,
        fold=len(best_epochs),
        state=state,
        stop_after=epochs,
        label="refit on all samples",
    )
    member = replace(fitted.member, covariance=_mean_covariance(fold_members))
    if learner.backend.is_main:
        member.save_weights(run.path(REFIT))
        write_json(marker, {"goal": goal, "member": member.to_json()})
        for other in folder.glob(_STATE.format("*")):  # of trainings of other lengths
            if other != state:
                shutil.rmtree(other)
    return member


def _mean_covariance(members: Sequence[Member]) -> NDArray[np.float64] | None:
    known = [member.covariance for member in members if member.covariance is not None]
    return np.mean(known, axis=0) if known else None
