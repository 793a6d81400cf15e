"""Training that starts from a run: its weights in a network for other species and records."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from quadrat.engine import ParameterGroup, parameter_groups
from quadrat.errors import RunError
from quadrat.experiment import OptimiserSection
from quadrat.occurrence.network.model import NetworkSpec, load_model
from quadrat.occurrence.network.species_network import OccurrenceNetwork, Prediction
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.occurrence.samples.batches import CellBatch
from quadrat.occurrence.samples.environment import EnvironmentEncoder
from quadrat.occurrence.schema import StartSection
from quadrat.occurrence.transfer.environment import Rescaling
from quadrat.occurrence.transfer.matching import SpeciesMatch, joined, read_renamed
from quadrat.runs import Run, read_json

SPECIES_LAYERS = ("species", "habitat", "gate")
"""The layers that have a row a species."""


@dataclass(frozen=True)
class Start:
    """A trained run, matched with the species that are to be learnt.

    Args:
        folder: The run's folder.
        weights: Its parameters.
        spec: The shape of its network.
        vocabulary: Its species.
        encoder: What its environment values mean, if that is known.
        match: Which of its species the new ones are.
        kept: Its columns that are answered for as they were.
        sha256: Of its weights' file.
    """

    folder: Path
    weights: dict[str, Tensor]
    spec: NetworkSpec
    vocabulary: Vocabulary
    encoder: EnvironmentEncoder | None
    match: SpeciesMatch
    kept: tuple[int, ...]
    sha256: str

    @classmethod
    def read(cls, section: StartSection, species: Vocabulary, known: Collection[str]) -> Start:
        """Reads the run that a section names.

        Args:
            section: It names a run.
            species: The species to learn.
            known: Codes besides theirs that a table of synonyms may name.

        Raises:
            RunError: There is no occurrence run, or it is unfinished.
            DataError: The table of synonyms cannot be used.
        """
        folder = Run.open(str(section.run)).folder
        if not (folder / "model.json").is_file():
            raise RunError(f"{folder} holds no trained model to start from: finish that run first.")
        network, spec, vocabulary = load_model(folder)
        renamed: dict[str, list[int]] = {}
        if section.synonyms:
            renamed = read_renamed(section.synonyms, vocabulary, {*known, *species.codes})
        match = SpeciesMatch.of(vocabulary, species, renamed)
        described = read_json(folder / "preprocessing.json").get("environment")
        file = folder / str(read_json(folder / "model.json")["weights"])
        return cls(
            folder=folder,
            weights={name: value.clone() for name, value in network.state_dict().items()},
            spec=spec,
            vocabulary=vocabulary,
            encoder=EnvironmentEncoder.from_dict(described) if described is not None else None,
            match=match,
            kept=match.left if section.missing == "keep" else (),
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        )

    @torch.no_grad()
    def pour_into(
        self, network: OccurrenceNetwork, spec: NetworkSpec, encoder: EnvironmentEncoder
    ) -> None:
        """Sets the weights of a fresh network for the species to learn.

        New species answer with their prevalence, which the fresh network's bias is set to.

        Args:
            network: A fresh network.
            spec: Its shape.
            encoder: The environment of the new records.

        Raises:
            RunError: The run's environment and that of the records cannot be brought together.
        """
        fresh = network.state_dict()
        apart = self._environment_layers(spec)
        for name, value in fresh.items():
            layer = name.rpartition(".")[0]
            if layer in SPECIES_LAYERS:
                self._pour_rows(value, self.weights[name])
            elif name in self.weights and layer not in apart:
                value.copy_(self.weights[name])
        self._pour_environment(fresh, spec, encoder)

    def extended(
        self, network: OccurrenceNetwork, spec: NetworkSpec, learnt: Vocabulary
    ) -> tuple[OccurrenceNetwork, NetworkSpec, Vocabulary]:
        """A trained network that answers for the species that are kept, too, after its own."""
        if not self.kept:
            return network, spec, learnt
        wider = replace(spec, species=spec.species + len(self.kept))
        rows = torch.tensor(self.kept)
        state = {
            name: torch.cat([value.cpu(), self.weights[name][rows]])
            if name.partition(".")[0] in SPECIES_LAYERS
            else value
            for name, value in network.state_dict().items()
        }
        whole = wider.build()
        whole.load_state_dict(state)
        return whole.eval(), wider, joined(learnt, self.vocabulary, self.kept)

    def describe(self, learnt: Vocabulary) -> dict[str, Any]:
        """What became of the species, for ``start.json``."""
        old, match = self.vocabulary.codes, self.match
        same = sum(map(bool, match.sources)) - len(match.by_synonym)
        left = [old[column] for column in match.left]
        return {
            "run": self.folder.name,
            "weights": self.sha256,
            "by_code": same,
            "by_synonym": {code: list(names) for code, names in match.by_synonym.items()},
            "new": [learnt.codes[column] for column in match.new],
            "kept": left if self.kept else [],
            "dropped": [] if self.kept else left,
        }

    def _pour_rows(self, fresh: Tensor, old: Tensor) -> None:
        """Rows of species: the mean of the old ones; a new species knows no place yet."""
        for row, sources in enumerate(self.match.sources):
            if sources:
                fresh[row] = old[list(sources)].mean(dim=0)
            elif fresh.ndim == 2:
                fresh[row] = 0.0

    def _environment_layers(self, spec: NetworkSpec) -> dict[str, str]:
        """The layers that speak of the environment, and how."""
        layers = {"habitat_trunk.0": "reads"} if spec.habitat_head else {}
        if spec.environment and self.spec.environment:
            last = max(int(n.split(".")[1]) for n in self.weights if n.startswith("environment."))
            layers[f"environment.{last}"] = "predicts"
        if spec.environment_inputs:
            layers["input"] = "is told"
        return layers

    def _pour_environment(
        self, fresh: dict[str, Tensor], spec: NetworkSpec, encoder: EnvironmentEncoder
    ) -> None:
        layers = self._environment_layers(spec)
        if self.encoder is None:
            if set(layers.values()) - {"predicts"}:
                raise RunError(
                    f"what the environment of {self.folder} means is not known, and its network "
                    "reads it. Import it with the table it learnt from (quadrat import --data)."
                )
            return
        way = Rescaling.between(self.encoder, encoder)
        for layer, role in layers.items():
            weight, bias = fresh[f"{layer}.weight"], fresh[f"{layer}.bias"]
            old = self.weights[f"{layer}.weight"], self.weights[f"{layer}.bias"]
            if role == "predicts":
                way.outputs(weight, bias, old)
            elif role == "reads":
                way.inputs(weight, bias, old)
            else:
                way.told(weight, bias, old, (self.spec.environment_inputs, spec.environment_inputs))


class OnlyNewSpecies(nn.Module):
    """A network of which the outputs of some species learn, and nothing else changes.

    Rows of other species get no gradient; without weight decay Adam leaves them bit for bit.

    Args:
        network: The network.
        columns: The species.
    """

    def __init__(self, network: OccurrenceNetwork, columns: Sequence[int]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("columns", torch.tensor(list(columns)), persistent=False)

    columns: Tensor

    def train(self, mode: bool = True) -> OnlyNewSpecies:
        """The network does not learn, so nothing in it is dropped."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, batch: CellBatch) -> Prediction:
        """Logits of the species that learn."""
        with torch.no_grad():
            features = self.network.features(batch.position, batch.week, batch.environment)
        return Prediction(self.network.logits(features, self.columns))

    def groups(self, learning_rate: float) -> list[ParameterGroup]:
        """The parameters that have rows of species, none of which decays."""
        return [ParameterGroup("species", species_parameters(self.network), learning_rate, 0.0)]


def species_parameters(network: OccurrenceNetwork) -> list[nn.Parameter]:
    """The parameters that have a row a species."""
    layers = [getattr(network, name) for name in SPECIES_LAYERS]
    return [p for layer in layers if layer is not None for p in layer.parameters()]


def slower_before_species(
    network: OccurrenceNetwork, section: OptimiserSection, factor: float
) -> list[ParameterGroup]:
    """Parameter groups in which the layers before the species' outputs learn more slowly."""
    outputs = {id(p) for p in species_parameters(network)}
    found = []
    for group in parameter_groups(network, section.learning_rate, section.weight_decay):
        for name, rate, wanted in (("outputs", 1.0, True), ("before", factor, False)):
            members = [p for p in group.parameters if (id(p) in outputs) == wanted]
            if members:
                label = f"{group.name}-{name}".strip("-")
                rate = group.learning_rate * rate
                found.append(ParameterGroup(label, members, rate, group.weight_decay))
    return found
