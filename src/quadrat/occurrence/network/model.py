"""A trained network on disk: ``model.json`` says what it is, safetensors hold the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from quadrat.errors import RunError, UsageError, closest
from quadrat.occurrence.network.blocks import Shape
from quadrat.occurrence.network.encodings import ENCODINGS
from quadrat.occurrence.network.environment_input import EnvironmentInput
from quadrat.occurrence.network.species_network import OccurrenceNetwork
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.occurrence.samples.environment import EnvironmentEncoder
from quadrat.occurrence.schema import NetworkSection
from quadrat.runs import FORMAT_VERSION, atomic_path, read_json, write_json

KIND = "occurrence-network"


@dataclass(frozen=True)
class NetworkSpec:
    """What is needed to build a network of the same shape again.

    Args:
        encoding: Name of the encoding of places.
        coord_harmonics: Finest detail of the place.
        week_harmonics: Harmonics of the week.
        scale: Widths and depths.
        species: How many species.
        environment: How many encoded environment values are predicted; 0: no such head.
        habitat_head: Whether there is a habitat head.
        environment_inputs: Positions of the encoded environment values that are read.
        environment_dropout: Share of training samples whose environment is hidden.
    """

    encoding: str
    coord_harmonics: int
    week_harmonics: int
    scale: float
    species: int
    environment: int
    habitat_head: bool = False
    environment_inputs: tuple[int, ...] = ()
    environment_dropout: float = 0.0

    @classmethod
    def of(
        cls, section: NetworkSection, *, species: int, encoder: EnvironmentEncoder
    ) -> NetworkSpec:
        """The spec of an experiment's network for its data.

        Raises:
            UsageError: A part needs environment columns that there are not.
        """
        environment = sum(column.width for column in encoder.columns)
        inputs = _input_positions(section, encoder)
        if section.habitat_head and environment == 0:
            raise UsageError(
                "network.habitat_head needs the environment, but the table has no environment "
                "columns (or data.environment names none). Turn the habitat head off, or add some."
            )
        return cls(
            encoding=section.encoding,
            coord_harmonics=section.coord_harmonics,
            week_harmonics=section.week_harmonics,
            scale=section.scale,
            species=species,
            environment=environment if section.environment_weight > 0 else 0,
            habitat_head=section.habitat_head,
            environment_inputs=inputs,
            environment_dropout=section.environment_dropout if inputs else 0.0,
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> NetworkSpec:
        """The spec in ``model.json``; keys that came later may be missing.

        Raises:
            RunError: There are keys that this version does not know.
        """
        unknown = values.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise RunError(
                f"model.json describes a network with {', '.join(sorted(unknown))}, which this "
                "version of Quadrat does not know. Use the version that wrote it, or a newer one."
            )
        return cls(**{**values, "environment_inputs": tuple(values.get("environment_inputs", ()))})

    def build(self, seed: int = 0) -> OccurrenceNetwork:
        """A network with fresh weights.

        Args:
            seed: Of the wave vectors of the spherical encoding; the weights come from torch's own
                generator.
        """
        reader = None
        if self.environment_inputs:
            reader = EnvironmentInput(self.environment_inputs, self.environment_dropout)
        return OccurrenceNetwork(
            ENCODINGS[self.encoding](self.coord_harmonics, seed),
            Shape.scaled(self.scale),
            week_harmonics=self.week_harmonics,
            species=self.species,
            environment=self.environment,
            habitat=self.habitat_head,
            environment_input=reader,
        )


def _input_positions(section: NetworkSection, encoder: EnvironmentEncoder) -> tuple[int, ...]:
    """Which encoded values the network reads.

    Raises:
        UsageError: A column is not there.
    """
    chosen = section.environment_input
    if chosen is True:
        if not encoder.names:
            raise UsageError("network.environment_input = true, but there are no such columns.")
        chosen = encoder.names
    names = chosen or ()
    missing = [
        f"'{name}'{closest(name, encoder.names)}" for name in names if name not in encoder.names
    ]
    if missing:
        raise UsageError(
            f"network.environment_input names columns that are not among the environment: "
            f"{', '.join(missing)}. The columns are: {', '.join(encoder.names) or 'none'}. Change "
            "the key, or add them to data.environment."
        )
    return tuple(encoder.positions(names))


def save_weights(network: OccurrenceNetwork, path: Path) -> None:
    """Writes the weights atomically."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in network.state_dict().items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors))


def save_model(
    folder: Path,
    network: OccurrenceNetwork,
    spec: NetworkSpec,
    vocabulary: Vocabulary,
    weights: str,
) -> None:
    """Writes ``model.json``, ``labels.txt`` and the weights.

    Args:
        folder: Where they go.
        network: The network.
        spec: Its shape.
        vocabulary: The species of its outputs.
        weights: Path of the weights inside the folder.
    """
    (folder / weights).parent.mkdir(parents=True, exist_ok=True)
    save_weights(network, folder / weights)
    vocabulary.write(folder / "labels.txt")
    description = {
        "format_version": FORMAT_VERSION,
        "kind": KIND,
        "weights": weights,
        "labels": "labels.txt",
        "network": vars(spec),
    }
    write_json(folder / "model.json", description)


def load_model(folder: Path) -> tuple[OccurrenceNetwork, NetworkSpec, Vocabulary]:
    """Reads a network and its species.

    Raises:
        RunError: The folder holds no such model, or its files do not belong together.
    """
    description = read_json(folder / "model.json")
    if description.get("kind") != KIND:
        raise RunError(
            f"{folder} holds a model of the kind '{description.get('kind')}', not '{KIND}'."
        )
    spec = NetworkSpec.from_dict(description["network"])
    vocabulary = Vocabulary.read(_inside(folder, description["labels"]))
    if len(vocabulary) != spec.species:
        raise RunError(
            f"{folder}: labels.txt names {len(vocabulary)} species, but the model has "
            f"{spec.species}. Restore the labels.txt that was written with it."
        )
    network = spec.build()
    _load_weights(network, _inside(folder, description["weights"]))
    network.eval()
    return network, spec, vocabulary


def _load_weights(network: OccurrenceNetwork, path: Path) -> None:
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, OSError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise RunError(f"the weights {path} cannot be used: {first} Repeat the run.") from error


def _inside(folder: Path, name: Any) -> Path:
    path = (folder / str(name)).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise RunError(f"{folder / 'model.json'} points outside its folder: {name}.")
    return path


def pick_device(name: str) -> torch.device:
    """The device to predict on: ``"auto"`` is CUDA where there is one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)
