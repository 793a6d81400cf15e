"""PyTorch's AdamW without PyTorch's compiler."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch

_step = inspect.unwrap(torch.optim.AdamW.step)


class AdamW(torch.optim.AdamW):
    """AdamW (Loshchilov & Hutter 2019) as PyTorch computes it.

    PyTorch tells its compiler to leave an optimiser's methods out, and imports the compiler to do
    so: 150 MB and seconds, although nothing is compiled here. These are the same methods without
    that wrapping.
    """

    add_param_group = inspect.unwrap(torch.optim.AdamW.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.AdamW.zero_grad)
    state_dict = inspect.unwrap(torch.optim.AdamW.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.AdamW.load_state_dict)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Takes a step."""
        return _step(self, closure)
