"""A trained network of species that answers, and that is written and read."""

from __future__ import annotations

from pathlib import Path

from quadrat.occurrence.answering import SpeciesPredictor
from quadrat.occurrence.network.calibration import load_calibration, save_calibration
from quadrat.occurrence.network.model import NetworkSpec, load_model, save_model
from quadrat.occurrence.network.species_network import OccurrenceNetwork
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.occurrence.samples.known_environment import KnownEnvironment
from quadrat.occurrence.samples.observed import ObservedCells
from quadrat.runtime.calibration import Calibration


class OccurrencePredictor(SpeciesPredictor):
    """A network with its species.

    Args:
        network: The network.
        spec: Its shape.
        vocabulary: The species of its outputs.
        environment: What is known of the environment of places, for a network that reads it.
        calibration: As in `SpeciesPredictor`.
        observed: As in `SpeciesPredictor`.
        device: Where it computes.
    """

    def __init__(
        self,
        network: OccurrenceNetwork,
        spec: NetworkSpec,
        vocabulary: Vocabulary,
        environment: KnownEnvironment | None = None,
        *,
        calibration: Calibration | None = None,
        observed: ObservedCells | None = None,
        device: str = "auto",
    ) -> None:
        super().__init__(
            network,
            vocabulary,
            environment,
            calibration=calibration,
            observed=observed,
            device=device,
        )
        self.own_network, self.spec, self.known = network, spec, environment

    @classmethod
    def load(cls, folder: Path | str, *, device: str = "auto") -> OccurrencePredictor:
        """Loads a run folder or a saved predictor; the training data are not needed.

        Raises:
            RunError: The folder holds no occurrence model.
        """
        folder = Path(folder)
        network, spec, vocabulary = load_model(folder)
        known = KnownEnvironment.load(folder) if spec.environment_inputs else None
        return cls(
            network,
            spec,
            vocabulary,
            known,
            calibration=load_calibration(folder, len(vocabulary)),
            observed=ObservedCells.load(folder),
            device=device,
        )

    def save(self, folder: Path | str) -> None:
        """Writes what `load` needs into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_model(folder, self.own_network, self.spec, self.vocabulary, "model.safetensors")
        if self.known is not None:
            self.known.save(folder)
        save_calibration(folder, self.calibration)
        if self.observed is not None:
            self.observed.save(folder)
