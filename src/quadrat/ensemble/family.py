"""What the functions behind the verbs ask of ensembles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from quadrat.ensemble.judging import judge_members, scored_as
from quadrat.ensemble.member_training import check_experiments
from quadrat.ensemble.members import family_of_members, open_members
from quadrat.ensemble.predictor import PhotosEnsemble
from quadrat.ensemble.saving import SPECIES, load_photos, members_of
from quadrat.ensemble.schema import EnsembleExperiment
from quadrat.ensemble.training import train
from quadrat.errors import QuadratError, RunError, UsageError
from quadrat.experiment import CheckReport
from quadrat.explanations import Explanations, Question
from quadrat.photos.evaluating import Answered, answer_table, score_table
from quadrat.photos.predictions import Predictions
from quadrat.photos.predictor import PhotosPredictor
from quadrat.runs import Run, read_json
from quadrat.tables import write_table

if TYPE_CHECKING:
    from quadrat.ensemble.species.predictor import SpeciesEnsemble

__all__ = ["check", "evaluate", "explain", "load", "train"]


def check(experiment: EnsembleExperiment) -> CheckReport:
    """Opens and judges the members, as making the ensemble would.

    Where members are yet to be trained, their files and data are checked instead.
    """
    due = [place for place, one in enumerate(experiment.member) if one.experiment is not None]
    try:
        if due:
            return check_experiments(experiment, due)
        members = open_members(experiment, Path())
        if family_of_members(members) == "occurrence":
            from quadrat.ensemble.species.judging import judge_species

            return judge_species(experiment, members).report
        return judge_members(experiment, members).report
    except QuadratError as error:
        return CheckReport(errors=[str(error)])


def explain(run: Run, question: Question) -> Explanations:
    """Ensembles are explained member by member.

    Raises:
        UsageError: Always.
    """
    raise UsageError(
        f"{run.folder} is an ensemble, whose members answer each in their own way; run "
        "`quadrat explain` on the runs that it is made of."
    )


def load(folder: Path) -> PhotosEnsemble | SpeciesEnsemble:
    """The ensemble of a run folder.

    Raises:
        RunError: The folder holds no ensemble, or a member of it has moved or cannot be loaded.
    """
    run = Run.open(folder)
    experiment = _experiment(run)
    if _is_of_species(run):
        from quadrat.ensemble.species.saving import load_species

        return load_species(run.folder, experiment)
    return load_photos(run.folder, experiment)


def evaluate(run: Run, table: Path | None, into: Path | None = None) -> dict[str, Any]:
    """Scores a finished ensemble.

    Args:
        run: The run.
        table: A table with known targets; by default the members' held-out predictions are
            combined and scored again, for which their training table must still be there.
        into: Receives what is predicted for a table.

    Returns:
        The metrics.

    Raises:
        RunError: The run has not finished, or a member has moved.
        DataError: The table cannot be used, or knows no target.
    """
    experiment = _experiment(run)
    run.metrics()
    if _is_of_species(run):
        from quadrat.ensemble.species.saving import evaluate_species

        return evaluate_species(run, experiment, table, into)
    if table is None:
        members, _ = members_of(run, experiment)
        return judge_members(experiment, members).metrics.to_dict()
    return _evaluate_table(run, load_photos(run.folder, experiment), table, into)


def _experiment(run: Run) -> EnsembleExperiment:
    experiment = run.experiment()
    if not isinstance(experiment, EnsembleExperiment):
        raise RunError(f"{run.folder} is a run of the family '{experiment.family}'.")
    return experiment


def _is_of_species(run: Run) -> bool:
    return bool(read_json(run.path("model.json")).get("kind") == SPECIES)


def _evaluate_table(
    run: Run, ensemble: PhotosEnsemble, table: Path, into: Path | None
) -> dict[str, Any]:
    def ask(predictor: PhotosPredictor) -> Answered:
        return answer_table(predictor, table)

    answers = ensemble.loaded.each(ask)
    first = answers[0]
    alone = [_alone(one) for one in answers]
    pooled = Answered(
        samples=first.samples,
        predicted=ensemble.pooled([one.predicted for one in answers]),
        photo_alone=None if first.photo_alone is None else ensemble.pooled(alone),
        means=first.means,
    )
    if into is not None:
        write_table(pooled.predicted.frame(), into / "predictions.parquet")
    scored = scored_as(ensemble.combined, ensemble.experiment)
    by_what = f"{len(answers)} runs together"
    return score_table(run, scored, pooled, by_what=by_what)


def _alone(answered: Answered) -> Predictions:
    """What a member says without metadata; a member that knows none says it anyway."""
    return answered.predicted if answered.photo_alone is None else answered.photo_alone
