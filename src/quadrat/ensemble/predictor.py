"""An ensemble of photos runs that answers for new tables."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from quadrat.ensemble.combination import Combination
from quadrat.ensemble.held_out import spread
from quadrat.ensemble.members import Loaded
from quadrat.ensemble.pooling import Said
from quadrat.ensemble.reading import photos_experiment
from quadrat.ensemble.schema import EnsembleExperiment
from quadrat.errors import DataError
from quadrat.photos.predictions import Predictions
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.schema import PhotosExperiment


class PhotosEnsemble:
    """Members that answer together: pooled first, then balanced once.

    With ``combine.jit`` the memory of a prediction is that of the largest member, and beside it
    the answers of all: 32 bytes for each member, sample and target.

    Args:
        combined: The ensemble's experiment.
        combination: How the answers become one.
        loaded: The members.
    """

    family = "photos"

    def __init__(
        self, combined: EnsembleExperiment, combination: Combination, loaded: Loaded
    ) -> None:
        self.combined, self.combination, self.loaded = combined, combination, loaded

    @property
    def experiment(self) -> PhotosExperiment:
        """The experiment of the first member, whose columns a table must have."""
        return photos_experiment(self.loaded.members[0])

    def save(self, folder: Path | str) -> None:
        """Writes everything that `load_run` needs into a folder, members and all."""
        from quadrat.ensemble.saving import save_ensemble

        save_ensemble(self, Path(folder))

    def predict(
        self,
        table: pl.DataFrame | Path | str,
        *,
        image_root: Path | str | None = None,
        hide_metadata: bool = False,
    ) -> Predictions:
        """Answers for the samples of a table; arguments as those of a photos run.

        Raises:
            DataError: The table or its photos cannot be used.
            RunError: A member cannot be loaded.
        """

        def ask(predictor: PhotosPredictor) -> Predictions:
            return predictor.predict(table, image_root=image_root, hide_metadata=hide_metadata)

        return self.pooled(self.loaded.each(ask))

    def pooled(self, answers: list[Predictions]) -> Predictions:
        """The answers of all members as one.

        Raises:
            DataError: They are about different samples.
        """
        ids = answers[0].ids
        for member, answer in zip(self.loaded.members, answers, strict=True):
            if answer.ids != ids:
                name, first = member.name, self.loaded.members[0].name
                raise DataError(
                    f"{name} answers for other samples of this table than {first}: "
                    f"{len(answer.ids)} and {len(ids)}, where photos cannot be read or rows are "
                    "named otherwise.",
                    fix="mend the photos, or train the members with the same [data].",
                )
        distances = [answer.distance for answer in answers]
        return self.combination.answer(ids, [self._said(one) for one in answers], distances)

    def _said(self, answer: Predictions) -> Said:
        parts = (answer.raw, answer.sigma, answer.lower, answer.upper)
        targets = self.combination.targets
        return Said(*(spread(part, answer.targets, targets) for part in parts))
