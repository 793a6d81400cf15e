"""The geomodel's parameters under our names.

Both networks are the same function where places are told by harmonics of latitude and longitude:
the names differ, and that the geomodel leaves out the projection of its environment head where
both widths are equal; here it is the identity then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from quadrat.errors import DataError
from quadrat.occurrence.network.blocks import Shape
from quadrat.occurrence.network.model import NetworkSpec
from quadrat.occurrence.network.species_network import OccurrenceNetwork
from quadrat.occurrence.transfer.checkpoint import Checkpoint

_NO_WEIGHTS = (".harmonics",)
"""Constants of the geomodel that are computed here."""


def network_of(checkpoint: Checkpoint) -> OccurrenceNetwork:
    """A network that computes what the checkpoint's own would.

    Raises:
        DataError: Parameters are missing, left over, or of another shape than the scale gives.
    """
    theirs = with_projection(checkpoint.weights, checkpoint.spec)
    network = checkpoint.spec.build()
    ours = network.state_dict()
    names = dict(renamed(checkpoint.spec))
    problems = [f"no {name}" for name in names if name not in theirs]
    problems += [
        f"unknown: {name}"
        for name in theirs
        if name not in names and not name.endswith(_NO_WEIGHTS)
    ]
    problems += [
        f"{name}: {tuple(theirs[name].shape)} where {tuple(ours[our].shape)} is expected"
        for name, our in names.items()
        if name in theirs and theirs[name].shape != ours[our].shape
    ]
    if problems:
        raise DataError(
            f"{checkpoint.path}: the parameters are not those of a geomodel of scale "
            f"{checkpoint.spec.scale:g}.",
            problems,
            fix="check that the file is whole and comes from version 3 of the geomodel.",
        )
    network.load_state_dict({our: theirs[name] for name, our in names.items()})
    return network.eval()


def renamed(spec: NetworkSpec) -> Iterator[tuple[str, str]]:
    """Pairs of the geomodel's parameter and ours."""
    for their, our in _modules(spec):
        for kind in ("weight", "bias"):
            yield f"{their}.{kind}", f"{our}.{kind}"


def with_projection(weights: Mapping[str, Tensor], spec: NetworkSpec) -> dict[str, Tensor]:
    """The parameters, with the identity for a projection that was left out."""
    shape, found = Shape.scaled(spec.scale), dict(weights)
    if spec.environment and shape.environment_width == shape.width:
        found.setdefault("env_head.proj.weight", torch.eye(shape.width))
        found.setdefault("env_head.proj.bias", torch.zeros(shape.width))
    return found


def _modules(spec: NetworkSpec) -> Iterator[tuple[str, str]]:
    shape = Shape.scaled(spec.scale)
    yield "encoder.input_proj", "input"
    for n in range(shape.blocks):
        yield from _block(f"encoder.blocks.{n}", f"blocks.{n}")
        for layer in (0, 2):
            yield f"encoder.film_generators.{n}.{layer}", f"modulations.{n}.layers.{layer}"
    yield "encoder.norm", "norm"
    yield from _head("species_head", "species_trunk", shape.species_blocks)
    yield "species_head.head.3", "species"
    if spec.environment:
        yield "env_head.proj", "environment.0"
        yield from _head("env_head", "environment", shape.environment_blocks, first=1)
    if spec.habitat_head:
        yield "habitat_species_head.proj", "habitat_trunk.0"
        yield from _head("habitat_species_head", "habitat_trunk", shape.environment_blocks, first=1)
        yield "habitat_species_head.head.3", "habitat"
        yield "species_gate", "gate"


def _head(theirs: str, ours: str, blocks: int, *, first: int = 0) -> Iterator[tuple[str, str]]:
    """Residual blocks and the layers after them; ours are numbered in one row."""
    for n in range(blocks):
        yield from _block(f"{theirs}.blocks.{n}", f"{ours}.{first + n}")
    for n in (0, 1):
        yield f"{theirs}.head.{n}", f"{ours}.{first + blocks + n}"


def _block(theirs: str, ours: str) -> Iterator[tuple[str, str]]:
    for layer in (0, 2, 3, 6):
        yield f"{theirs}.block.{layer}", f"{ours}.layers.{layer}"
