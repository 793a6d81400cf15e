"""An ensemble as files: ``model.json`` says how members answer together and where they lie."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from quadrat.ensemble.combination import Combination
from quadrat.ensemble.members import Loaded, Member, open_member, trained_in
from quadrat.ensemble.predictor import PhotosEnsemble
from quadrat.ensemble.schema import EnsembleExperiment, MemberSection
from quadrat.errors import RunError
from quadrat.runs import FORMAT_VERSION, Run, read_json, write_json

PHOTOS, SPECIES = "photos-ensemble", "occurrence-ensemble"
"""Kinds of models: what lies in an ensemble's ``model.json``."""

_NOT_NEEDED = (
    "state",  # of a training that is over
    "figures",
    "evaluations",
    "report.html",
    "card.md",
    "predictions.parquet",
    "submission.csv",
)


def describe(
    folder: Path,
    experiment: EnsembleExperiment,
    kind: str,
    answer: Mapping[str, Any],
    members: Sequence[Member],
) -> None:
    """Writes ``model.json``.

    Args:
        folder: The ensemble's run folder.
        experiment: The ensemble's experiment.
        kind: `PHOTOS` or `SPECIES`.
        answer: How the members answer together.
        members: The members, copied or where they are.
    """
    sections = list(experiment.member)
    model = {
        "format_version": FORMAT_VERSION,
        "kind": kind,
        **answer,
        "members": [
            {
                "name": member.name,
                "run": os.path.relpath(member.run.folder, folder),
                "section": sections.index(member.section),
                "metrics_sha256": member.digest,
            }
            for member in members
        ],
    }
    write_json(folder / "model.json", model)


def describe_photos(
    folder: Path,
    experiment: EnsembleExperiment,
    combination: Combination,
    members: Sequence[Member],
) -> None:
    """Writes ``model.json`` of an ensemble of photos runs."""
    answer = {"targets": list(combination.targets), **combination.to_json()}
    describe(folder, experiment, PHOTOS, answer, members)


def copy_members(
    folder: Path, experiment: EnsembleExperiment, members: Sequence[Member]
) -> list[Member]:
    """Copies members into ``members/`` of an ensemble's run folder, with what answers need.

    Those that were trained there stay as they are.
    """
    copies, sections = [], list(experiment.member)
    for member in members:
        target = trained_in(folder, sections.index(member.section))
        if member.run.folder == target.resolve():
            copies.append(member)
            continue
        unfinished = target.with_name(f".{target.name}")
        for old in (target, unfinished):
            if old.exists():
                shutil.rmtree(old)
        ignored = shutil.ignore_patterns(*_NOT_NEEDED)
        shutil.copytree(member.run.folder, unfinished, ignore=ignored)
        unfinished.replace(target)
        copies.append(replace(member, run=Run.open(target)))
    return copies


def members_of(run: Run, experiment: EnsembleExperiment) -> tuple[list[Member], dict[str, Any]]:
    """The members of a finished ensemble, and its ``model.json``.

    Raises:
        RunError: A member has moved, or was trained on since.
    """
    model = read_json(run.path("model.json"))
    if model.get("kind") not in (PHOTOS, SPECIES):
        raise RunError(f"{run.folder} holds a model of the kind '{model.get('kind')}'.")
    members = [_found(run.folder, entry, experiment) for entry in model["members"]]
    return members, model


def load_photos(folder: Path, experiment: EnsembleExperiment) -> PhotosEnsemble:
    """Reads an ensemble of photos runs.

    Its members are loaded now, or each when it is asked (``combine.jit``).

    Raises:
        RunError: The folder holds no ensemble, or a member of it has moved or cannot be loaded.
    """
    members, model = members_of(Run(folder), experiment)
    loaded = Loaded(members, one_at_a_time=experiment.combine.jit)
    return PhotosEnsemble(experiment, Combination.from_json(model), loaded)


def save_ensemble(ensemble: PhotosEnsemble, folder: Path) -> None:
    """Writes an ensemble with copies of its members, so that the folder answers on its own."""
    folder.mkdir(parents=True, exist_ok=True)
    Run(folder).write_experiment(ensemble.combined)
    copies = copy_members(folder, ensemble.combined, ensemble.loaded.members)
    describe_photos(folder, ensemble.combined, ensemble.combination, copies)


def _found(folder: Path, entry: dict[str, Any], experiment: EnsembleExperiment) -> Member:
    """A member, beside the ensemble as it was, or where its experiment says."""
    section: MemberSection = experiment.member[entry["section"]]
    beside = Path(os.path.normpath(folder / entry["run"]))
    places = list(dict.fromkeys([beside, section.run or beside]))
    there = [place for place in places if (place / "experiment.toml").is_file()]
    if not there:
        looked = " nor ".join(str(place) for place in places)
        raise RunError(
            f"the member '{entry['name']}' of {folder} has moved: it is not in {looked}.\n"
            "Put it back, or make the ensemble again; with combine.copy = true it keeps members."
        )
    member = replace(open_member(there[0], section, experiment.combine.sides), name=entry["name"])
    if member.digest != entry["metrics_sha256"]:
        raise RunError(
            f"the member '{member.name}' ({there[0]}) has other scores than when {folder} was "
            "made, so it is another model now. Make the ensemble again."
        )
    return member
