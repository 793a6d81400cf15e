"""What a frozen stem says of all views of some samples: computed once, or read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from quadrat.engine import current_progress, stop_requested
from quadrat.errors import DataError, Stopped
from quadrat.photos.encoders import PhotoEncoder
from quadrat.photos.encoders.precomputed import find_rows, read_matrix
from quadrat.photos.features.cache import Arrays, FeatureCache
from quadrat.photos.features.rows import Stack, gathered
from quadrat.photos.samples.loading import Samples
from quadrat.photos.views.looks import Look
from quadrat.photos.views.plan import View, ViewPlan
from quadrat.photos.views.supply import load_mirrored
from quadrat.photos.views.threads import in_threads
from quadrat.runtime.images import ImagePreprocessing, PhotoError

_FLUSH = 128
_WORTH_A_NOTE = 1e9
_SPACE_VERSION = 3


@dataclass(frozen=True)
class HeldViews:
    """What is held of the V views of some samples.

    Attributes:
        arrays: What a stem says of each view, each ``(V, …)``.
        owner: Position of each view's sample ``(V,)``, ascending.
    """

    arrays: tuple[Stack, ...]
    owner: NDArray[np.int64]


@dataclass(frozen=True)
class Encoding:
    """How views are encoded, besides by which encoder.

    Attributes:
        plan: The parts of a photo.
        preprocessing: What each goes through.
        look: How photos are mirrored, and what is seen of them.
        batch_size: Views in a batch.
        device: Where to compute.
        workers: Threads that read photos; 0 is one a core, at most eight.
        half: Keep what is larger than a vector in half precision.
        whole: Run the encoder's tail too, as it is before any training, and keep its vectors.
    """

    preprocessing: ImagePreprocessing
    plan: ViewPlan = field(default_factory=ViewPlan)
    look: Look = field(default_factory=Look)
    batch_size: int = 16
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    workers: int = 0
    half: bool = False
    whole: bool = False


def encode_views(
    encoder: PhotoEncoder,
    samples: Samples,
    encoding: Encoding,
    *,
    progress: Callable[[int, int], None] | None = None,
    cache: FeatureCache | None = None,
) -> HeldViews:
    """Runs the stem of an encoder over every view once, in fp32 and evaluation mode.

    Batches always have the same shape (the last one is filled up), so that what is held of a view
    does not depend on which others are encoded with it, nor on what the cache held.

    Args:
        encoder: Moved to the device.
        samples: Whose photos.
        encoding: How.
        progress: Called with the number of views done and of all that must be computed.
        cache: Where to look first and what to add to; None computes everything.

    Raises:
        PhotoError: A photo cannot be read.
        DataError: What comes out is not finite.
        Stopped: A signal asked to stop; what was encoded is in the cache.
    """
    seen = encoding.plan.see(samples)
    keys = _keys(seen.views, encoding.plan, hashed=cache is not None, workers=encoding.workers)
    first: dict[str, View] = {}
    for key, view in zip(keys, seen.views, strict=True):
        first.setdefault(key, view)
    encoder = encoder.to(encoding.device)
    space = _space(encoder, encoding) if cache else ""
    known = cache.read(space, first) if cache else {}
    todo = {key: view for key, view in first.items() if key not in known}
    fresh: dict[str, Arrays] = {}
    for done, (key, arrays) in enumerate(_compute(encoder, todo, encoding), start=1):
        if not all(np.isfinite(array).all() for array in arrays):
            raise _not_finite(todo[key].path, encoding)
        if cache and done == 1:
            _require_room(cache, arrays, len(todo))
        fresh[key] = arrays
        stopping = stop_requested()
        if cache and (len(fresh) == _FLUSH or done == len(todo) or stopping):
            kept = cache.write(space, fresh)
            known |= cache.read(space, fresh) if kept else fresh
            fresh = {}
        if progress:
            progress(done, len(todo))
        if stopping:
            raise Stopped(f"stopped on request after {done} of {len(todo)} views were encoded.")
    known |= fresh
    stacks = zip(*(known[key] for key in keys), strict=True)
    return HeldViews(tuple(gathered(arrays) for arrays in stacks), seen.owner)


def precomputed_features(path: Path, rows: str, samples: Samples) -> HeldViews:
    """Takes the features of photos from a matrix.

    Args:
        path: A ``.npy`` file (rows, D).
        rows: A text file with one photo a line (its path as in the table, its file name, or that
            without suffix), or ``column:NAME``, a column of row numbers from 0.
        samples: Whose photos.

    Raises:
        DataError: The matrix or its rows cannot be used, or photos are not among them.
    """
    matrix = read_matrix(path)
    places, owner = find_rows(rows, samples, len(matrix))
    features = np.asarray(matrix[places], dtype=np.float32)
    broken = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(broken):
        raise DataError(
            f"features in {path} are not finite.", [f"row {places[row]}" for row in broken]
        )
    return HeldViews((features,), owner)


def _not_finite(path: Path, encoding: Encoding) -> DataError:
    fix = "set encoder.cache_precision = 'fp32'." if encoding.half else "look at the weights."
    return DataError(f"the encoder's output for the photo {path} is not finite.", fix=fix)


def _require_room(cache: FeatureCache, arrays: Arrays, count: int) -> None:
    """Looks, before anything is kept, whether all will have room.

    Raises:
        DataError: The disk has less left.
    """
    wanted, free = count * sum(array.nbytes for array in arrays), cache.free_bytes()
    if wanted > free:
        raise DataError(
            f"what the frozen part of the encoder says of {count:,} views takes "
            f"{wanted / 1e9:,.1f} GB, and {cache.folder} has {free / 1e9:,.1f} GB left.",
            fix="set QUADRAT_CACHE to a larger disk, encoder.cache_precision = 'fp16' for half of "
            "it, or encoder.cache = false to compute it anew in every epoch.",
        )
    if wanted >= _WORTH_A_NOTE:
        current_progress().note(f"keeping {wanted / 1e9:,.1f} GB in {cache.folder}")


@torch.inference_mode()
def vectors_of(encoder: PhotoEncoder, held: HeldViews, device: torch.device) -> HeldViews:
    """The vectors ``(V, D)`` that an encoder's tail makes, before any training, of what is held."""
    chunks = []
    tail = encoder.tail.to(device).eval()
    for first in range(0, len(held.owner), _FLUSH):
        part = tuple(
            torch.from_numpy(array[first : first + _FLUSH]).to(device).float()
            for array in held.arrays
        )
        chunks.append(tail(part).vectors.float().cpu().numpy())
    return HeldViews((np.concatenate(chunks),), held.owner)


def content_hash(path: Path) -> str:
    """SHA-256 of a file's contents.

    Raises:
        PhotoError: The file cannot be read.
    """
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise PhotoError(path, "the file does not exist") from error
    except OSError as error:
        raise PhotoError(path, f"the file cannot be opened ({error.strerror})") from error


def content_hashes(paths: Sequence[Path], *, workers: int) -> dict[Path, str]:
    """`content_hash` of every file, in threads."""
    return dict(zip(paths, in_threads(content_hash, paths, workers=workers), strict=True))


def _keys(views: Sequence[View], plan: ViewPlan, *, hashed: bool, workers: int) -> list[str]:
    unique = list(dict.fromkeys(view.path for view in views))
    names = content_hashes(unique, workers=workers) if hashed else {p: str(p) for p in unique}
    if plan.slots == 1:
        return [names[view.path] for view in views]
    return [f"{names[view.path]} {view.slot}" for view in views]


def _space(encoder: PhotoEncoder, encoding: Encoding) -> str:
    """A name for all that decides what is held besides the photo, down to its last bit."""
    identity = {
        "version": _SPACE_VERSION,
        "encoder": encoder.fingerprint(),
        "preprocessing": encoding.preprocessing.to_json(),
        "boxes": encoding.plan.boxes,
        "look": encoding.look.to_json(),
        "half": encoding.half,
        "whole": encoding.whole,
        "batch": encoding.batch_size,
        "device": encoding.device.type,
        "torch": torch.__version__,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


def _compute(
    encoder: PhotoEncoder, todo: Mapping[str, View], encoding: Encoding
) -> Iterator[tuple[str, Arrays]]:
    """Key and arrays of each view; threads decode while the encoder works."""
    size, preprocessing, look = encoding.batch_size, encoding.preprocessing, encoding.look
    photos = [
        (path, [view.slot for view in views])
        for path, views in groupby(todo.values(), key=lambda view: view.path)
    ]

    def load(photo: tuple[Path, list[int]]) -> NDArray[np.float32]:
        path, slots = photo
        return load_mirrored(path, slots, encoding.plan, look.flip, preprocessing, crop=look.crop)

    decoded = in_threads(load, photos, workers=encoding.workers, ahead=2 * size)
    views = (view for parts in decoded for view in parts)
    keys = list(todo)
    for start in range(0, len(keys), size):
        chunk = keys[start : start + size]
        batch = np.zeros((size, 3, *preprocessing.size), dtype=np.float32)
        for place in range(len(chunk)):
            batch[place] = next(views)
        # Channels last: a quarter less time for convolutions on a CPU, and no change for others.
        prepared = torch.from_numpy(batch).to(encoding.device, memory_format=torch.channels_last)
        with exact(encoder, encoding.device):
            kept = (encoder(prepared).vectors,) if encoding.whole else encoder.hold(prepared)
            held = [part.float().cpu().numpy() for part in kept]
        for place, key in enumerate(chunk):
            yield key, tuple(_kept(part[place], half=encoding.half) for part in held)


def _kept(array: NDArray[np.float32], *, half: bool) -> NDArray[np.generic]:
    """What is kept of one view; vectors stay in full precision, they are small."""
    if half and array.ndim > 1:
        with np.errstate(over="ignore"):  # noticed as infinite
            return array.astype(np.float16)
    return array


@contextmanager
def exact(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluation mode, full precision, and the same algorithms every time."""
    training = network.training
    network.eval()
    flags = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    try:
        with torch.inference_mode(), torch.autocast(device.type, enabled=False), flags:
            yield
    finally:
        network.train(training)
