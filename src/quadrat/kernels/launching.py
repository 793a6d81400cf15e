"""How kernels are started, and how they see tensors."""

from __future__ import annotations

from typing import cast

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Bits = NDArray[np.uint16]
"""Numbers in bfloat16, which numpy does not know."""
Floats = NDArray[np.float32]

BITS = numba.uint16[:, ::1]
ROW, TABLE, TABLES = numba.float32[::1], numba.float32[:, ::1], numba.float32[:, :, ::1]
"""The same as types of a kernel's signature, contiguous."""


def threads() -> int:
    """The number of threads of the next kernel: PyTorch's own, as far as Numba has them.

    Where the system has GNU OpenMP (Debian's libgomp1), both take their threads from one pool, so
    that neither waits for the other.
    """
    count = min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS)
    numba.set_num_threads(count)
    return int(count)


def _start_threads() -> None:
    """Has Numba start its threads, which makes OpenMP forget PyTorch's number of them."""
    count = torch.get_num_threads()
    threads()
    torch.set_num_threads(count)


_start_threads()


def bits(tensor: Tensor) -> Bits:
    """The memory of a contiguous bfloat16 tensor."""
    return cast(Bits, tensor.detach().view(torch.uint16).numpy())


def floats(tensor: Tensor) -> Floats:
    """A tensor in float32; its own memory where it is so already."""
    return cast(Floats, tensor.detach().float().contiguous().numpy())
