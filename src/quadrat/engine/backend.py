"""Where training runs: device, precision and processes, by way of accelerate."""

from __future__ import annotations

import atexit
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from quadrat.errors import UsageError

_ACCELERATE_NAMES = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


@dataclass(frozen=True)
class Backend:
    """A device, a precision and the processes that train together.

    Args:
        accelerator: Accelerate's handle.
        precision: ``"fp32"``, ``"bf16"`` or ``"fp16"``, decided.
    """

    accelerator: Accelerator
    precision: str

    @classmethod
    def create(cls, device: str = "auto", precision: str = "auto") -> Backend:
        """Chooses device and precision.

        Args:
            device: ``auto`` (CUDA, then MPS, then CPU), ``cpu``, ``cuda`` or ``mps``.
            precision: ``auto`` (bf16 where the hardware has it), ``fp32``, ``bf16`` or ``fp16``.

        Raises:
            UsageError: The device is not there, or cannot work in this precision.
        """
        chosen = _device(device)
        precision = _precision(chosen, precision)
        # PyTorch reads these when CUDA starts: growing segments fragment less, and the workspace
        # setting is what deterministic matrix products ask for.
        os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        # Accelerate keeps one state a process and refuses another precision; a process may train
        # several experiments one after the other.
        alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
        AcceleratorState._reset_state(reset_partial_state=alone)
        accelerator = Accelerator(
            mixed_precision=_ACCELERATE_NAMES[precision], cpu=chosen.type == "cpu"
        )
        if not alone:
            atexit.register(_leave_group)
        return cls(accelerator, precision)

    @property
    def device(self) -> torch.device:
        """The device of this process."""
        device: torch.device = self.accelerator.device
        return device

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""
        return int(self.accelerator.process_index)

    @property
    def world(self) -> int:
        """How many processes train together."""
        return int(self.accelerator.num_processes)

    @property
    def is_main(self) -> bool:
        """Whether this process writes files."""
        return bool(self.accelerator.is_main_process)

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which matrix products run in the chosen precision."""
        if self.precision == "fp32":
            return nullcontext()
        context: AbstractContextManager[Any] = self.accelerator.autocast()
        return context

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module as it is called in training: on the device, and shared between processes."""
        module.to(self.device)
        if self.world == 1:
            return module
        return nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)

    def agree(self, value: Any) -> Any:
        """The main process's value, in every process; it must be plain data."""
        if self.world == 1:
            return value
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a tensor over the processes."""
        if self.world == 1:
            return value
        mean: Tensor = self.accelerator.reduce(value, reduction="mean")
        return mean

    def wait(self) -> None:
        """Returns when every process has come here."""
        if self.world > 1:
            self.accelerator.wait_for_everyone()


def _leave_group() -> None:
    """Ends the threads that talk to other processes, which abort an interpreter that ends first."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _device(name: str) -> torch.device:
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, exists in there.items() if exists))
    if name not in there:
        raise UsageError(f"unknown device '{name}': give auto, {', '.join(there)}.")
    if not there[name]:
        here = ", ".join(kind for kind, exists in there.items() if exists)
        raise UsageError(
            f"run.device = '{name}', but PyTorch finds no such device here (it finds: {here}). "
            "Use run.device = 'auto', or install a PyTorch build for it."
        )
    return torch.device(name)


def _precision(device: torch.device, name: str) -> str:
    if name == "auto":
        return "bf16" if _has_bf16(device) else "fp32"
    if name == "fp16" and device.type == "cpu":
        raise UsageError(
            "optimiser.precision = 'fp16' needs a GPU: its gradients are scaled there. "
            "Use 'bf16' or 'auto' on the CPU."
        )
    if name not in _ACCELERATE_NAMES:
        raise UsageError(f"unknown precision '{name}': give auto, fp32, bf16 or fp16.")
    return name


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        abilities = torch.cpu.get_capabilities()
        return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))
    return False
