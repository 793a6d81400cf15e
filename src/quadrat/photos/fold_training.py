"""One training as its parts: what is fitted on its rows, its batches, its loss, its member."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quadrat.engine import (
    FitResult,
    ParameterGroup,
    SampleOrder,
    parameter_groups,
)
from quadrat.errors import DataError
from quadrat.photos.augment.changes import BatchChanges
from quadrat.photos.augment.variation import Variation
from quadrat.photos.batches import SampleBatches
from quadrat.photos.depth.scaling import DepthScale
from quadrat.photos.depth.views import DepthViews
from quadrat.photos.fusion import Metadata
from quadrat.photos.heads import AmountsHead
from quadrat.photos.heads.auxiliary import AuxiliaryLoss, bin_edges
from quadrat.photos.member import Member, lowest_values
from quadrat.photos.network.photos_network import PhotosNetwork
from quadrat.photos.network.spec import NetworkSpec, transform_of
from quadrat.photos.objective import PhotosObjective, target_weights
from quadrat.photos.predictions import Answer
from quadrat.photos.samples.loading import Samples
from quadrat.photos.samples.parts import Part
from quadrat.photos.sampling.order import sample_order
from quadrat.photos.views.looks import Look
from quadrat.photos.views.plan import MIRRORED
from quadrat.photos.views.supply import Views
from quadrat.runtime.metadata import MetadataEncoder
from quadrat.targets import TargetScaler, error_covariance

if TYPE_CHECKING:
    from quadrat.photos.learner import NetworkLearner

Array = NDArray[np.float64]

_PLAIN = Look()


class FoldTraining:
    """What one training needs, fitted on its rows; `NetworkLearner.fit` runs it.

    Args:
        learner: Whose experiment, encoder and device.
        train: Rows to learn from.
        inner: Rows to judge the states by.
        fold: Number of the fold.
    """

    def __init__(self, learner: NetworkLearner, train: Part, inner: Part, fold: int) -> None:
        self.learner, self.experiment = learner, learner.experiment
        self.train, self.inner = train, inner
        self.seed = self.experiment.seed * 1_000 + fold
        parts = learner.source.plan.parts
        self.own, self.judged = train.parted(parts), inner.parted(parts)
        self.learnt = self.own.joined()
        data, samples = self.experiment.data, self.own.samples
        self.metadata = MetadataEncoder.fit(
            samples.numeric,
            self.learnt.samples.categorical,
            numeric_names=data.numeric,
            categorical_names=data.categorical,
        )
        transform = transform_of(self.experiment)
        self.scaler = TargetScaler.fit(samples.targets, transform, data.targets)
        self.floor = lowest_values(samples.targets)
        self.depth = self._fit_depth()
        self.network = self._build()
        self.network.standardise(self._photos(self.own))
        self.fit_start()
        self._begin_head()

    def _build(self) -> PhotosNetwork:
        encoder = self.learner.encoder
        spec = NetworkSpec.of(
            self.experiment,
            encoder,
            self.metadata.cardinalities,
            slots=self.learner.source.plan.slots,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = PhotosNetwork(spec, encoder.rest())
        # The start is the best linear answer already; a learning encoder moves below it.
        network.start.requires_grad_(not encoder.frozen and network.begins_linear)
        network.fusion.requires_grad_(network.head.uses_fused or spec.bins > 0)
        return network

    def _begin_head(self) -> None:
        """Lets a head that says amounts begin at the means of the training targets.

        Raises:
            DataError: Targets are negative, so they are no amounts.
        """
        head = self.network.head
        if not isinstance(head, AmountsHead):
            return
        names = self.experiment.data.targets
        negative = [name for name, low in zip(names, self.floor, strict=True) if low < 0.0]
        if negative:
            raise DataError(
                f"head.kind = '{self.experiment.head.kind}' says amounts, which are never "
                f"negative, but training values of {', '.join(negative)} are.",
                fix="correct these values, or use head.kind = 'mlp'.",
            )
        means = np.nanmean(self.own.samples.targets, axis=0).tolist()
        head.begin(self.scaler, means, self._places() if head.uses_tokens else 1.0)

    def _places(self) -> float:
        """How many places the views of a usual sample have together."""
        encoder, samples = self.learner.encoder, self.own.samples
        device = next(encoder.parameters()).device
        blank = torch.zeros(1, 3, *encoder.preprocessing.size, device=device)
        with torch.inference_mode():
            tokens = encoder(blank).tokens
        places = 0 if tokens is None else tokens[0, ..., 0].numel()
        return places * len(self.learner.source.see(samples).owner) / len(samples)

    def _fit_depth(self) -> DepthScale | None:
        section, source = self.experiment.depth, self.learner.source.depth
        if section is None or source is None:
            return None
        return DepthScale.fit(section.scale, source.of(self.train.samples))

    def fit_start(self, *, with_inner: bool = False) -> None:
        """Fits the linear start on the training rows, or on all rows that are not held out.

        Mirrored photos count as further rows; those of a sample are no evidence for each other.
        Heads that do not begin at a linear start have none.
        """
        if not self.network.begins_linear:
            return
        parts = [self.learnt, self.judged] if with_inner else [self.learnt]
        flips = MIRRORED[self.experiment.augment.flips]
        samples = [part.samples for part in parts] * len(flips)
        photos = [self._photos(part, Look(flip)) for flip in flips for part in parts]
        device = self.network.centre.device
        start = self.network.start.cpu()
        start.fit(
            self.network.standardised(np.concatenate(photos)),
            self.metadata.encode(
                np.concatenate([s.numeric for s in samples]),
                np.concatenate([s.categorical for s in samples]),
            ),
            self.scaler.transform(np.concatenate([s.targets for s in samples])),
            groups=np.tile(np.concatenate([part.labels for part in parts]), len(flips)),
            hidden_share=self.experiment.augment.metadata_dropout,
            weights=target_weights(self.experiment),
            counts=np.tile(np.concatenate([part.counts for part in parts]), len(flips)),
            seed=self.seed,
        )
        start.to(device)

    def _photos(self, part: Part, look: Look = _PLAIN) -> NDArray[np.float32]:
        return self.learner.source.vectors(part.samples, look=look)

    def batches(self) -> SampleBatches:
        """The training batches."""
        samples, backend = self.learnt.samples, self.learner.backend
        section, source = self.experiment.augment, self.learner.source
        flips, variation = section.flips, Variation.of(section, self.seed)
        return self._batches(
            samples,
            source.views(samples, flips=flips, variation=variation),
            source.depth_views(samples, self.depth, flips=flips, variation=variation),
            shuffle=True,
            rank=backend.rank,
            world=backend.world,
            weights=self.learnt.weights,
            order=sample_order(self.experiment, samples),
            change=BatchChanges.of(section, self._shrunk, self.seed),
        )

    def _shrunk(self, targets: Tensor, share: Tensor) -> Tensor:
        """Standardised targets ``(B, T)`` of samples of whose area a share ``(B,)`` is seen."""
        units = self.scaler.inverse(targets.double().cpu().numpy())
        seen = self.scaler.transform(units * share[:, None].double().numpy())
        return torch.from_numpy(seen).to(targets)

    def validation(self) -> SampleBatches:
        """The inner rows, and where metadata may be absent, the same once more without them."""
        samples = self.judged.samples
        views = self.learner.source.views(samples, predict=True)
        depth = self.learner.source.depth_views(samples, self.depth)
        return self._batches(samples, views, depth, twice=self._judged_twice)

    @property
    def _judged_twice(self) -> bool:
        spec = self.network.spec
        return spec.metadata_dropout > 0.0 and self.network.start.columns > 0

    def _batches(
        self,
        samples: Samples,
        views: Views,
        depth: DepthViews | None,
        *,
        shuffle: bool = False,
        twice: bool = False,
        weights: Array | None = None,
        rank: int = 0,
        world: int = 1,
        order: SampleOrder | None = None,
        change: BatchChanges | None = None,
    ) -> SampleBatches:
        device = self.learner.backend.device
        encoded = self.metadata.encode(samples.numeric, samples.categorical)
        metadata = Metadata.of(encoded, device)
        return SampleBatches(
            views,
            self.learner.source.see(samples),
            metadata.joined(metadata.hidden()) if twice else metadata,
            self.scaler.transform(samples.targets),
            samples.ids,
            batch_size=self.experiment.optimiser.batch_size,
            seed=self.seed,
            shuffle=shuffle,
            rank=rank,
            world=world,
            device=device,
            weights=weights,
            order=order,
            changes=change,
            depth=depth,
        )

    def objective(self) -> PhotosObjective:
        """Loss and inner scores."""
        truth = self.inner.samples.targets
        return PhotosObjective.of(
            self.experiment,
            np.concatenate([truth, truth]) if self._judged_twice else truth,
            lambda parameters: self._answer(parameters).prediction(),
            self.learner.balance.project,
            self.scaler,
            self._auxiliary(),
        )

    def _auxiliary(self) -> AuxiliaryLoss:
        head = self.experiment.head
        targets = self.scaler.transform(self.own.samples.targets)
        return AuxiliaryLoss(
            bin_edges(targets, head.bins) if head.bins else None,
            target_weights(self.experiment),
            head.bins_weight,
            self.network.spec.auxiliary(),
            head.auxiliary_weight,
        )

    def _answer(self, parameters: Array) -> Answer:
        parts, floor = self.learner.source.plan.parts, np.array(self.floor)
        distribution = self.network.distribution
        return Answer(parameters, self.scaler, floor, distribution, parts=parts)

    def parameter_groups(self) -> list[ParameterGroup]:
        """The encoder and the rest, each with its learning rate."""
        section = self.experiment.optimiser
        rate = self.experiment.head.learning_rate or section.learning_rate
        groups: list[ParameterGroup] = []
        network = self.network
        for part in network.beside_encoder():
            groups += parameter_groups(part, rate, section.weight_decay)
        if network.encoder.learns:
            encoder_rate = self.experiment.encoder.learning_rate
            groups += network.encoder.parameter_groups(encoder_rate, section.weight_decay)
        return groups

    def others(self, result: FitResult) -> list[PhotosNetwork]:
        """The networks of the states that answer besides the best one, on the CPU."""
        found = []
        for state in result.states[1:]:
            network = copy.deepcopy(self.network).cpu()
            network.load_state_dict(state)
            found.append(network)
        return found

    def member(self, network: PhotosNetwork) -> Member:
        """A trained member, which knows its training rows, and its errors on the inner rows."""
        train = self.train
        means = tuple(np.nanmean(train.samples.targets, axis=0).tolist())
        member = Member(network, self.metadata, self.scaler, self.floor, means, depth=self.depth)
        member = member.knowing(train.samples, train.labels, self.learner.source)
        if self.experiment.balance_method.kind != "project-covariance" or not len(self.inner):
            return member
        samples = self.inner.samples
        answer = member.answer(samples, self.learner.source)
        errors = samples.targets - answer.prediction().mean
        return replace(member, covariance=error_covariance(errors))
