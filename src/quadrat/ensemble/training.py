"""Making an ensemble: its run folder is filled as one that was trained."""

from __future__ import annotations

from typing import Any

from quadrat.engine import OnEpoch, current_progress
from quadrat.ensemble.judging import judge_members
from quadrat.ensemble.member_training import train_members
from quadrat.ensemble.members import Loaded, family_of_members, open_members
from quadrat.ensemble.predictor import PhotosEnsemble
from quadrat.ensemble.saving import copy_members, describe_photos
from quadrat.ensemble.schema import EnsembleExperiment
from quadrat.photos.training import predict_test
from quadrat.runs import History, Run, write_json
from quadrat.tables import write_table


def train(
    experiment: EnsembleExperiment,
    run: Run,
    *,
    history: History,
    on_epoch: OnEpoch | None = None,
) -> dict[str, Any]:
    """Combines and judges the members, after those were trained that are experiments yet.

    Args:
        experiment: The experiment.
        run: Where everything goes.
        history: Stays empty; members that are trained have their own.
        on_epoch: Is never called.

    Returns:
        The metrics, which are also in ``metrics.json``.

    Raises:
        DataError: The members cannot be combined or judged together.
        RunError: A member cannot be loaded.
        Stopped: A signal asked to stop while a member was trained; its state was saved.
    """
    train_members(experiment, run.folder)
    found = open_members(experiment, run.folder)
    if family_of_members(found) == "occurrence":
        from quadrat.ensemble.species.saving import train_species

        return train_species(experiment, found, run)
    judged = judge_members(experiment, found)
    for warning in judged.report.warnings:
        current_progress().warn(warning)
    write_json(run.path("check.json"), judged.report.to_dict())
    write_table(judged.oof, run.path("oof.parquet"))
    members = judged.members
    if experiment.combine.copied:
        members = copy_members(run.folder, experiment, members)
    describe_photos(run.folder, experiment, judged.combination, members)
    loaded = Loaded(members, one_at_a_time=experiment.combine.jit)
    predict_test(PhotosEnsemble(experiment, judged.combination, loaded), run)
    metrics = judged.metrics.to_dict()
    write_json(run.path("metrics.json"), metrics)
    return metrics
