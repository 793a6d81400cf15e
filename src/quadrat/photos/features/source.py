"""Photo vectors of an encoder that does not learn: computed once in a run, then looked up."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from quadrat.engine import current_progress
from quadrat.errors import DataError
from quadrat.photos.batches import Flips
from quadrat.photos.encoders import PhotoEncoder, PrecomputedEncoder
from quadrat.photos.features.encoding import (
    FeatureCache,
    ViewFeatures,
    encode_views,
    precomputed_features,
)
from quadrat.photos.fusion.plain import mean_by_owner
from quadrat.photos.samples.audit import audit_photos, keep_readable
from quadrat.photos.samples.loading import Samples
from quadrat.runtime.images import ImagePreprocessing, PhotoError

_BATCH = {"cpu": 16}
_BATCH_ON_GPU = 64


class _Known(NamedTuple):
    """Vectors by the photo they belong to."""

    rows: dict[Path, int]
    matrix: NDArray[np.float32]


class FeatureSource:
    """Turns the photos of samples into vectors, each photo once.

    Args:
        encoder: It must not change any more.
        device: Where to compute.
        cache: Keep vectors on disk for later runs.
        workers: Threads that read photos, as in ``run.workers``.
    """

    def __init__(
        self,
        encoder: PhotoEncoder,
        *,
        device: torch.device | str = "cpu",
        cache: bool = True,
        workers: int = 0,
    ) -> None:
        self.encoder, self.device, self.workers = encoder, torch.device(device), workers
        self.cache = FeatureCache() if cache else None
        self._known: dict[tuple[Flips, ImagePreprocessing], _Known] = {}

    def of(self, samples: Samples, *, flip: Flips = "none", predict: bool = False) -> ViewFeatures:
        """The vectors of all views of some samples.

        Args:
            samples: Whose photos.
            flip: Mirrors them along these axes.
            predict: At the size for held-out and new photos, instead of that for training.

        Raises:
            PhotoError: A photo cannot be read.
            DataError: Features computed elsewhere lack a photo.
        """
        if isinstance(self.encoder, PrecomputedEncoder):
            return precomputed_features(self.encoder.path, self.encoder.rows, samples)
        encoder = self.encoder
        preprocessing = encoder.predict_preprocessing if predict else encoder.preprocessing
        known = self._known.get((flip, preprocessing))
        if known is None:
            known = _Known({}, np.zeros((0, encoder.width), dtype=np.float32))
        new = samples.take([not known.rows.keys() >= set(views) for views in samples.paths])
        if len(new):
            known = _joined(known, new, self._encode(new, flip, preprocessing))
            self._known[flip, preprocessing] = known
        places = [known.rows[path] for views in samples.paths for path in views]
        return ViewFeatures(known.matrix[places], samples.owner())

    def _encode(
        self, samples: Samples, flip: Flips, preprocessing: ImagePreprocessing
    ) -> ViewFeatures:
        photos = sum(len(views) for views in samples.paths)
        with current_progress().task("photos to vectors", photos) as task:
            return encode_views(
                self.encoder,
                samples,
                batch_size=_BATCH.get(self.device.type, _BATCH_ON_GPU),
                device=self.device,
                progress=lambda done, total: task.advance(),
                cache=self.cache,
                preprocessing=preprocessing,
                flip=flip,
                workers=self.workers,
            )


def _joined(known: _Known, samples: Samples, features: ViewFeatures) -> _Known:
    rows = dict(known.rows)
    paths = [path for views in samples.paths for path in views]
    for place, path in enumerate(paths, start=len(known.matrix)):
        rows.setdefault(path, place)
    return _Known(rows, np.concatenate([known.matrix, features.matrix]))


def pooled(features: ViewFeatures, count: int) -> NDArray[np.float32]:
    """The mean vector of every sample's views, ``(B, D)``."""
    vectors = torch.from_numpy(features.matrix)
    mean: NDArray[np.float32] = mean_by_owner(
        vectors, torch.from_numpy(features.owner), count
    ).numpy()
    return mean


def readable(samples: Samples, source: FeatureSource, min_readable: float) -> Samples:
    """The samples whose photos can all be turned into vectors, where enough of them can.

    Args:
        samples: Samples to predict.
        source: Where their vectors come from; afterwards it holds them.
        min_readable: Share of the photos that must be readable.

    Raises:
        DataError: Fewer photos are readable; all that are not are listed.
    """
    try:
        source.of(samples, predict=True)
    except PhotoError:
        audit = audit_photos(samples, workers=source.workers)
        kept = keep_readable(samples, audit, min_readable)
        if len(kept) == len(samples):  # it can be opened, yet not decoded at this size
            raise
        current_progress().warn(
            f"{len(samples) - len(kept)} samples are left out, their photos cannot be read: "
            + "; ".join(audit.unreadable_lines())
        )
        return readable(kept, source, min_readable)
    return samples


def require_same_encoder(source: FeatureSource, fingerprint: str) -> None:
    """Checks that an encoder is the one that a model was trained with.

    Raises:
        DataError: It is another one.
    """
    if source.encoder.fingerprint() != fingerprint:
        raise DataError(
            "the encoder is not the one that the model was trained with: its weights differ.",
            fix="restore the file of weights or features, or train again.",
        )
