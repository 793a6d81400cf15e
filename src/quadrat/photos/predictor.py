"""A trained photos model that answers for new tables: the mean of its members."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.engine import current_progress
from quadrat.errors import closest
from quadrat.photos.features.source import FeatureSource, readable
from quadrat.photos.learner import balance_of
from quadrat.photos.member import Member
from quadrat.photos.predictions import Predictions, pool
from quadrat.photos.samples.loading import Samples, load_samples, without_values
from quadrat.photos.samples.quality import look_at_photos
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.unlike import mean_distance
from quadrat.photos.views.looks import Look, looks_of
from quadrat.targets import Prediction

Array = NDArray[np.float64]

_LISTED = 5


class TablePredictor(Protocol):
    """What answers for tables of photos: a model, or several models together."""

    @property
    def experiment(self) -> PhotosExperiment:
        """Names the columns that a table must have."""
        ...

    def predict(self, table: pl.DataFrame | Path | str) -> Predictions:
        """Answers for the samples of a table."""
        ...


class PhotosPredictor:
    """Members trained on the folds of an experiment, who answer together.

    Args:
        experiment: Their experiment.
        members: The members.
        source: Where the vectors of the frozen encoder come from.
    """

    family = "photos"

    def __init__(
        self, experiment: PhotosExperiment, members: Sequence[Member], source: FeatureSource
    ) -> None:
        self.experiment, self.members, self.source = experiment, tuple(members), source
        self.balance = balance_of(experiment)

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        device: str = "auto",
        predict_size: tuple[int, int] | None = None,
    ) -> PhotosPredictor:
        """Loads a run folder or a saved predictor; the training data are not needed.

        Args:
            folder: The folder.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
            predict_size: Height and width at which photos are seen, instead of its own; then no
                distance to the training data is told.

        Raises:
            RunError: The folder holds no photos model, or a damaged one.
            UsageError: It cannot see photos at the size.
        """
        from quadrat.photos.saving import load_predictor

        return load_predictor(Path(folder), device, predict_size=predict_size)

    def save(self, folder: Path | str) -> None:
        """Writes everything that `load` needs into a folder."""
        from quadrat.photos.saving import save_predictor

        save_predictor(self, Path(folder))

    def predict(
        self,
        table: pl.DataFrame | Path | str,
        *,
        image_root: Path | str | None = None,
        hide_metadata: bool = False,
    ) -> Predictions:
        """Answers for the samples of a table.

        Args:
            table: A table or its file, long or wide, with the columns of the experiment; targets
                and metadata may be absent.
            image_root: Folder that photo paths are relative to; by default ``data.image_root``
                where it is set and exists, otherwise the folder of the table (for a table in
                memory, of the training table).
            hide_metadata: Answer from the photos alone.

        Raises:
            DataError: The table or its photos cannot be used.
        """
        samples = self.samples(table, image_root)
        if not hide_metadata:
            self._tell_absent(samples)
        return self.predict_samples(samples, hide_metadata=hide_metadata)

    def samples(
        self, table: pl.DataFrame | Path | str, image_root: Path | str | None = None
    ) -> Samples:
        """The samples of a table whose photos can be read; arguments as in `predict`."""
        data = self.experiment.data
        root = Path(image_root) if image_root is not None else data.image_root
        if image_root is None and root is not None and not root.is_dir():
            root = None
        if isinstance(table, pl.DataFrame):
            samples = self._from_memory(table, root or data.table.parent)
        else:
            samples = load_samples(self._rooted(root), Path(table), require_targets=False)
        self._tell_unknown(samples)
        kept = readable(samples, self.source, data.min_readable)
        if not self.experiment.encoder.precomputed:
            for line in look_at_photos(kept, workers=self.source.workers):
                current_progress().warn(line)
        return kept

    def _from_memory(self, table: pl.DataFrame, root: Path) -> Samples:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table.parquet"
            table.write_parquet(path)
            return load_samples(self._rooted(root), path, require_targets=False)

    def _rooted(self, root: Path | None) -> PhotosExperiment:
        data = self.experiment.data.model_copy(update={"image_root": root})
        return self.experiment.model_copy(update={"data": data})

    def _tell_absent(self, samples: Samples) -> None:
        """Warns of metadata that a table lacks, as a misspelt column looks the same."""
        data = self.experiment.data
        absent = without_values(samples, data)
        if not absent:
            return
        others = [name for name in samples.frame.columns if name not in (data.image, data.id)]
        hints = "".join(closest(name, others) for name in absent if name not in others)
        rest = "what to expect of it is the score of the baseline photo_alone"
        all_of_it = len(absent) == len(data.numeric) + len(data.categorical)
        what = f"the answer rests on photos alone, and {rest}" if all_of_it else "it is unknown"
        current_progress().warn(f"the table has no {', '.join(absent)}: {what}.{hints}")

    def _tell_unknown(self, samples: Samples) -> None:
        """Warns of categories that no member knows."""
        found = [member.metadata.unknown(samples.categorical) for member in self.members]
        for column in found[0] if found else ():
            values = set(found[0][column]).intersection(*(f.get(column, []) for f in found[1:]))
            if values:
                listed = ", ".join(f"'{value}'" for value in sorted(values)[:_LISTED])
                more = f" and {len(values) - _LISTED} more" if len(values) > _LISTED else ""
                current_progress().warn(
                    f"{column}: {listed}{more} were not in the training table and count as unknown"
                )

    def predict_samples(
        self,
        samples: Samples,
        *,
        hide_metadata: bool = False,
        looks: Sequence[Look] | None = None,
    ) -> Predictions:
        """Answers for samples; see `predict`.

        Args:
            samples: The samples.
            hide_metadata: Answer from the photos alone.
            looks: How photos are looked at; as ``[tta]`` says by default.
        """
        looks = looks_of(self.experiment.tta) if looks is None else looks
        answers, distances = [], []
        for member in self.members:
            said = [
                member.answer(samples, self.source, hide_metadata=hide_metadata, look=look)
                for look in looks
            ]
            answers += said
            distances.append(said[0].distance)  # training samples were looked at plainly, too
            if member.network.encoder.learns:
                member.network.cpu()  # an encoder a member would fill the device
        return self.predictions(samples.ids, pool(answers), mean_distance(distances))

    def predictions(
        self, ids: Sequence[str], given: Prediction, distance: Array | None = None
    ) -> Predictions:
        """Balances what was predicted.

        Args:
            ids: Names of the samples.
            given: In the targets' units.
            distance: How far they are from the training data ``(N,)``.
        """
        covariances = [m.covariance for m in self.members if m.covariance is not None]
        metric = np.mean(covariances, axis=0) if covariances else None
        nothing = np.full_like(given.mean, np.nan)
        kept: dict[str, Any] = {
            name: nothing if values is None else values
            for name, values in (
                ("sigma", given.sigma),
                ("lower", given.lower),
                ("upper", given.upper),
            )
        }
        return Predictions(
            ids=tuple(ids),
            targets=self.experiment.data.targets,
            raw=given.mean,
            balanced=self.balance.project(given.mean, metric),
            **kept,
            distance=distance,
        )
