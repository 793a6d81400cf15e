"""What the keys of fusion, head and loss demand of each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from quadrat.errors import ExperimentError, closest

if TYPE_CHECKING:
    from quadrat.experiment import Section
    from quadrat.photos.schema import PhotosExperiment
    from quadrat.photos.schema.learning import LossSection
    from quadrat.photos.schema.network import FusionSection
    from quadrat.photos.schema.rules import Problem

AMOUNTS = ("density", "parts", "ratio")
"""Kinds of heads that say amounts, in the targets' units, and derive the totals."""

HEADED = ("perceiver", "cross-attention")
"""Kinds of fusions with heads of attention."""

TOKEN_FUSIONS = ("perceiver", "cross-attention", "gated-conv", "state-space")
"""Kinds of fusions that look at the places of views."""

LOSSES_OF: dict[str, tuple[str, ...]] = {
    "point": ("mse", "mae", "huber", "focal", "tweedie"),
    "gaussian": ("nll", "crps"),
    "lognormal": ("nll", "crps"),
    "quantile": ("quantile",),
}
"""Distribution → the losses that train it; the first is its own."""


def changed(section: Section, *keys: str) -> list[str]:
    """Those of some keys that have another value than their default."""
    fields = type(section).model_fields
    return [key for key in keys if getattr(section, key) != fields[key].default]


def network_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    """What fusion, head and loss demand of each other and of the rest."""
    yield from _loss_and_head(experiment)
    yield from _fusion_and_metadata(experiment)
    yield from _token_problems(experiment)
    yield from _head_problems(experiment)


def loss_problems(loss: LossSection) -> Iterator[Problem]:
    """Keys that a kind of loss has no use for."""
    takers = {"beta": ("huber", "focal"), "gamma": ("focal",), "power": ("tweedie",)}
    for key in changed(loss, *takers):
        if loss.kind not in takers[key]:
            listed = " and ".join(f"'{kind}'" for kind in takers[key])
            yield (key,), f"only {listed} take it; leave it out"
    levels = loss.quantiles
    if sorted(set(levels)) != list(levels) or 0.0 in levels:
        yield ("quantiles",), "levels must ascend, between 0 and 1"
    missing = [level for level in (0.05, 0.5, 0.95) if level not in levels]
    if missing:
        yield ("quantiles",), f"{', '.join(map(str, missing))} must be among the levels"


def fusion_problems(fusion: FusionSection) -> Iterator[Problem]:
    """Keys that a kind of fusion has no use for, and widths that heads cannot share."""
    takers = {
        "gate": ("mlp",),
        "latents": ("perceiver",),
        "layers": TOKEN_FUSIONS,
        "heads": HEADED,
        "bidirectional": ("state-space",),
    }
    for key in changed(fusion, *takers):
        if fusion.kind not in takers[key]:
            yield (key,), f"fusion.kind = '{fusion.kind}' has no use for it; leave it out"
    rest = fusion.hidden % fusion.heads
    if rest and fusion.kind in HEADED:
        below, above = fusion.hidden - rest, fusion.hidden - rest + fusion.heads
        near = f"{below} and {above}" if below else f"{above}"
        yield (
            ("hidden",),
            f"{fusion.hidden} cannot be shared by fusion.heads = {fusion.heads}; use a multiple, "
            f"such as {near}",
        )


def needs_tokens(fusion: object, head: object) -> bool:
    """Whether kinds of fusion and head look at the places of views."""
    return fusion in TOKEN_FUSIONS or head == "density"


def _fusion_and_metadata(experiment: PhotosExperiment) -> Iterator[Problem]:
    fusion, data = experiment.fusion, experiment.data
    if not data.numeric and not data.categorical:
        hint = "name columns in data.numeric or data.categorical"
        if fusion.kind == "film":
            yield ("fusion", "kind"), f"'film' lets metadata change what photos say; {hint}"
        if fusion.gate:
            yield ("fusion", "gate"), f"there are no metadata to weigh; {hint}"


def _token_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    fusion, head = experiment.fusion, experiment.head
    if not needs_tokens(fusion.kind, head.kind):
        return
    section, kind = ("head", head.kind) if head.kind == "density" else ("fusion", fusion.kind)
    if experiment.encoder.precomputed:
        yield (section, "kind"), f"'{kind}' looks at places; features computed elsewhere have none"
    elif not experiment.encoder.tokens:
        yield ("encoder", "tokens"), f"{section}.kind = '{kind}' looks at places; leave it out"
    if experiment.depth is not None:
        yield (
            ("depth",),
            f"maps join the vectors of views, and {section}.kind = '{kind}' looks at places alone",
        )


def _density_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    views, augment, fusion = experiment.views, experiment.augment, experiment.fusion
    if views.kind == "crops":
        yield ("views", "kind"), "'density' adds up views, and crops show places twice; use 'tiles'"
    if views.fit == "pad":
        yield (
            ("views", "fit"),
            "'density' adds up places, and a border's would count as photo; use 'squash', which "
            "keeps shares of the area",
        )
    if views.predict_size not in (None, views.size):
        yield ("views", "predict_size"), "'density' adds up places; their number must not change"
    if experiment.tta.sizes or experiment.tta.kind == "crops":
        yield ("tta",), "'density' adds up places; their number must not change, so use 'flips'"
    if augment.view_dropout > 0.0:
        yield ("augment", "view_dropout"), "'density' adds up all views; leave it out"
    if augment.mixup > 0.0 and augment.mixup_of == "vectors":
        yield ("augment", "mixup_of"), "'density' looks at places, not at vectors; use 'views'"
    unused = experiment.head.distribution == "point" and not experiment.head.bins
    if unused and changed(fusion, "kind", "gate"):
        yield (
            ("fusion", "kind"),
            "'density' takes a spread from the fusion, and 'point' has none; leave it out",
        )


def _loss_and_head(experiment: PhotosExperiment) -> Iterator[Problem]:
    loss, head = experiment.loss, experiment.head
    kind = LOSSES_OF[head.distribution][0] if loss.kind == "auto" else loss.kind
    if kind not in LOSSES_OF[head.distribution]:
        yield ("loss", "kind"), _other_distribution(kind, head.distribution)
    if changed(loss, "quantiles") and kind != "quantile":
        yield ("loss", "quantiles"), "only head.distribution = 'quantile' has them; leave it out"
    if loss.weighting == "uncertainty" and kind == "nll":
        yield (
            ("loss", "weighting"),
            "a likelihood weighs its targets by itself, and may be negative; use 'fixed', or "
            "loss.kind = 'crps'",
        )
    if head.distribution == "lognormal" and loss.transform != "none":
        yield ("loss", "transform"), "'lognormal' has a scale of its own; leave it at 'none'"
    if kind == "tweedie" and head.kind not in AMOUNTS:
        kinds = ", ".join(f"'{name}'" for name in AMOUNTS)
        yield ("loss", "kind"), f"'tweedie' needs amounts above 0: a head.kind of {kinds}"
    if kind == "tweedie" and loss.transform != "none":
        yield ("loss", "transform"), "'tweedie' is about the amounts; leave it at 'none'"


def _head_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    head = experiment.head
    if head.kind in AMOUNTS and head.distribution not in ("point", "gaussian"):
        yield (
            ("head", "distribution"),
            f"head.kind = '{head.kind}' says amounts, with 'point' or 'gaussian'",
        )
    if head.kind == "density":
        yield from _density_problems(experiment)
    yield from _auxiliary_problems(experiment)
    if head.kind == "ratio" and not _one_total(experiment):
        yield (
            ("head", "kind"),
            "'ratio' divides one total among all other targets; name it in [[balance]], or use "
            "'parts'",
        )


def _auxiliary_problems(experiment: PhotosExperiment) -> Iterator[Problem]:
    head, data = experiment.head, experiment.data
    if head.bins == 1:
        yield ("head", "bins"), "one interval holds everything; use 2 or more, or 0 for none"
    if changed(head, "bins_weight") and not head.bins:
        yield ("head", "bins_weight"), "there are no intervals; set head.bins, or leave it out"
    if changed(head, "auxiliary_weight", "feed_back") and not head.auxiliary:
        key = changed(head, "auxiliary_weight", "feed_back")[0]
        yield ("head", key), "nothing is predicted beside; set head.auxiliary, or leave it out"
    columns = (*data.numeric, *data.categorical)
    for name in head.auxiliary:
        if name not in columns:
            hint = closest(name, columns)
            yield (
                ("head", "auxiliary"),
                f"'{name}' is neither in data.numeric nor in data.categorical.{hint}",
            )


def _one_total(experiment: PhotosExperiment) -> bool:
    """Whether a target is the sum of all that are no total."""
    from quadrat.runtime.balance import Balance, Identity  # numpy, which few files need

    identities = tuple(Identity(i.total, i.parts) for i in experiment.balance)
    try:
        summing = Balance(experiment.data.targets, identities).summing
    except ExperimentError:  # told already
        return True
    return bool((summing == 1.0).all(axis=1).any())


def _other_distribution(kind: str, distribution: str) -> str:
    """Why a loss does not train a distribution."""
    able = [name for name, losses in LOSSES_OF.items() if kind in losses]
    if distribution == "point":
        return f"'{kind}' needs head.distribution = " + " or ".join(f"'{name}'" for name in able)
    what = "quantiles" if distribution == "quantile" else "standard deviation"
    return f"'{kind}' trains no {what}; use 'auto', or set head.distribution = " + " or ".join(
        f"'{name}'" for name in able
    )
