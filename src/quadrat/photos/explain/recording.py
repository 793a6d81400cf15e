"""What a network's blocks see while it runs: places with gradients, and attention."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from torch import Tensor, nn

from quadrat.errors import UsageError
from quadrat.photos.encoders.parts import Stem, Tail
from quadrat.photos.encoders.steps import State, Steps
from quadrat.photos.encoders.timm_encoder import TimmEncoder
from quadrat.photos.explain.subject import Subject
from quadrat.photos.member import Member


class Recorder:
    """Runs a network's steps and keeps the places that are read last.

    Of maps these are the last block's; of sequences what goes into it, since past it only the class
    token may be read.

    Args:
        steps: The steps.
        number: Of the last block that runs.
    """

    def __init__(self, steps: Steps, number: int) -> None:
        self.steps, self.number = steps, number
        self.state: State | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.steps, name)

    def block(self, network: nn.Module, number: int, state: State) -> State:
        """What a block makes of views."""
        made = self.steps.block(network, number, state)
        if number == self.number:
            self.state = state if state.values.ndim == 3 else made
        return made


def parts_of(subject: Subject, member: Member) -> list[Stem | Tail]:
    """The parts of a member's encoder, in the order in which they run.

    Raises:
        UsageError: Its encoder is not one of these.
    """
    encoder = subject.source.encoder
    if not isinstance(encoder, TimmEncoder):
        raise UsageError("this encoder has no blocks to look into; use --method occlusion.")
    parts = (encoder.stem, member.network.encoder)
    return [part for part in parts if isinstance(part, Stem | Tail)]


@contextmanager
def recorded(part: Stem | Tail) -> Iterator[Recorder]:
    """Records the places of the last block of a part."""
    steps = part.steps
    recorder = Recorder(steps, part.stop - 1)
    part.steps = cast("Steps", recorder)
    try:
        yield recorder
    finally:
        part.steps = steps


@contextmanager
def attentions(parts: list[Stem | Tail]) -> Iterator[list[Tensor]]:
    """Collects the attention of every block ``(V, heads, N, N)``, which fused kernels never make.

    Raises:
        UsageError: The network has no attention between all places.
    """
    modules: list[Any] = [
        getattr(part.model.get_submodule(part.steps.blocks[number]), "attn", None)
        for part in parts
        for number in range(part.first, part.stop)
        if part.steps.blocks[number]
    ]
    if not modules or any(not hasattr(module, "attn_drop") for module in modules):
        raise UsageError(
            "attention rollout needs a transformer with attention between all places (vit, eva); "
            "use --method gradcam or occlusion."
        )
    found: list[Tensor] = []
    fused = [module.fused_attn for module in modules]
    hooks = [
        module.attn_drop.register_forward_hook(lambda _, given, made: found.append(made.detach()))
        for module in modules
    ]
    try:
        for module in modules:
            module.fused_attn = False
        yield found
    finally:
        for module, flag, hook in zip(modules, fused, hooks, strict=True):
            module.fused_attn = flag
            hook.remove()
