"""From a run folder to answers, whatever family lies in it."""

from __future__ import annotations

import importlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from quadrat import runs
from quadrat.errors import RunError

if TYPE_CHECKING:
    import polars as pl

    from quadrat.engine import OnEpoch, Report
    from quadrat.experiment import CheckReport, Experiment
    from quadrat.explanations import Explanations, Question

_FAMILIES = {
    "ensemble": "quadrat.ensemble.family",
    "occurrence": "quadrat.occurrence.family",
    "photos": "quadrat.photos.family",
}


class Predictions(Protocol):
    """What a predictor answers."""

    def frame(self) -> pl.DataFrame:
        """The answers as a table."""
        ...


class Predictor(Protocol):
    """What everything after training sees of a model."""

    def predict(self, table: Path | pl.DataFrame) -> Predictions:
        """Answers for the rows of a table."""
        ...

    def save(self, folder: Path) -> None:
        """Writes the model so that `load_run` finds it."""
        ...


class Family(Protocol):
    """What a family offers to the functions behind the verbs.

    Ensembles have no `prepare`, `data_key` and `validation_score`: they are not searched.
    """

    def check(self, experiment: Any) -> CheckReport:
        """Looks at file and data, before any training."""
        ...

    def train(
        self,
        experiment: Any,
        run: runs.Run,
        *,
        history: runs.History,
        on_epoch: OnEpoch | None = None,
    ) -> dict[str, Any]:
        """Trains into a run folder, going on from what lies there; the metrics.

        ``on_epoch`` is called with the record of every epoch; training ends when it returns True.
        """
        ...

    def evaluate(
        self, run: runs.Run, table: Path | None, into: Path | None = None
    ) -> dict[str, Any]:
        """Scores a run, on its own held-out data or on a table; the metrics.

        ``into`` receives what is known besides: of single samples, species or places.
        """
        ...

    def explain(self, run: Run, question: Question) -> Explanations:
        """What explains the answers of a run."""
        ...

    def load(self, folder: Path) -> Predictor:
        """The trained model of a run folder."""
        ...

    def prepare(self, experiment: Any) -> Any:
        """The data that trainings of a search share."""
        ...

    def data_key(self, experiment: Any) -> str:
        """What those data depend on: experiments with the same key can share them."""
        ...

    def validation_score(
        self, experiment: Any, data: Any, *, report: Report | None = None
    ) -> float:
        """Trains without a run folder; the primary score on the validation part.

        ``report`` is told the score so far after every epoch, and ends the training by raising.
        """
        ...


def family_of(experiment: Experiment) -> Family:
    """The family of an experiment, imported when it is first needed."""
    return cast("Family", importlib.import_module(_FAMILIES[experiment.family]))


class Run(runs.Run):
    """A run folder that answers."""

    @property
    def answers(self) -> str:
        """What it answers as, ``photos`` or ``occurrence``: its family, or that of its members.

        Raises:
            RunError: An ensemble has not finished.
        """
        family = self.experiment().family
        if family != "ensemble":
            return family
        self._require_model()
        return str(runs.read_json(self.path("model.json"))["kind"]).partition("-")[0]

    @cached_property
    def predictor(self) -> Any:
        """The trained model, loaded once, with the methods of its family.

        Raises:
            RunError: The run has not finished.
        """
        self._require_model()
        return family_of(self.experiment()).load(self.folder)

    def _require_model(self) -> None:
        if not self.path("model.json").exists():
            raise RunError(
                f"{self.folder} holds no trained model: the run is {self.status()['state']}. "
                "Finish it with `quadrat train … --resume` and this folder."
            )

    def predict(self, table: Path | str | pl.DataFrame) -> pl.DataFrame:
        """Answers for the rows of a table.

        Args:
            table: A file, or a polars table. Photos: as in training, targets and metadata may be
                missing. Occurrence: columns lat, lon and week or date.

        Returns:
            Photos: a row a sample and target. Occurrence: a row a place, a column a species.
        """
        source = Path(table) if isinstance(table, str) else table
        answers: Predictions = self.predictor.predict(source)
        return answers.frame()


def load_run(path: Path | str) -> Run:
    """Opens a run folder.

    Raises:
        RunError: There is no run in it.
    """
    return Run(runs.Run.open(path).folder)
