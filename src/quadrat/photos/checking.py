"""What can be known of a photos experiment before any training."""

from __future__ import annotations

import time
from typing import NamedTuple

import torch

from quadrat.engine import Backend
from quadrat.errors import QuadratError
from quadrat.experiment import CheckReport
from quadrat.photos.depth.architectures import known_names
from quadrat.photos.depth.maps import make_depth_source
from quadrat.photos.encoders import PhotoEncoder, PrecomputedEncoder, create_encoder
from quadrat.photos.objective import require_primary
from quadrat.photos.preparation import Prepared, prepare
from quadrat.photos.samples.loading import load_samples
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.views.plan import MIRRORED, ViewPlan

_TIMED = 4
"""Photos that go through the encoder to tell how long all will take."""
_TRAINING_COST = 3.0
"""A step of training against a look at the same photos: forward, and twice that backward."""


def check(experiment: PhotosExperiment) -> CheckReport:
    """Reads tables and photos, makes the folds, and estimates what training will take.

    Weights are not downloaded for it: a network from the hub is timed with random ones.
    """
    try:
        require_primary(experiment)
        prepared = prepare(experiment, tell_cleaning=True)
        facts = _estimates(experiment, prepared)
    except QuadratError as error:
        return CheckReport(errors=[str(error)])
    report = prepared.report
    report.facts.update(facts)
    return report


def _estimates(experiment: PhotosExperiment, prepared: Prepared) -> dict[str, str]:
    section = experiment.encoder
    if section.weights == "hub":
        section = section.model_copy(update={"weights": "none"})
    views, clean, tta = experiment.views, experiment.clean, experiment.tta
    encoder = create_encoder(section, views, clean, tta, seed=experiment.seed)
    beside = 0 if prepared.external is None else len(prepared.external)
    photos = sum(len(views) for views in prepared.samples.paths) + beside
    if experiment.data.test is not None:
        test = load_samples(experiment, experiment.data.test, require_targets=False)
        photos += sum(len(views) for views in test.paths)
    backend = Backend.create(experiment.run.device, experiment.optimiser.precision)
    depth = _depth(experiment, photos, backend)
    if isinstance(encoder, PrecomputedEncoder):
        words = f"vectors of length {encoder.width}, computed elsewhere"
        return {"encoder": words, **depth}
    cost = _cost(encoder, backend, half=section.cache_precision == "fp16")
    weights = sum(p.numel() for p in encoder.parameters())
    learning = sum(p.numel() for p in encoder.tail.parameters())
    size = encoder.preprocessing.size
    looks = photos * len(MIRRORED[experiment.augment.flips])
    slots = ViewPlan.of(experiment.views).slots
    samples = sum(len(fold.train) + beside for fold in prepared.folds)
    steps = samples * experiment.optimiser.epochs
    duration = slots * (cost.stem * looks + cost.tail * (looks + _TRAINING_COST * steps))
    return {
        "encoder": f"{weights / 1e6:,.1f} M weights ({learning / 1e6:,.1f} M learn), "
        f"{size[0]} × {size[1]} pixels, vectors of length {encoder.width}",
        "photos to encode": f"{looks:,}, as far as the cache does not hold them",
        "feature cache": f"{1e-6 * looks * slots * cost.kept_bytes:,.1f} MB",
        "encoding": f"about {_duration(duration)} on {backend.device.type}, besides reading photos",
        **depth,
    }


def _depth(experiment: PhotosExperiment, photos: int, backend: Backend) -> dict[str, str]:
    section = experiment.depth
    if section is None:
        return {}
    words = f"{photos:,} maps of {section.map_size} × {section.map_size} pixels"
    if section.weights == "hub":
        if section.model not in known_names():
            return {"depth": f"{words}, by {section.model}, which is fetched in training"}
        section = section.model_copy(update={"weights": "none"})
    source = make_depth_source(experiment.model_copy(update={"depth": section}), backend.device)
    if source is None:
        return {}
    weights = sum(p.numel() for p in source.model.parameters())
    return {
        "depth": f"{words} ({2e-6 * photos * section.map_size**2:,.1f} MB) by a network of "
        f"{weights / 1e6:,.1f} M weights: about {_duration(photos * source.seconds_per_photo())} "
        f"on {backend.device.type}, as far as the cache does not hold them",
    }


class _Cost(NamedTuple):
    """What a view costs: seconds in stem and tail, and bytes that are kept of it."""

    stem: float
    tail: float
    kept_bytes: int


@torch.inference_mode()
def _cost(encoder: PhotoEncoder, backend: Backend, *, half: bool) -> _Cost:
    encoder.to(backend.device).eval()
    views = torch.zeros(_TIMED, 3, *encoder.preprocessing.size, device=backend.device)
    encoder(views[:1]).vectors.sum().item()  # the first pays for memory and threads
    began = time.perf_counter()
    held = encoder.hold(views)
    held[0].sum().item()  # .item() waits for the device
    between = time.perf_counter()
    encoder.tail(held).vectors.sum().item()
    ended = time.perf_counter()
    sizes = [part[0].numel() * (2 if half and part.ndim > 2 else 4) for part in held]
    kept = sum(sizes) if encoder.holds else 0
    return _Cost((between - began) / _TIMED, (ended - between) / _TIMED, kept)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
