"""How kernels are compiled, and where their machine code is kept."""

from __future__ import annotations

import functools
import hashlib
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba
import platformdirs

P = ParamSpec("P")
R = TypeVar("R")

_FREEDOM = {"reassoc", "contract", "arcp", "nsz"}
"""What LLVM may do to arithmetic: sums in any order, reciprocals by an estimate and a step; it may
not suppose that there is no NaN."""

_ONE_AT_A_TIME = threading.Lock()
_HERE = Path(__file__).resolve().parent


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A function that kernels call."""
    compiled = numba.njit(fastmath=_FREEDOM, error_model="numpy", inline="never")(function)
    return cast(Callable[P, R], compiled)


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """A function of arrays whose `numba.prange` is divided among threads.

    One runs at a time: where there is no OpenMP, Numba's own threads bear no second caller.
    """
    compiled = _compiled(function, parallel=True)

    @functools.wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with _ONE_AT_A_TIME:
            return compiled(*args, **kwargs)

    return alone


def serial_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """A function of arrays whose steps depend on those before."""
    return _compiled(function, parallel=False)


def are_compiled() -> bool:
    """Whether an earlier process kept machine code; else the first kernels take seconds."""
    return _FOLDER is not None and any(_FOLDER.rglob("*.nbc"))


def _compiled(function: Callable[P, R], *, parallel: bool) -> Callable[P, R]:
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(_FOLDER or "")
    try:
        decorate = numba.njit(
            fastmath=_FREEDOM, error_model="numpy", parallel=parallel, cache=_FOLDER is not None
        )
        return cast(Callable[P, R], decorate(function))
    finally:
        numba.config.CACHE_DIR = before


def _folder() -> Path | None:
    """Where machine code is kept: beside the bytecode, else among the user's own files.

    Numba unpickles what it finds there, so it must be a place that Python trusts with code anyway.
    Its own check looks at the file of a kernel, not at those it imports: the name has them all.
    """
    sources = b"".join(path.read_bytes() for path in sorted(_HERE.glob("*.py")))
    name = f"kernels-{hashlib.sha256(sources).hexdigest()[:16]}"
    for parent in (_HERE / "__pycache__", platformdirs.user_cache_path("quadrat")):
        try:
            (parent / name).mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=parent / name).close()
        except OSError:
            continue
        return parent / name
    return None


_FOLDER = _folder()
