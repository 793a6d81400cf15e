"""Maps over the photos of some samples, with what is said of them, as tables and sheets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.engine import current_progress
from quadrat.errors import UsageError
from quadrat.explanations import Explanations
from quadrat.photos.explain.covering import occlusion
from quadrat.photos.explain.importance import permutation_importance
from quadrat.photos.explain.looking import density, gradcam, rollout
from quadrat.photos.explain.subject import Subject
from quadrat.photos.heads.amounts import DensityHead
from quadrat.photos.predictions import Predictions
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.samples.loading import Samples

Array = NDArray[np.float64]

SHEETS = 12
"""How many samples are explained where nobody says."""

_METHODS: Mapping[str, tuple[Callable[[Subject], Array], str]] = {
    "density": (density, "amount at each place; red is more"),
    "gradcam": (
        gradcam,
        "gradient × activation, in standard deviations; red adds, blue takes",
    ),
    "occlusion": (occlusion, "change when a place is covered; red adds, blue takes"),
    "rollout": (rollout, "attention, the same for all targets; red is more"),
}


@dataclass(frozen=True)
class Sheet:
    """Maps over the V views of one sample.

    Attributes:
        sample: Its name.
        meaning: What the maps are, in words.
        targets: Names of the targets ``(T,)``.
        pictures: The views as the model sees them ``(V, H, W, 3)``.
        maps: What each place is worth ``(V, h, w, T)``.
        predicted: After balance ``(T,)``.
        sigma: NaN where the head tells none ``(T,)``.
        truth: NaN where it is not known ``(T,)``.
    """

    sample: str
    meaning: str
    targets: tuple[str, ...]
    pictures: NDArray[np.uint8]
    maps: Array
    predicted: Array
    sigma: Array
    truth: Array


def explain(
    predictor: PhotosPredictor, samples: Samples, *, method: str | None = None, count: int = SHEETS
) -> Explanations:
    """Explains what a model says of samples.

    Args:
        predictor: The model.
        samples: The samples; all of them tell the importance of metadata.
        method: ``rollout``, ``gradcam``, ``occlusion`` or ``density``; by default, or for
            ``auto``, densities where the head has them, otherwise gradients.
        count: How many of them get a sheet: the first ones.

    Returns:
        Tables ``explanations``, and ``importance`` where it can be told; a `Sheet` a sample.

    Raises:
        UsageError: There is no such method, or the model cannot be explained by it.
    """
    if method in (None, "auto"):
        heads = [member.network.head for member in predictor.members]
        method = "density" if isinstance(heads[0], DensityHead) else "gradcam"
    if method not in _METHODS:
        raise UsageError(f"--method {method}: choose from auto, {', '.join(sorted(_METHODS))}.")
    if predictor.experiment.encoder.precomputed:
        raise UsageError(
            "the run's features were computed elsewhere, so its photos cannot be looked at; "
            "explain a run whose encoder is timm: or open_clip:."
        )
    chosen = samples.take(np.arange(min(count, len(samples))))
    predictions = predictor.predict_samples(chosen)
    sheets = []
    with current_progress().task(f"maps by {method}", len(chosen)) as task:
        for place in range(len(chosen)):
            sheets.append(_sheet(predictor, chosen, place, predictions, method))
            task.advance()
    tables = {"explanations": pl.concat([_table(sheet, method) for sheet in sheets])}
    importance = permutation_importance(predictor, samples)
    if importance is not None:
        tables["importance"] = importance
    return Explanations(tables, sheets)


def _sheet(
    predictor: PhotosPredictor, samples: Samples, place: int, said: Predictions, method: str
) -> Sheet:
    subject = Subject(predictor, samples.take([place]))
    made, meaning = _METHODS[method]
    return Sheet(
        sample=samples.ids[place],
        meaning=meaning,
        targets=said.targets,
        pictures=subject.pictures(),
        maps=made(subject),
        predicted=said.balanced[place],
        sigma=said.sigma[place],
        truth=samples.targets[place],
    )


def _table(sheet: Sheet, method: str) -> pl.DataFrame:
    """A row a view and target: what is said, and where the weight of the map lies."""
    views, height, width, targets = sheet.maps.shape
    weight = np.abs(sheet.maps)
    total = np.maximum(weight.sum(axis=(1, 2)), np.finfo(np.float64).tiny)
    x = np.einsum("vhwt,w->vt", weight, (np.arange(width) + 0.5) / width) / total
    y = np.einsum("vhwt,h->vt", weight, (np.arange(height) + 0.5) / height) / total
    each = {name: np.tile(getattr(sheet, name), views) for name in ("predicted", "sigma", "truth")}
    return pl.DataFrame(
        {
            "sample": [sheet.sample] * (views * targets),
            "view": np.repeat(np.arange(views), targets),
            "target": list(sheet.targets) * views,
            "method": [method] * (views * targets),
            **each,
            "least": sheet.maps.min(axis=(1, 2)).ravel(),
            "greatest": sheet.maps.max(axis=(1, 2)).ravel(),
            "centre_x": x.ravel(),
            "centre_y": y.ravel(),
        }
    )
