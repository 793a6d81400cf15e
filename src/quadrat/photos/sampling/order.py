"""From an experiment and its training samples to the order in which they come."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from quadrat.engine import SampleOrder
from quadrat.photos.cleaning.settings import cleaning_of
from quadrat.photos.curriculum import fractal_stages, quantile_stages
from quadrat.photos.curriculum.photos import dimensions
from quadrat.photos.samples.loading import Samples
from quadrat.photos.sampling.weights import weights_by_class, weights_by_target
from quadrat.photos.schema import PhotosExperiment


def sample_order(experiment: PhotosExperiment, samples: Samples) -> SampleOrder | None:
    """The order of ``[sampling]`` and ``[curriculum]``; None for a plain shuffle.

    Args:
        experiment: The experiment.
        samples: The training samples.

    Raises:
        DataError: A stage of the curriculum has no samples, or a photo cannot be read.
    """
    weights, stages = _weights(experiment, samples), _stages(experiment, samples)
    if weights is None and stages is None:
        return None
    return SampleOrder(
        None if weights is None else torch.from_numpy(weights),
        None if stages is None else torch.from_numpy(stages),
        experiment.optimiser.epochs,
    )


def _weights(experiment: PhotosExperiment, samples: Samples) -> NDArray[np.float64] | None:
    section = experiment.sampling
    if section.kind == "shuffle" or section.column is None:
        return None
    if section.kind == "target":
        return weights_by_target(_target(experiment, samples, section.column), section.power)
    values = samples.column(section.column).tolist()
    known = [None if value is None or value != value else str(value) for value in values]
    return weights_by_class(known, section.power)


def _stages(experiment: PhotosExperiment, samples: Samples) -> NDArray[np.int64] | None:
    section = experiment.curriculum
    if section.kind == "none" or section.target is None:
        return None
    target = _target(experiment, samples, section.target)
    if section.kind == "target":
        return quantile_stages(target, section.stages, what=section.target)
    intricate = dimensions(
        samples, clean=cleaning_of(experiment.clean), workers=experiment.run.workers
    )
    return fractal_stages(intricate, target, section.stages, name=section.target)


def _target(experiment: PhotosExperiment, samples: Samples, name: str) -> NDArray[np.float64]:
    column: NDArray[np.float64] = samples.targets[:, experiment.data.targets.index(name)]
    return column
