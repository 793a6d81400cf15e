"""Depth maps of photos: computed once by a frozen network, kept on disk, and in memory."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from quadrat.caches import cache_folder
from quadrat.engine import current_progress, stop_requested
from quadrat.errors import DataError, Stopped, UsageError
from quadrat.photos.cleaning.settings import cleaning_of
from quadrat.photos.depth.model import DepthModel, load_depth_model
from quadrat.photos.features.cache import FeatureCache
from quadrat.photos.features.encoding import content_hashes, exact
from quadrat.photos.samples.loading import Samples
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.views.threads import in_threads
from quadrat.runtime.cleaning.photos import NOTHING, Cleaning
from quadrat.runtime.images import ImagePreprocessing, open_cleaned, prepare

Map = NDArray[np.float16]

_FLUSH = 64
_SPACE_VERSION = 1


class DepthSource:
    """Turns photos into depth maps, each photo once.

    A photo is seen whole and in its own proportions, and its map is brought to a square, whatever
    the views are: they take their parts of it.

    Args:
        model: The network.
        size: Side, in pixels, of a square with as many pixels as the network sees of a photo.
        map_size: Side S of the maps that are kept, in pixels.
        clean: What is taken away from photos first.
        device: Where to compute.
        cache: Keep maps on disk for later runs.
        workers: Threads that read photos, as in ``run.workers``.
    """

    def __init__(
        self,
        model: DepthModel,
        *,
        size: int = 518,
        map_size: int = 128,
        clean: Cleaning = NOTHING,
        device: torch.device | str = "cpu",
        cache: bool = True,
        workers: int = 0,
    ) -> None:
        self.model, self.size, self.map_size, self.clean = model, size, map_size, clean
        self.device, self.workers = torch.device(device), workers
        self.cache = depth_cache() if cache else None
        self._rows: dict[Path, int] = {}
        self._maps: Map = np.zeros((0, map_size, map_size), dtype=np.float16)

    def of(self, samples: Samples) -> Map:
        """Maps ``(V, S, S)`` of the photos of samples, in line, as the network says them.

        Raises:
            PhotoError: A photo cannot be read.
            DataError: A map is not finite.
            Stopped: A signal asked to stop; what was computed is in the cache.
        """
        photos = [path for views in samples.paths for path in views]
        new = [path for path in dict.fromkeys(photos) if path not in self._rows]
        if new:
            maps = self._of_new(new)
            start = len(self._maps)
            self._rows.update({path: start + place for place, path in enumerate(new)})
            self._maps = np.concatenate([self._maps, maps])
        return self._maps[[self._rows[path] for path in photos]]

    def seconds_per_photo(self) -> float:
        """How long the network takes for a photo, measured on an empty square one."""
        height, width = seen_size((1, 1), self.size, self.model.patch)
        photo = torch.zeros(1, 3, height, width, device=self.device)
        model = self.model.to(self.device)
        with exact(model, self.device):
            model(photo[:, :, : self.model.patch, : self.model.patch]).sum().item()  # warms up
            began = time.perf_counter()
            model(photo).sum().item()  # .item() waits for the device
        return time.perf_counter() - began

    def _of_new(self, photos: list[Path]) -> Map:
        keys = content_hashes(photos, workers=self.workers)
        space = self._space() if self.cache else ""
        known = self.cache.read(space, keys.values()) if self.cache else {}
        todo = {key: path for path, key in keys.items() if key not in known}
        fresh: dict[str, tuple[Map]] = {}
        with current_progress().task("photos to depth maps", len(todo)) as task:
            for done, (key, depth) in enumerate(self._compute(todo), start=1):
                fresh[key] = (depth,)
                stopping = stop_requested()
                if self.cache and (len(fresh) == _FLUSH or done == len(todo) or stopping):
                    self.cache.write(space, fresh)
                    known, fresh = known | fresh, {}
                task.advance()
                if stopping:
                    raise Stopped(
                        f"stopped on request after {done} of {len(todo)} depth maps were computed."
                    )
        known |= fresh
        return np.stack([known[keys[path]][0] for path in photos]).astype(np.float16, copy=False)

    def _compute(self, todo: Mapping[str, Path]) -> Iterator[tuple[str, Map]]:
        """Key and map of each photo, one after the other, so that none depends on its neighbours.

        Threads decode while the network works.
        """
        model = self.model.to(self.device)
        ready = in_threads(self._prepared, todo.values(), workers=self.workers, ahead=4)
        for (key, path), photo in zip(todo.items(), ready, strict=True):
            with exact(model, self.device):
                depth = model(torch.from_numpy(photo[None]).to(self.device)).float().cpu()
                small = torch.nn.functional.adaptive_avg_pool2d(depth, self.map_size)
            with np.errstate(over="ignore"):
                found = small[0].numpy().astype(np.float16)
            if not np.isfinite(found).all():
                raise DataError(
                    f"the depth map of the photo {path} is not finite, or beyond 65,504."
                )
            yield key, found

    def _prepared(self, path: Path) -> NDArray[np.float32]:
        photo = open_cleaned(path, self.clean, at_least=(self.size, self.size))
        seen = seen_size((photo.height, photo.width), self.size, self.model.patch)
        return prepare(photo, ImagePreprocessing(size=seen))

    def _space(self) -> str:
        """A name for all that decides a map besides the photo, down to its last bit."""
        identity = {
            "version": _SPACE_VERSION,
            "model": self.model.fingerprint(),
            "size": self.size,
            "map": self.map_size,
            "preprocessing": ImagePreprocessing((self.size, self.size), clean=self.clean).to_json(),
            "device": self.device.type,
            "torch": torch.__version__,
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


def make_depth_source(
    experiment: PhotosExperiment, device: torch.device | str = "cpu"
) -> DepthSource | None:
    """What ``[depth]`` asks for; None without that section.

    Raises:
        MissingExtraError: transformers is not installed.
        UsageError: Metres are asked for, of a network that does not say them.
        DataError: The network cannot be had.
    """
    section, clean = experiment.depth, experiment.clean
    if section is None:
        return None
    model = load_depth_model(section.model, section.weights, seed=experiment.seed)
    if section.scale == "metric" and not model.metric:
        raise UsageError(
            "depth.scale: 'metric' needs a network that says metres, such as "
            "depth.model = 'depth-anything/Depth-Anything-V2-Metric-Outdoor-Small-hf'."
        )
    return DepthSource(
        model,
        size=section.size,
        map_size=section.map_size,
        clean=cleaning_of(clean),
        device=device,
        cache=section.cache,
        workers=experiment.run.workers,
    )


def depth_cache(folder: Path | None = None) -> FeatureCache:
    """Where maps are kept on disk: ``depth`` in `quadrat.caches.cache_folder` by default."""
    place = folder if folder is not None else cache_folder() / "depth"
    return FeatureCache(place, off="depth.cache = false")


def seen_size(photo: tuple[int, int], side: int, patch: int) -> tuple[int, int]:
    """The (height, width) at which a network sees a photo.

    Args:
        photo: Its height and width.
        side: Of a square with about as many pixels.
        patch: Both sides are multiples of it, at least one each.

    Returns:
        The photo's proportions, as near as multiples allow.
    """
    scale = side / math.sqrt(photo[0] * photo[1])
    height, width = (max(1, round(length * scale / patch)) * patch for length in photo)
    return height, width
