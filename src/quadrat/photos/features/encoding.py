"""Features of all photos of some samples: computed once by a frozen encoder, or read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from quadrat.engine import stop_requested
from quadrat.errors import DataError, Stopped
from quadrat.photos.encoders import PhotoEncoder, PrecomputedEncoder
from quadrat.photos.encoders.precomputed import find_rows, read_matrix
from quadrat.photos.features.cache import FeatureCache
from quadrat.photos.samples.loading import Samples
from quadrat.photos.views.threads import in_threads
from quadrat.runtime.images import ImagePreprocessing, PhotoError, load_view

__all__ = [
    "FeatureCache",
    "ViewFeatures",
    "content_hash",
    "encode_views",
    "precomputed_features",
]

Flip = Literal["none", "horizontal", "vertical", "both"]

_FLUSH = 128
_SPACE_VERSION = 1


@dataclass(frozen=True)
class ViewFeatures:
    """The vectors of V views of B samples.

    Args:
        matrix: ``(V, D)``.
        owner: ``(V,)``, position of each view's sample.
    """

    matrix: NDArray[np.float32]
    owner: NDArray[np.int64]


def encode_views(
    encoder: PhotoEncoder,
    samples: Samples,
    *,
    batch_size: int = 16,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    cache: FeatureCache | None = None,
    preprocessing: ImagePreprocessing | None = None,
    flip: Flip = "none",
    workers: int = 0,
) -> ViewFeatures:
    """Encodes every photo once, in fp32 and evaluation mode.

    Batches always have the same shape (the last one is filled up), so that a photo's vector does
    not depend on which photos are encoded with it, nor on what the cache held.

    Args:
        encoder: Moved to the device.
        samples: Whose photos.
        batch_size: Photos in a batch.
        device: Where to compute.
        progress: Called with the number of photos done and of all that must be computed.
        cache: Where to look first and what to add to; None computes everything.
        preprocessing: ``encoder.preprocessing`` by default.
        flip: Mirrors the prepared photos along these axes.
        workers: Threads that read photos; 0 is one a core, at most eight.

    Raises:
        PhotoError: A photo cannot be read.
        DataError: A photo's vector is not finite, or a precomputed row is missing.
        Stopped: A signal asked to stop; what was encoded is in the cache.
    """
    if isinstance(encoder, PrecomputedEncoder):
        return precomputed_features(encoder.path, encoder.rows, samples)
    preprocessing = preprocessing or encoder.preprocessing
    paths = [path for views in samples.paths for path in views]
    keys = _keys(paths, hashed=cache is not None, workers=workers)
    first: dict[str, Path] = {}
    for key, path in zip(keys, paths, strict=True):
        first.setdefault(key, path)
    encoder = encoder.to(device)
    space = _space(encoder, preprocessing, flip, batch_size, device) if cache else ""
    known = cache.read(space, first) if cache else {}
    todo = {key: path for key, path in first.items() if key not in known}
    computed = _compute(encoder, todo, preprocessing, flip, batch_size, device, workers)
    fresh: dict[str, NDArray[np.float32]] = {}
    for done, (key, vector) in enumerate(computed, start=1):
        if not np.isfinite(vector).all():
            raise DataError(f"the encoder's output for the photo {todo[key]} is not finite.")
        fresh[key] = vector
        stopping = stop_requested()
        if cache and (len(fresh) == _FLUSH or done == len(todo) or stopping):
            cache.write(space, fresh)
            known, fresh = known | fresh, {}
        if progress:
            progress(done, len(todo))
        if stopping:
            raise Stopped(f"stopped on request after {done} of {len(todo)} photos were encoded.")
    known |= fresh
    matrix = np.stack([known[key] for key in keys]) if keys else np.zeros((0, encoder.width))
    return ViewFeatures(matrix.astype(np.float32, copy=False), samples.owner())


def precomputed_features(path: Path, rows: str, samples: Samples) -> ViewFeatures:
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
    return ViewFeatures(features, owner)


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


def _keys(paths: Sequence[Path], *, hashed: bool, workers: int) -> list[str]:
    if not hashed:
        return [str(path) for path in paths]
    unique = list(dict.fromkeys(paths))
    hashes = dict(zip(unique, in_threads(content_hash, unique, workers=workers), strict=True))
    return [hashes[path] for path in paths]


def _space(
    encoder: PhotoEncoder,
    preprocessing: ImagePreprocessing,
    flip: Flip,
    batch_size: int,
    device: torch.device | str,
) -> str:
    """A name for all that decides a vector besides the photo, down to its last bit."""
    identity = {
        "version": _SPACE_VERSION,
        "encoder": encoder.fingerprint(),
        "preprocessing": preprocessing.to_json(),
        "flip": flip,
        "batch": batch_size,
        "device": torch.device(device).type,
        "torch": torch.__version__,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


def _compute(
    encoder: PhotoEncoder,
    todo: Mapping[str, Path],
    preprocessing: ImagePreprocessing,
    flip: Flip,
    batch_size: int,
    device: torch.device | str,
    workers: int,
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Key and vector of each photo; threads decode while the encoder works."""

    def load(path: Path) -> NDArray[np.float32]:
        return _mirrored(load_view(path, preprocessing), flip)

    keys = list(todo)
    views = in_threads(load, todo.values(), workers=workers, ahead=2 * batch_size)
    for start in range(0, len(keys), batch_size):
        chunk = keys[start : start + batch_size]
        batch = np.zeros((batch_size, 3, *preprocessing.size), dtype=np.float32)
        for place in range(len(chunk)):
            batch[place] = next(views)
        # Channels last: a quarter less time for convolutions on a CPU, and no change for others.
        prepared = torch.from_numpy(batch).to(device, memory_format=torch.channels_last)
        with _exact(encoder, torch.device(device)):
            vectors = encoder(prepared).float().cpu().numpy()
        yield from zip(chunk, vectors[: len(chunk)], strict=True)


@contextmanager
def _exact(encoder: PhotoEncoder, device: torch.device) -> Iterator[None]:
    """Evaluation mode, full precision, and the same algorithms every time."""
    training = encoder.training
    encoder.eval()
    flags = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    try:
        with torch.inference_mode(), torch.autocast(device.type, enabled=False), flags:
            yield
    finally:
        encoder.train(training)


def _mirrored(view: NDArray[np.float32], flip: Flip) -> NDArray[np.float32]:
    if flip in ("horizontal", "both"):
        view = view[:, :, ::-1]
    return view[:, ::-1] if flip in ("vertical", "both") else view
