"""From training samples to a trained member: features, linear start, training, refit."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from quadrat.engine import (
    Backend,
    FitResult,
    FitSettings,
    HistoryLog,
    OnEpoch,
    fit,
)
from quadrat.photos.depth.maps import make_depth_source
from quadrat.photos.encoders import PhotoEncoder, create_encoder
from quadrat.photos.features.source import FeatureSource
from quadrat.photos.fold_training import FoldTraining
from quadrat.photos.member import Member
from quadrat.photos.samples.parts import Part
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.views.plan import ViewPlan
from quadrat.runtime.balance import Balance, Identity


class Fitted(NamedTuple):
    """What a training gave, and how it went.

    Attributes:
        members: The trained member; with ``average.snapshot_of = "predictions"`` one for each of
            the best states, the best one first.
        result: What the engine says.
    """

    members: tuple[Member, ...]
    result: FitResult

    @property
    def member(self) -> Member:
        """The best member."""
        return self.members[0]


def balance_of(experiment: PhotosExperiment) -> Balance:
    """The identities of an experiment; none where predictions are left as they are."""
    if experiment.balance_method.kind == "none":
        return Balance(experiment.data.targets)
    identities = tuple(Identity(i.total, i.parts) for i in experiment.balance)
    return Balance(experiment.data.targets, identities)


def make_frozen_source(
    experiment: PhotosExperiment, encoder: PhotoEncoder, backend: Backend
) -> FeatureSource:
    """Where vectors and depth maps of photos come from, before anything is trained."""
    return FeatureSource(
        encoder,
        ViewPlan.of(experiment.views),
        device=backend.device,
        cache=experiment.encoder.cache,
        half=experiment.encoder.cache_precision == "fp16",
        workers=experiment.run.workers,
        depth=make_depth_source(experiment, backend.device),
    )


def _encoder(experiment: PhotosExperiment) -> PhotoEncoder:
    return create_encoder(
        experiment.encoder,
        experiment.views,
        experiment.clean,
        experiment.tta,
        seed=experiment.seed,
    )


class NetworkLearner:
    """Trains networks of one experiment.

    Args:
        experiment: The experiment.
        backend: Device, precision, processes.
        source: Vectors of photos from before, by the encoder of this experiment.
    """

    def __init__(
        self,
        experiment: PhotosExperiment,
        backend: Backend,
        source: FeatureSource | None = None,
    ) -> None:
        self.experiment, self.backend = experiment, backend
        self.source = source or make_frozen_source(experiment, _encoder(experiment), backend)
        self.encoder = self.source.encoder
        self.balance = balance_of(experiment)

    def fit(
        self,
        train: Part,
        inner: Part,
        *,
        fold: int = 0,
        state: Path | None = None,
        history: HistoryLog | None = None,
        on_epoch: OnEpoch | None = None,
        stop_after: int | None = None,
        label: str = "",
    ) -> Fitted:
        """Trains one member, or one for each state that is wanted.

        The linear start is fitted on the training rows, the rest is trained to correct it, and the
        state that predicts the inner rows best is kept: the start itself, if nothing is better.
        Where the encoder is frozen, the start is then fitted once more with the inner rows, whose
        task is done; what was trained stays as it is.

        Args:
            train: Rows to learn from.
            inner: Rows to judge the states by; may be empty.
            fold: Number of the fold, for records and messages.
            state: Folder of saved states; training goes on from what lies there.
            history: Receives a record an epoch.
            on_epoch: Called with every record; training ends when it returns True.
            stop_after: End after so many epochs of those that are planned.
            label: What messages call the training; the fold by default.

        Raises:
            DataError: Photos cannot be read, or targets cannot be learnt.
            NonFiniteLossError: The loss became NaN or infinite.
            Stopped: A signal asked to stop; the state was saved.
        """
        training = FoldTraining(self, train, inner, fold)
        network = training.network
        settings = FitSettings(
            self.experiment.optimiser,
            self.experiment.average,
            self.experiment.run,
            seed=training.seed,
            score_initial=True,
            stop_after=stop_after,
            label=label,
        )
        result = fit(
            network,
            training.batches(),
            training.objective(),
            settings,
            backend=self.backend,
            validation=training.validation() if len(inner) else None,
            state=state,
            history=history,
            fold=fold,
            groups=training.parameter_groups(),
            on_epoch=on_epoch,
        )
        members = [training.member(other) for other in training.others(result)]
        members.insert(0, training.member(network))
        if self.encoder.frozen and len(inner):
            training.fit_start(with_inner=True)
            for member in members[1:]:
                member.network.start.load_state_dict(network.start.state_dict())
        return Fitted(tuple(members), result)
