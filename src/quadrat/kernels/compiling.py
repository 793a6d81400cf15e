"""How kernels are compiled, and where their machine code is kept."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
import platformdirs
from llvmlite.binding import get_host_cpu_features, get_host_cpu_name

P = ParamSpec("P")
R = TypeVar("R")

_FREEDOM = {"reassoc", "contract", "arcp", "nsz"}
"""What LLVM may do to arithmetic: sums in any order, reciprocals by an estimate and a step; it may
not suppose that there is no NaN."""

_APART = "QUADRAT_COMPILES_KERNELS"
"""Is set for the process that was started to compile them."""
_COMPILED = "compiled"
"""A file beside the machine code, once it is whole."""

_ONE_AT_A_TIME = threading.Lock()
_HERE = Path(__file__).resolve().parent


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A function that kernels call."""
    compiled = numba.njit(fastmath=_FREEDOM, error_model="numpy", inline="never")(function)
    return cast(Callable[P, R], compiled)


def kernel(*signatures: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Makes kernels of functions of arrays whose `numba.prange` is divided among threads.

    One runs at a time: where there is no OpenMP, Numba's own threads bear no second caller.

    Args:
        signatures: The types that it is called with; a kernel of floating-point numbers needs
            them, to give the same bits in every process. Without them it takes any.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if signatures:
            _compile_apart()
        compiled = _compiled(function, list(signatures) or None, parallel=True)

        @functools.wraps(function)
        def alone(*args: P.args, **kwargs: P.kwargs) -> R:
            with _ONE_AT_A_TIME:
                return compiled(*args, **kwargs)

        return alone

    return decorate


def serial_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """A function of arrays whose steps depend on those before."""
    return _compiled(function, None, parallel=False)


def are_compiled() -> bool:
    """Whether machine code is kept from earlier; else the first kernel takes half a minute."""
    return _FOLDER is not None and (_FOLDER / _COMPILED).exists()


@functools.cache
def _compile_apart() -> None:
    """Has another process compile all kernels that state their types, unless one did before.

    A process that compiles a loop for threads itself runs the code that it had before LLVM's last
    pass over it, and keeps what came after, whose sums are taken in another order: the first
    training on a machine would differ from all others in its last bits. If the other process
    fails, the kernels are compiled here.
    """
    if _FOLDER is None or not sys.executable or _APART in os.environ or are_compiled():
        return
    modules = ", ".join(f"{__package__}.{path.stem}" for path in sorted(_HERE.glob("[!_]*.py")))
    done = subprocess.run(
        [sys.executable, "-c", f"import {modules}"],
        env={**os.environ, _APART: "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode == 0:
        (_FOLDER / _COMPILED).touch()


def _compiled(
    function: Callable[P, R], signatures: list[Any] | None, *, parallel: bool
) -> Callable[P, R]:
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(_FOLDER or "")
    try:
        decorate = numba.njit(
            signatures,
            fastmath=_FREEDOM,
            error_model="numpy",
            parallel=parallel,
            cache=_FOLDER is not None,
        )
        return cast(Callable[P, R], decorate(function))
    finally:
        numba.config.CACHE_DIR = before


def _folder() -> Path | None:
    """Where machine code is kept: beside the bytecode, else among the user's own files.

    Numba unpickles what it finds there, so it must be a place that Python trusts with code anyway.
    Its own check looks at the file of a kernel, not at those it imports: the name has them all,
    and all else that machine code depends on.
    """
    sources = b"".join(path.read_bytes() for path in sorted(_HERE.glob("*.py")))
    processor = get_host_cpu_name(), get_host_cpu_features().flatten()
    maker = repr((sys.version_info[:2], numba.__version__, *processor)).encode()
    name = f"kernels-{hashlib.sha256(sources + maker).hexdigest()[:16]}"
    for parent in (_HERE / "__pycache__", platformdirs.user_cache_path("quadrat")):
        try:
            (parent / name).mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=parent / name).close()
        except OSError:
            continue
        return parent / name
    return None


_FOLDER = _folder()
