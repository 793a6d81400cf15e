"""What a network is built from, as it is kept beside its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from quadrat.photos.encoders import PhotoEncoder
from quadrat.photos.fusion import FusionSpec
from quadrat.photos.heads import HeadSpec
from quadrat.photos.heads.auxiliary import Columns
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.schema.network_rules import AMOUNTS
from quadrat.runtime.balance import Balance, Identity
from quadrat.targets import DISTRIBUTIONS, Distribution, make_distribution

LARGEST_EMBEDDING = 16
_FUSION_KEYS = ("gate", "latents", "layers", "heads", "bidirectional")


@dataclass(frozen=True)
class NetworkSpec:
    """What a network is built from, beside its encoder.

    Attributes:
        photo_width: D, length of a view's vector.
        targets: T.
        distribution: What the head says about a target.
        numeric: F, number of numeric columns.
        cardinalities: Positions of every categorical column, with the unknown one (C).
        embedding: Length of the vector of every categorical column (C).
        fusion: Kind of fusion.
        fusion_hidden: Its width.
        dropout: Share of units dropped in fusion and head.
        head: Kind of head.
        head_hidden: Widths of its hidden layers.
        shared: One hidden part for all targets, or one for each.
        metadata_dropout: Share of samples whose metadata are hidden in training.
        category_dropout: Share of single categories hidden in training.
        token_width: K, length of a token; 0 where neither fusion nor head asks for tokens.
        slots: Parts that a photo is cut into.
        summing: Every target as a sum of basic ones, a row a target; empty for heads that predict
            each target by itself.
        transform: Of the targets' scale.
        quantiles: Levels of the distribution ``quantile``.
        weighting: How the losses of targets become one.
        bins: Intervals that targets are sorted into beside; 0: none.
        auxiliary_numeric: Numeric columns that are predicted beside, by position.
        auxiliary_categorical: Categorical ones.
        feed_back: Whether their predictions stand in for unknown ones.
        depth: How depth maps join the vectors of their views; None where there are no maps.
        gate: As in `FusionSpec`, like all below.
        latents: The same.
        layers: The same.
        heads: The same.
        bidirectional: The same.
    """

    photo_width: int
    targets: int
    distribution: str
    numeric: int
    cardinalities: tuple[int, ...]
    embedding: tuple[int, ...]
    fusion: str
    fusion_hidden: int
    dropout: float
    head: str
    head_hidden: tuple[int, ...]
    shared: bool
    metadata_dropout: float
    category_dropout: float
    token_width: int = 0
    slots: int = 1
    summing: tuple[tuple[int, ...], ...] = ()
    transform: str = "none"
    quantiles: tuple[float, ...] = ()
    weighting: str = "fixed"
    bins: int = 0
    auxiliary_numeric: tuple[int, ...] = ()
    auxiliary_categorical: tuple[int, ...] = ()
    feed_back: bool = False
    depth: str | None = None
    gate: bool = False
    latents: int = 48
    layers: int = 2
    heads: int = 6
    bidirectional: bool = True

    @classmethod
    def of(
        cls,
        experiment: PhotosExperiment,
        encoder: PhotoEncoder,
        cardinalities: Sequence[int],
        *,
        slots: int = 1,
    ) -> NetworkSpec:
        """The network that an experiment asks for.

        Args:
            experiment: The experiment.
            encoder: Tells the lengths of vectors and tokens.
            cardinalities: Of the categorical columns, as the training rows show.
            slots: Parts that a photo is cut into.
        """
        data, head = experiment.data, experiment.head
        widths = [
            experiment.fusion.embedding.get(name, min(LARGEST_EMBEDDING, count // 2 or 1))
            for name, count in zip(data.categorical, cardinalities, strict=True)
        ]
        return cls(
            photo_width=encoder.width,
            targets=len(data.targets),
            distribution=head.distribution,
            numeric=len(data.numeric),
            cardinalities=tuple(cardinalities),
            embedding=tuple(widths),
            fusion=experiment.fusion.kind,
            fusion_hidden=experiment.fusion.hidden,
            dropout=experiment.fusion.dropout,
            head=head.kind,
            head_hidden=head.hidden,
            shared=head.shared,
            metadata_dropout=experiment.augment.metadata_dropout,
            category_dropout=experiment.augment.category_dropout,
            token_width=encoder.token_width,
            slots=slots,
            summing=_summing(experiment),
            transform=transform_of(experiment),
            quantiles=experiment.loss.quantiles if head.distribution == "quantile" else (),
            weighting=experiment.loss.weighting,
            bins=head.bins,
            auxiliary_numeric=_places(data.numeric, head.auxiliary),
            auxiliary_categorical=_places(data.categorical, head.auxiliary),
            feed_back=head.feed_back,
            depth=None if experiment.depth is None else experiment.depth.fusion,
            **{name: getattr(experiment.fusion, name) for name in _FUSION_KEYS},
        )

    def auxiliary(self) -> Columns:
        """The columns of metadata that are predicted beside the targets."""
        counts = tuple(self.cardinalities[place] for place in self.auxiliary_categorical)
        return Columns(self.auxiliary_numeric, self.auxiliary_categorical, counts)

    def make_distribution(self) -> Distribution:
        """What the head says about a target."""
        return make_distribution(self.distribution, self.quantiles)

    def fusion_spec(self) -> FusionSpec:
        """What the fusion is built from."""
        return FusionSpec(
            self.photo_width,
            self.numeric,
            self.cardinalities,
            self.embedding,
            self.fusion_hidden,
            self.dropout,
            token_width=self.token_width,
            slots=self.slots,
            **{name: getattr(self, name) for name in _FUSION_KEYS},
        )

    def head_spec(self) -> HeadSpec:
        """What the head is built from."""
        return HeadSpec(
            self.fusion_hidden,
            self.targets,
            len(self.make_distribution().parameters),
            self.head_hidden,
            self.shared,
            self.dropout,
            token_width=self.token_width,
            summing=self.summing,
            transform=self.transform,
        )

    def to_json(self) -> dict[str, Any]:
        """The values as JSON holds them."""
        return {name: _as_lists(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> NetworkSpec:
        """The inverse of `to_json`."""
        known: dict[str, Any] = {name: _as_tuples(value) for name, value in values.items()}
        return cls(**known)


def transform_of(experiment: PhotosExperiment) -> str:
    """The transform of the scale that an experiment's targets are learnt on."""
    return DISTRIBUTIONS[experiment.head.distribution].transform or experiment.loss.transform


def _summing(experiment: PhotosExperiment) -> tuple[tuple[int, ...], ...]:
    """The targets as sums of those that are no total, for heads that derive the totals."""
    if experiment.head.kind not in AMOUNTS:
        return ()
    identities = tuple(Identity(i.total, i.parts) for i in experiment.balance)
    summing = Balance(experiment.data.targets, identities).summing
    return tuple(tuple(int(entry) for entry in row) for row in summing)


def _places(names: Sequence[str], wanted: Sequence[str]) -> tuple[int, ...]:
    return tuple(place for place, name in enumerate(names) if name in wanted)


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, tuple) else value


def _as_tuples(value: Any) -> Any:
    return tuple(_as_tuples(item) for item in value) if isinstance(value, list) else value
