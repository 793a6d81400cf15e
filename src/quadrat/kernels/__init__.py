"""Loops over tensors that PyTorch would do in many passes, compiled for the CPU by Numba.

They train in bfloat16 on a CPU, where PyTorch's own layers do the same elsewhere, score logits, ask
networks about single places, and work on lists of species. They compute in float32.

Numba keeps the machine code beside Python's bytecode, so that a machine compiles a kernel once.
Importing it takes half a second and 90 MB, so the modules of this package are imported where they
are used.
"""

from __future__ import annotations

import torch
from torch import Tensor


def kernels_apply(tensor: Tensor) -> bool:
    """Whether kernels may compute what comes of a tensor.

    They do under autocast to bfloat16 on a CPU, where nothing is compiled or exported.
    """
    return (
        tensor.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
        and not torch.compiler.is_compiling()
    )
