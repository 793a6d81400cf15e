"""Trained models that answer for places with covariates."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import torch

from quadrat.errors import RunError
from quadrat.occurrence.answering import SpeciesPredictions
from quadrat.occurrence.network.model import pick_device
from quadrat.occurrence.points.ensemble import PointEnsemble
from quadrat.occurrence.points.table import read_covariates
from quadrat.occurrence.points.training import KIND
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.occurrence.schema import PointsSection
from quadrat.runs import FORMAT_VERSION, read_json, write_json
from quadrat.tables import read_table


class PointsPredictor:
    """Models of points with their species, loaded once and asked often.

    Args:
        model: The models.
        vocabulary: The species of its answers.
        section: What the columns of tables mean.
    """

    family = "occurrence"

    def __init__(
        self, model: PointEnsemble, vocabulary: Vocabulary, section: PointsSection
    ) -> None:
        self.model, self.vocabulary, self.section = model, vocabulary, section

    @classmethod
    def load(cls, folder: Path | str, *, device: str | torch.device = "auto") -> PointsPredictor:
        """Loads a run folder or a saved predictor; the training data are not needed.

        Raises:
            RunError: The folder holds no model of points.
        """
        folder = Path(folder)
        described = read_json(folder / "model.json")
        if described.get("kind") != KIND:
            raise RunError(
                f"{folder} holds a model of the kind '{described.get('kind')}', not '{KIND}'."
            )
        where = (folder / str(described["model"])).resolve()
        if not where.is_relative_to(folder.resolve()):
            raise RunError(f"{folder / 'model.json'} points outside its folder: {where}.")
        device = pick_device(device) if isinstance(device, str) else device
        return cls(
            PointEnsemble.load(where, device=device),
            Vocabulary.read(folder / "labels.txt"),
            PointsSection.model_validate(described["points"]),
        )

    def save(self, folder: Path | str) -> None:
        """Writes what `load` needs into a folder."""
        folder = Path(folder)
        self.model.save(folder / "model")
        self.vocabulary.write(folder / "labels.txt")
        description = {
            "format_version": FORMAT_VERSION,
            "kind": KIND,
            "labels": "labels.txt",
            "model": "model",
            "points": self.section.model_dump(mode="json", exclude_none=True),
        }
        write_json(folder / "model.json", description)

    def predict(self, table: pl.DataFrame | Path | str) -> SpeciesPredictions:
        """Predicts a table of places.

        Args:
            table: A table or its file, with the columns of covariates that training had.

        Returns:
            With presence-only records a suitability between 0 and 1: the share of presences among
            such places if presences and background were equally many. With presence–absence the
            probability that a survey sees the species.

        Raises:
            DataError: Columns are missing, or hold what is not a number.
        """
        path = "the table" if isinstance(table, pl.DataFrame) else Path(table)
        frame = table if isinstance(table, pl.DataFrame) else read_table(table)
        covariates = read_covariates(frame, self.section, path)
        answers = self.model.answers(covariates)
        return SpeciesPredictions(frame, self.vocabulary.codes, answers)
