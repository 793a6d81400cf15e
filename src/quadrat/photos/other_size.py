"""Experiments whose photos are seen at another size than they ask for."""

from __future__ import annotations

from typing import cast

from quadrat.experiment import parse
from quadrat.photos.encoders import PhotoEncoder, create_encoder
from quadrat.photos.schema import EncoderSection, PhotosExperiment, Sides


def seen_at(experiment: PhotosExperiment, size: Sides) -> PhotosExperiment:
    """The same experiment with another ``views.predict_size``.

    Raises:
        ExperimentError: Its other keys do not allow it.
    """
    content = experiment.content()
    views = {**content["views"], "predict_size": list(size)}
    return cast("PhotosExperiment", parse({**content, "views": views}))


def require_seen_at(
    experiment: PhotosExperiment, size: Sides, encoder: EncoderSection | None = None
) -> None:
    """Checks that an experiment's photos can be seen at a size, without reading any weights.

    Args:
        experiment: The experiment.
        size: Height and width in pixels.
        encoder: What stands for its own section.

    Raises:
        UsageError: They cannot; the message names the key that says why.
    """
    seen = seen_at(experiment, size)
    _without_weights(seen, encoder or seen.encoder)


def asked_size(experiment: PhotosExperiment) -> Sides | None:
    """Height and width at which held-out and new photos are seen; None where not at one.

    Raises:
        UsageError: The encoder cannot be made.
    """
    if experiment.encoder.precomputed or experiment.views.sizes:
        return None
    return _without_weights(experiment, experiment.encoder).predict_preprocessing.size


def _without_weights(experiment: PhotosExperiment, encoder: EncoderSection) -> PhotoEncoder:
    bare = encoder.model_copy(update={"weights": "none"})
    return create_encoder(bare, experiment.views, experiment.clean, seed=experiment.seed)
