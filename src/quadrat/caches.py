"""What quadrat can compute again and keeps: where it lies, and arrays under a key."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

_META = "meta.json"
_KEPT = 8
_DAMAGE = (OSError, ValueError, KeyError, TypeError)


def cache_folder() -> Path:
    """Where quadrat keeps what it can compute again.

    The environment variable ``QUADRAT_CACHE``, otherwise the user's cache folder.
    """
    chosen = os.environ.get("QUADRAT_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("quadrat")


class ArrayCache:
    """Sets of arrays by key, each a folder that appears whole or not at all.

    Arrays are mapped into memory when they are read, so an entry costs what is looked at. Several
    processes may use a cache at once. Only the entries used last are kept.

    Args:
        folder: Where the entries lie.
        off: What to set to do without this cache, for the message.
    """

    def __init__(self, folder: Path, *, off: str) -> None:
        self.folder, self.off = folder, off

    def read(self, key: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """The arrays and the plain data of a key; None where there are none.

        The arrays may be written to: that stays in memory.
        """
        entry = self.folder / key
        try:
            meta = json.loads((entry / _META).read_text(encoding="utf-8"))
            arrays = {name: _mapped(entry, name, size) for name, size in meta["sizes"].items()}
            os.utime(entry)
        except FileNotFoundError:
            return None
        except _DAMAGE as error:
            warnings.warn(f"the cache {entry} is damaged ({error}); it is made again", stacklevel=2)
            shutil.rmtree(entry, ignore_errors=True)
            return None
        return arrays, meta["plain"]

    def write(self, key: str, arrays: Arrays, plain: Mapping[str, Any]) -> None:
        """Keeps arrays and plain data; a folder that cannot be written is a warning."""
        temporary = self.folder / f".{key}.{os.getpid()}-{secrets.token_hex(4)}"
        try:
            temporary.mkdir(parents=True)
            sizes = {name: _save(temporary / f"{name}.npy", a) for name, a in arrays.items()}
            meta = json.dumps({"sizes": sizes, "plain": plain}, ensure_ascii=False)
            (temporary / _META).write_text(meta, encoding="utf-8")
            if not (self.folder / key).exists():
                temporary.rename(self.folder / key)
            self._forget()
        except OSError as error:
            warnings.warn(
                f"what was prepared cannot be kept in {self.folder} ({error}); set QUADRAT_CACHE "
                f"to a folder that can be written, or {self.off}",
                stacklevel=2,
            )
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _forget(self) -> None:
        entries = sorted(self.folder.glob("[!.]*"), key=_last_used)
        for entry in entries[:-_KEPT]:
            shutil.rmtree(entry, ignore_errors=True)


def _save(path: Path, array: NDArray[Any]) -> int:
    with path.open("wb") as handle:
        np.save(handle, array, allow_pickle=False)
        handle.flush()
        os.fsync(handle.fileno())
        return handle.tell()


def _mapped(entry: Path, name: str, size: int) -> NDArray[Any]:
    path = entry / f"{name}.npy"
    if path.stat().st_size != size:
        raise ValueError(f"{path.name} is not whole")
    array = np.load(path, mmap_mode="c", allow_pickle=False)
    return np.asarray(array)


def _last_used(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:  # forgotten by another process
        return 0.0
