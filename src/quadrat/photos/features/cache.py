"""What frozen encoders say of photos, on disk, by what was computed and the photo's contents."""

from __future__ import annotations

import json
import math
import shutil
import warnings
import zlib
from collections.abc import Collection, Mapping, Sequence, Set
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from quadrat.caches import cache_folder
from quadrat.photos.features.rows import LARGE_BYTES
from quadrat.runs import atomic_path

_MANY = 16
_LONGEST_HEADER = 100_000_000
_TYPES = {"F16": np.float16, "F32": np.float32}
_SMALL_BYTES = 8 * 2**20
_DAMAGE = (SafetensorError, OSError, ValueError, KeyError, TypeError)

Arrays = tuple[NDArray[np.generic], ...]
"""What is held of one view."""


class FeatureCache:
    """Arrays by space and key, in shards that are written once and never changed.

    A *space* names everything that decides the arrays besides the photo (encoder, preprocessing,
    …), a *key* is the photo's hash and part. Several processes may use a cache at once: a shard
    appears whole or not at all, and two shards with the same key hold the same arrays. A damaged
    shard is dropped with a warning, and what it held is computed again.

    Args:
        folder: ``features`` in `cache_folder` by default.
        off: What to set to do without this cache, for the message.
    """

    def __init__(self, folder: Path | None = None, *, off: str = "encoder.cache = false") -> None:
        self.folder = folder if folder is not None else cache_folder() / "features"
        self.off = off

    def read(self, space: str, keys: Collection[str]) -> dict[str, Arrays]:
        """What the cache has, by key; arrays are read when they are used."""
        wanted = set(keys)
        found: dict[str, Arrays] = {}
        for path in self._shards(space):
            if len(found) == len(wanted):
                break
            found |= _read_shard(path, wanted)
        return found

    def write(self, space: str, features: Mapping[str, Arrays]) -> bool:
        """Adds arrays, equally many and of equal shapes for all keys.

        A folder that cannot be written is a warning, not an error.

        Returns:
            Whether they are kept.
        """
        if not features:
            return True
        try:
            self._write_shard(space, features)
            self._merge(space)
        except OSError as error:
            warnings.warn(
                f"features cannot be kept in {self.folder} ({error}); set QUADRAT_CACHE to a "
                f"folder that can be written, or {self.off}",
                stacklevel=2,
            )
            return False
        return True

    def free_bytes(self) -> int:
        """What the disk still has room for."""
        there = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        return shutil.disk_usage(there).free

    def _shards(self, space: str) -> list[Path]:
        return sorted((self.folder / space).glob("[!.]*.safetensors"))

    def _write_shard(self, space: str, features: Mapping[str, Arrays]) -> Path:
        keys = sorted(features)
        stacks = [np.stack(arrays) for arrays in zip(*(features[key] for key in keys), strict=True)]
        tensors = {str(place): np.ascontiguousarray(s) for place, s in enumerate(stacks)}
        name = sha256("\n".join(keys).encode()).hexdigest()[:32]
        path = self.folder / space / f"{name}.safetensors"
        metadata = {"keys": json.dumps(keys), "crc32": str(_checksum(stacks))}
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, metadata=metadata)
        return path

    def _merge(self, space: str) -> None:
        """Joins small shards once there are many, so that reading stays quick."""
        small = [path for path in self._shards(space) if _size(path) < _SMALL_BYTES]
        if len(small) < _MANY:
            return
        joined: dict[str, Arrays] = {}
        for path in small:
            joined |= _read_shard(path)
        if not joined:
            return
        merged = self._write_shard(space, joined)
        for path in small:
            if path != merged:
                path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # merged by another process
        return 0


def _checksum(stacks: Sequence[NDArray[np.generic]]) -> int:
    value = 0
    for stack in stacks:
        value = zlib.crc32(np.ascontiguousarray(stack).data, value)
    return value


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """What a safetensors file says of itself, and where its tensors begin."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LONGEST_HEADER:
            raise ValueError("its header has no sensible length")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("its header is no table")
    return header, 8 + length


def _mapped(path: Path, entry: Mapping[str, Any], begin: int) -> NDArray[np.generic]:
    """A tensor of a safetensors file; small ones are read, large ones mapped into memory."""
    dtype, shape = np.dtype(_TYPES[entry["dtype"]]), tuple(entry["shape"])
    start, end = entry["data_offsets"]
    rows = max(1, shape[0])
    if end - start != dtype.itemsize * math.prod(shape):
        raise ValueError("a tensor does not have the size that it should")
    mapped = np.memmap(path, dtype=dtype, mode="r", offset=begin + start, shape=shape)
    return mapped if (end - start) // rows >= LARGE_BYTES else np.array(mapped)


def _read_shard(path: Path, wanted: Set[str] | None = None) -> dict[str, Arrays]:
    """The wanted arrays of a shard (all by default); none of a damaged or vanished one."""
    try:
        header, begin = _header(path)
        metadata = header.pop("__metadata__", {})
        keys = json.loads(metadata["keys"])
        if wanted is not None and wanted.isdisjoint(keys):
            return {}
        stacks = [_mapped(path, header[str(place)], begin) for place in range(len(header))]
        whole = stacks and all(len(stack) == len(keys) for stack in stacks)
        if not whole or int(metadata["crc32"]) != _checksum(stacks):
            raise ValueError("its contents do not match its header")
    except FileNotFoundError:
        return {}
    except _DAMAGE as error:
        warnings.warn(
            f"the feature cache {path} is damaged ({error}); its features are computed again",
            stacklevel=2,
        )
        path.unlink(missing_ok=True)
        return {}
    return {
        key: tuple(stack[place] for stack in stacks)
        for place, key in enumerate(keys)
        if wanted is None or key in wanted
    }
