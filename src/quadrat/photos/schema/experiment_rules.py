"""What the sections of a photos experiment demand of each other; see `rules`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from quadrat.errors import ExperimentError, closest
from quadrat.photos.schema.network_rules import network_problems
from quadrat.photos.schema.rules import Problem, repeated

if TYPE_CHECKING:
    from quadrat.photos.schema import PhotosExperiment

_DECODED_ANEW = ("rotate", "crop", "colour", "hue", "scale_jitter", "simulate_stamps")
"""Keys of [augment] that vary photos which are decoded anew in every epoch."""


def experiment_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    """What sections demand of each other."""
    yield from _target_problems(experiment)
    yield from _column_problems(experiment)
    yield from _external_problems(experiment)
    yield from _extra_problems(experiment)
    yield from _apart_problems(experiment)
    yield from network_problems(experiment)
    yield from _order_problems(experiment)
    yield from _field_problems(experiment)
    yield from _augment_problems(experiment)
    yield from _freezing_problems(experiment)
    yield from _snapshot_problems(experiment)
    yield from _tta_problems(experiment)
    if experiment.encoder.precomputed:
        if experiment.augment.flips != "none":
            yield ("augment", "flips"), "features computed elsewhere cannot be mirrored; use 'none'"
        if experiment.views.size is not None or experiment.views.predict_size is not None:
            yield ("views", "size"), "features computed elsewhere have no size; leave it out"
        if experiment.views.kind != "whole":
            yield ("views", "kind"), "features computed elsewhere are of whole photos; leave it out"
        if experiment.views.sizes:
            yield ("views", "sizes"), "features computed elsewhere have no size; leave it out"
        if experiment.views.extra:
            yield ("views", "extra"), "features computed elsewhere read no photos; leave it out"
        for key in ("stamps", "bottom_crop"):
            if getattr(experiment.clean, key):
                yield ("clean", key), "features computed elsewhere read no photos; leave it out"


def _augment_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    """What photos that are kept cannot be varied by, and what sets cannot."""
    augment, data = experiment.augment, experiment.data
    default = type(augment).model_fields
    if experiment.encoder.keeps:
        asked = [key for key in _DECODED_ANEW if getattr(augment, key) != default[key].default]
        if augment.policy in ("randaugment", "strong"):
            asked.insert(0, "policy")
        for key in asked:
            yield (
                ("augment", key),
                "what a frozen encoder says of a photo is kept, and cannot be varied so; leave it "
                "out, or set encoder.cache = false",
            )
    if augment.crop_targets == "scale" and augment.crop == 1.0:
        yield ("augment", "crop_targets"), "nothing is cropped; set augment.crop, or leave it out"
    if augment.mixup_of != default["mixup_of"].default and augment.mixup == 0.0:
        yield ("augment", "mixup_of"), "nothing is mixed; set augment.mixup, or leave it out"
    if augment.mixup > 0.0 and augment.mixup_of == "views":
        if data.sample_columns:
            yield (
                ("augment", "mixup_of"),
                "sets of photos have no views to pair; use 'vectors'",
            )
        if augment.view_dropout > 0.0:
            yield ("augment", "mixup_of"), "views that drop out cannot be paired; use 'vectors'"
    views = experiment.views
    one = views.kind == "whole" and not data.sample_columns and not views.extra
    if augment.view_dropout > 0.0 and one:
        yield ("augment", "view_dropout"), "samples have one view, which always stays; leave it out"


def _freezing_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    epochs = experiment.optimiser.epochs
    if experiment.encoder.freeze_epochs >= epochs:
        yield (
            ("encoder", "freeze_epochs"),
            f"the encoder would not learn in any of the {epochs} epochs of optimiser.epochs",
        )


def _tta_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    """Looks that views or encoders cannot take."""
    tta, views = experiment.tta, experiment.views
    if experiment.encoder.precomputed and (tta.kind != "none" or tta.sizes):
        yield ("tta",), "features computed elsewhere are of one look; leave it out"
    if tta.sizes and views.sizes:
        yield ("tta", "sizes"), "every look is at all of views.sizes; leave it out"
    if tta.kind == "d4":
        sides = [views.size, views.predict_size, *views.sizes, *tta.sizes]
        if any(isinstance(size, tuple) and size[0] != size[1] for size in sides):
            yield ("tta", "kind"), "'d4' turns photos, which must be square for it; use 'flips'"
        if views.kind in ("halves", "tiles"):
            yield (
                ("tta", "kind"),
                f"'d4' turns photos, and views.kind = '{views.kind}' would cut them elsewhere; use "
                "'flips'",
            )
    if tta.kind == "crops" and experiment.augment.crop_targets == "scale":
        yield (
            ("tta", "kind"),
            "targets that shrink with a crop have no mean over crops; use 'flips'",
        )


def _target_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    from quadrat.runtime.balance import Balance, Identity  # numpy, which few files need

    targets = experiment.data.targets
    try:
        Balance(targets, tuple(Identity(i.total, i.parts) for i in experiment.balance))
    except ExperimentError as error:
        for problem in error.problems:
            yield ("balance",), problem.removeprefix("balance: ")
    named: list[Problem] = [(("score", "weights"), name) for name in experiment.score.weights]
    if isinstance(experiment.loss.weights, dict):
        named += [(("loss", "weights"), name) for name in experiment.loss.weights]
    for key, name in named:
        if name not in targets:
            yield key, f"'{name}' is not in data.targets.{closest(name, targets)}"
    for section, weights in (
        ("loss", experiment.loss.weights),
        ("score", experiment.score.weights),
    ):
        if isinstance(weights, dict) and weights and not any(weights.values()):
            yield (section, "weights"), "at least one target needs a weight above 0"


def _column_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    data, split = experiment.data, experiment.split
    for name in experiment.fusion.embedding:
        if name not in data.categorical:
            hint = closest(name, data.categorical)
            yield ("fusion", "embedding"), f"'{name}' is not in data.categorical.{hint}"
    for name in split.by:
        if name in data.targets:
            yield ("split", "by"), f"'{name}' is a target; groups come from other columns"
    if split.kind == "spatial-block" and data.lat is None:
        yield ("data", "lat"), "split.kind = 'spatial-block' needs data.lat and data.lon"


def _apart_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    """What cannot be where parts of photos are samples."""
    if not experiment.views.as_samples:
        return
    key = ("views", "as_samples")
    if experiment.data.sample_columns:
        yield key, "a sample is a set of photos, which have no known shares; leave it out"
    if experiment.head.distribution != "point":
        yield key, "how the errors of parts add up is not known; use head.distribution = 'point'"
    if experiment.depth is not None:
        yield key, "[depth] looks at whole photos; leave one out"
    if experiment.augment.view_dropout > 0.0:
        yield ("augment", "view_dropout"), "with views.as_samples a sample has one view"


def _extra_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    """Columns of photos that are something else too, and what cannot use photos beside others."""
    data, extra = experiment.data, experiment.views.extra
    others = (data.image, data.id, *data.targets, *data.numeric, *data.categorical)
    for name, column in extra.items():
        if column in others:
            yield ("views", "extra", name), f"the column '{column}' has another role already"
    if extra and experiment.head.kind == "density":
        yield ("views", "extra"), "'density' adds up amounts over views, and these show none"
    if extra and experiment.depth is not None:
        yield ("views", "extra"), "[depth] looks at photos, and not at what is beside them"


def _external_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    """Columns of other data sets that become what nothing uses, or one of several."""
    data = experiment.data
    for place, section in enumerate(experiment.external):
        for name in dict.fromkeys(repeated(tuple(section.columns.values()))):
            if name not in data.targets:
                yield (
                    ("external", place, "columns"),
                    f"several columns become '{name}', and only those of a target are added up",
                )
        for name in section.scale:
            if name not in (*data.targets, *data.numeric):
                hint = closest(name, (*data.targets, *data.numeric))
                yield (
                    ("external", place, "scale"),
                    f"'{name}' is neither in data.targets nor in data.numeric.{hint}",
                )
        if section.table == data.table:
            yield ("external", place, "table"), "this is data.table; held-out rows would be learnt"


def _snapshot_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    if experiment.average.snapshots and not experiment.split.inner:
        yield (
            ("average", "snapshots"),
            "states are chosen by their scores on inner rows, and split.inner = 0 keeps none",
        )
    if experiment.average.snapshots and experiment.run.refit:
        yield (
            ("run", "refit"),
            "a refit learns from all rows, so none are left to choose average.snapshots by; set "
            "one of them to 0 or false, or use average.swa",
        )


def _order_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    sampling, curriculum = experiment.sampling, experiment.curriculum
    targets = experiment.data.targets
    named = [(("curriculum", "target"), curriculum.target)]
    if sampling.kind == "target":
        named.append((("sampling", "column"), sampling.column))
    for key, name in named:
        if name is not None and name not in targets:
            yield key, f"'{name}' is not in data.targets.{closest(name, targets)}"
    if sampling.kind == "class" and sampling.column in targets:
        yield ("sampling", "column"), f"'{sampling.column}' is a target; use sampling.kind 'target'"
    if curriculum.kind == "none":
        return
    if curriculum.stages > experiment.optimiser.epochs:
        yield ("curriculum", "stages"), "the last stages would never open: there are fewer epochs"
    if curriculum.kind == "fractal" and experiment.encoder.precomputed:
        yield (
            ("curriculum", "kind"),
            "'fractal' looks at photos, and features computed elsewhere come without; use 'target'",
        )


def _field_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    field = experiment.field
    for name in field.targets:
        if name not in experiment.data.targets:
            hint = closest(name, experiment.data.targets)
            yield ("field", "targets"), f"'{name}' is not in data.targets.{hint}"
    for key in ("targets", "paddock"):
        if getattr(field, key) and field.quadrat_m is None:
            yield ("field", key), "needs field.quadrat_m = [WIDTH, HEIGHT], the sides in metres"
