"""What an encoder's frozen stem says of photos: computed once in a run, then looked up."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quadrat.engine import current_progress
from quadrat.errors import DataError
from quadrat.photos.augment.variation import Variation
from quadrat.photos.depth.maps import DepthSource
from quadrat.photos.depth.scaling import DepthScale
from quadrat.photos.depth.views import DepthViews
from quadrat.photos.encoders import Held, PhotoEncoder, PrecomputedEncoder
from quadrat.photos.features.cache import FeatureCache
from quadrat.photos.features.encoding import (
    Encoding,
    HeldViews,
    encode_views,
    precomputed_features,
    vectors_of,
)
from quadrat.photos.features.rows import Stack, chosen, joined
from quadrat.photos.fusion import mean_by_owner
from quadrat.photos.samples.audit import audit_photos, keep_readable
from quadrat.photos.samples.loading import Samples
from quadrat.photos.views.looks import Look
from quadrat.photos.views.plan import MIRRORED, SeenViews, ViewPlan
from quadrat.photos.views.supply import CachedViews, LiveViews, Views, photo_of
from quadrat.runtime.images import ImagePreprocessing, PhotoError

_BATCH = {"cpu": 16}
_BATCH_ON_GPU = 64
_PLAIN = Look()


class _Known(NamedTuple):
    """What is held of all views of some photos, by the row of a photo's first view.

    A photo is its file, with those of the photos beside it.
    """

    rows: dict[tuple[Path, ...], int]
    arrays: tuple[Stack, ...]


class FeatureSource:
    """Gives what networks take of the photos of samples, and computes nothing twice.

    Args:
        encoder: Its stem must not change any more.
        plan: The parts of a photo.
        device: Where to compute.
        cache: Compute what is frozen once and keep it on disk for later runs; otherwise anew in
            every epoch.
        workers: Threads that read photos, as in ``run.workers``.
        half: Keep what is larger than a vector in half precision.
        depth: Where depth maps come from, where networks take them.
    """

    def __init__(
        self,
        encoder: PhotoEncoder,
        plan: ViewPlan | None = None,
        *,
        device: torch.device | str = "cpu",
        cache: bool = True,
        workers: int = 0,
        half: bool = False,
        depth: DepthSource | None = None,
    ) -> None:
        self.depth = depth
        self.encoder, self.device, self.workers = encoder, torch.device(device), workers
        self.plan, self.half = plan or ViewPlan(), half
        self.keeps = encoder.holds and (cache or isinstance(encoder, PrecomputedEncoder))
        self.cache = FeatureCache() if self.keeps else None
        self._known: dict[tuple[Look, ImagePreprocessing, bool], _Known] = {}

    def preprocessing(self, *, predict: bool) -> ImagePreprocessing:
        """What photos go through, in training or for held-out and new ones."""
        return self.encoder.predict_preprocessing if predict else self.encoder.preprocessing

    def see(self, samples: Samples) -> SeenViews:
        """The views of samples."""
        return self.plan.see(samples)

    def views(
        self,
        samples: Samples,
        *,
        flips: str = "none",
        variation: Variation | None = None,
        look: Look | None = None,
        predict: bool = False,
    ) -> Views:
        """Views for batches: kept where anything is frozen, otherwise decoded when needed.

        Args:
            samples: Whose photos.
            flips: Mirrorings that training draws from.
            variation: What else is varied, where views are decoded; its seed draws mirrorings.
            look: How all of them are looked at, instead of ``flips``.
            predict: At the size for held-out and new photos, instead of that for training.
        """
        looks = [Look(flip) for flip in MIRRORED[flips]] if look is None else [look]
        variation = variation or Variation()
        if self.keeps:
            variants = [self.held(samples, look=one, predict=predict).arrays for one in looks]
            photo = photo_of(self.plan, len(variants[0][0]))
            return CachedViews(variants, photo, seed=variation.seed, device=self.device)
        return LiveViews(
            self.see(samples),
            self.plan,
            looks[0].resized(self.preprocessing(predict=predict)),
            hold=self._hold,
            mirrorings=tuple(one.flip for one in looks),
            crop=looks[0].crop,
            variation=variation,
            device=self.device,
            workers=self.workers,
        )

    def depth_views(
        self,
        samples: Samples,
        scale: DepthScale | None,
        *,
        flips: str = "none",
        variation: Variation | None = None,
        look: Look | None = None,
    ) -> DepthViews | None:
        """The depth maps of the same views; None where networks take none.

        Args:
            samples: Whose photos.
            scale: Learnt from the training rows.
            flips: Mirrorings that training draws from.
            variation: What else is varied; maps follow crops, rotations and smaller photos.
            look: How all of them are looked at, instead of ``flips``.
        """
        if self.depth is None or scale is None:
            return None
        maps = scale.apply(self.depth.of(samples))
        looks = [Look(flip) for flip in MIRRORED[flips]] if look is None else [look]
        aspect = 1.0
        if variation is not None and variation.moves:
            height, width = self.preprocessing(predict=False).size
            aspect = width / height
        return DepthViews(
            maps,
            self.plan,
            mirrorings=tuple(one.flip for one in looks),
            crop=looks[0].crop,
            variation=variation,
            aspect=aspect,
            device=self.device,
        )

    def held(self, samples: Samples, *, look: Look = _PLAIN, predict: bool = False) -> HeldViews:
        """What the stem says of all views of some samples.

        Args:
            samples: Whose photos.
            look: How they are looked at.
            predict: At the size for held-out and new photos, instead of that for training.

        Raises:
            PhotoError: A photo cannot be read.
            DataError: Features computed elsewhere lack a photo.
        """
        if isinstance(self.encoder, PrecomputedEncoder):
            return precomputed_features(self.encoder.path, self.encoder.rows, samples)
        return self._looked_up(samples, look, predict, whole=False)

    def vectors(
        self, samples: Samples, *, look: Look = _PLAIN, predict: bool = False
    ) -> NDArray[np.float32]:
        """The mean vector of every sample's views before any training, ``(B, D)``.

        Args:
            samples: Whose photos.
            look: How they are looked at.
            predict: At the size for held-out and new photos, instead of that for training.

        Raises:
            PhotoError: A photo cannot be read.
            DataError: Features computed elsewhere lack a photo.
        """
        if self.keeps:
            features = self.held(samples, look=look, predict=predict)
            if not self.encoder.frozen:
                features = vectors_of(self.encoder, features, self.device)
        else:
            features = self._looked_up(samples, look, predict, whole=True)
        vectors = torch.from_numpy(features.arrays[0][:])
        owner = torch.from_numpy(features.owner)
        mean: NDArray[np.float32] = mean_by_owner(vectors, owner, len(samples)).numpy()
        return mean

    @torch.no_grad()
    def _hold(self, views: Tensor) -> Held:
        """What the stem says of photos that are not kept."""
        return self.encoder.to(self.device).hold(views)

    def _looked_up(self, samples: Samples, look: Look, predict: bool, *, whole: bool) -> HeldViews:
        preprocessing = look.resized(self.preprocessing(predict=predict))
        known = self._known.get((look, preprocessing, whole), _Known({}, ()))
        new = samples.take([not known.rows.keys() >= set(photos) for photos in samples.shots()])
        if len(new):
            new = new.whole()
            fresh = self._encode(new, look, preprocessing, whole=whole)
            known = _joined(known, new, fresh, self.plan.slots)
            self._known[look, preprocessing, whole] = known
        firsts = [known.rows[photo] for photos in samples.shots() for photo in photos]
        if samples.slots is None:
            places = np.add.outer(firsts, np.arange(self.plan.slots)).ravel()
        else:
            places = np.array(firsts) + samples.slots
        arrays = tuple(chosen(array, places) for array in known.arrays)
        return HeldViews(arrays, self.see(samples).owner)

    def _encode(
        self, samples: Samples, look: Look, preprocessing: ImagePreprocessing, *, whole: bool
    ) -> HeldViews:
        encoding = Encoding(
            preprocessing,
            self.plan,
            look,
            _BATCH.get(self.device.type, _BATCH_ON_GPU),
            self.device,
            self.workers,
            self.half,
            whole,
        )
        count = sum(len(paths) for paths in samples.paths) * self.plan.slots
        with current_progress().task("photos to vectors", count) as task:
            return encode_views(
                self.encoder,
                samples,
                encoding,
                progress=lambda done, total: task.advance(),
                cache=self.cache,
            )


def _joined(known: _Known, samples: Samples, features: HeldViews, slots: int) -> _Known:
    """What was known, and what is held of further samples."""
    rows = dict(known.rows)
    begin = len(known.arrays[0]) if known.arrays else 0
    photos = [photo for photos in samples.shots() for photo in photos]
    for place, photo in enumerate(photos):
        rows.setdefault(photo, begin + place * slots)
    if not known.arrays:
        return _Known(rows, features.arrays)
    pairs = zip(known.arrays, features.arrays, strict=True)
    return _Known(rows, tuple(joined(*pair) for pair in pairs))


def readable(samples: Samples, source: FeatureSource, min_readable: float) -> Samples:
    """The samples whose photos can all be turned into vectors, where enough of them can.

    Args:
        samples: Samples to predict.
        source: Where their vectors come from; afterwards it has them.
        min_readable: Share of the photos that must be readable.

    Raises:
        DataError: Fewer photos are readable; all that are not are listed.
    """
    if source.keeps:
        try:
            source.held(samples, predict=True)
            if source.depth is not None:
                source.depth.of(samples)
        except PhotoError:
            kept = _without_unreadable(samples, source, min_readable)
            if len(kept) == len(samples):  # it can be opened, yet not decoded at this size
                raise
            return readable(kept, source, min_readable)
        return samples
    return _without_unreadable(samples, source, min_readable)


def _without_unreadable(samples: Samples, source: FeatureSource, min_readable: float) -> Samples:
    audit = audit_photos(samples, workers=source.workers)
    kept = keep_readable(samples, audit, min_readable)
    if len(kept) < len(samples):
        current_progress().warn(
            f"{len(samples) - len(kept)} samples are left out, their photos cannot be read: "
            + "; ".join(audit.unreadable_lines())
        )
    return kept


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
