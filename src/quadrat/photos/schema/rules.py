"""What the keys of one section demand of each other.

Each function gives the problems it finds as (key, message); `raise_problems` hands them to pydantic
so that every one is reported at its own key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from quadrat.photos.schema.network_rules import changed

if TYPE_CHECKING:
    from quadrat.photos.schema.data import DataSection
    from quadrat.photos.schema.encoder import EncoderSection
    from quadrat.photos.schema.order import CurriculumSection, SamplingSection
    from quadrat.photos.schema.split import SplitSection
    from quadrat.photos.schema.views import ViewsSection

BUNDLED = "timm:tf_efficientnet_lite0"
"""The encoder whose weights are installed with quadrat."""

Problem = tuple[tuple[str | int, ...], str]
"""A key, as the path to it, and what is wrong with it."""


def raise_problems(problems: Iterable[Problem]) -> None:
    """Raises all problems as one pydantic error.

    Raises:
        ValidationError: There are problems.
    """
    lines = [
        InitErrorDetails(
            type=PydanticCustomError("rule", "{message}", {"message": message}),
            loc=key,
            input=None,
        )
        for key, message in problems
    ]
    if lines:
        raise ValidationError.from_exception_data("rules", lines)


def data_problems(data: DataSection) -> Iterator[Problem]:
    """Columns with two roles."""
    if data.sample is not None and data.set_by:
        yield ("set_by",), "data.sample names the sample already; leave one of the two out"
    if (data.lat is None) != (data.lon is None):
        yield ("lat",), "latitude and longitude belong together; give data.lat and data.lon"
    if data.exif and data.date is None and data.lat is None:
        yield ("exif",), "name the columns to fill: data.date, or data.lat and data.lon"
    for key in ("targets", "numeric", "categorical"):
        for name in repeated(getattr(data, key)):
            yield (key,), f"'{name}' stands there twice"
    for name in data.targets:
        if name in data.numeric or name in data.categorical:
            yield ("targets",), f"'{name}' is metadata too; a target cannot be an input"
    for name in data.numeric:
        if name in data.categorical:
            yield ("numeric",), f"'{name}' is in data.categorical too; choose one"


def split_problems(split: SplitSection) -> Iterator[Problem]:
    """Keys that a kind of split needs, and keys that it has no use for."""
    kind = f"split.kind = '{split.kind}'"
    grouped = split.kind in ("group", "leave-group-out")
    drawn = split.kind in ("group", "random", "spatial-block")
    if grouped and not split.by:
        yield ("by",), f"{kind} needs the columns that name a group; set it to ['COLUMN', …]"
    if split.by and not grouped:
        yield ("by",), f"{kind} has no groups; leave it out or use split.kind = 'group'"
    if split.kind == "spatial-block" and split.block_km is None:
        yield ("block_km",), f"{kind} needs the side of a block in km"
    if split.block_km is not None and split.kind != "spatial-block":
        yield ("block_km",), f"{kind} has no blocks; leave it out"
    if split.kind == "column" and split.column is None:
        yield ("column",), f"{kind} needs the column that tells the fold"
    for key in ("column", "test"):
        if getattr(split, key) and split.kind != "column":
            yield (key,), f"{kind} has no use for it; leave it out or use split.kind = 'column'"
    if split.repeats > 1 and not drawn:
        yield ("repeats",), f"{kind} draws no folds; leave it at 1"
    if split.stratify is not None and not drawn:
        yield ("stratify",), f"{kind} draws no folds; leave it out"


def views_problems(views: ViewsSection) -> Iterator[Problem]:
    """Keys that a kind of views has no use for."""
    for key, kind in (("tiles", "tiles"), ("crops", "crops"), ("crop_side", "crops")):
        default = type(views).model_fields[key].default
        if getattr(views, key) != default and views.kind != kind:
            yield (key,), f"views.kind = '{views.kind}' has no {kind}; leave it out"
    if views.as_samples and views.kind not in ("halves", "tiles"):
        yield ("as_samples",), f"views.kind = '{views.kind}' has no parts that add up to the photo"
    if views.as_samples and views.extra:
        yield ("as_samples",), "photos of views.extra have no share of the targets; leave one out"
    sides = views.sides
    if not sides:
        return
    for key in ("size", "predict_size"):
        if getattr(views, key) is not None:
            yield (key,), "views.sizes says all sizes; leave it out"
    if len(set(sides)) < len(sides) or len(sides) == 1:
        yield ("sizes",), "give several different sizes, or views.size for one"
    if any(side[0] * sides[0][1] != side[1] * sides[0][0] for side in sides):
        yield ("sizes",), "sizes must have the same proportions, since a photo is resized to all"


def encoder_problems(encoder: EncoderSection) -> Iterator[Problem]:
    """What a name of an encoder allows."""
    prefix, colon, model = encoder.name.partition(":")
    if prefix not in ("timm", "open_clip", "precomputed") or not model:
        hint = "" if colon else f" Did you mean 'timm:{prefix}'?"
        yield ("name",), f"must be timm:MODEL, open_clip:MODEL or precomputed:FILE.npy.{hint}"
    if prefix == "open_clip" and encoder.weights == "hub" and not model.startswith("hf-hub:"):
        yield (
            ("weights",),
            f"'{model}' is an architecture; set it to a file, or name a model of the hub: "
            "encoder.name = 'open_clip:hf-hub:ORGANISATION/NAME'",
        )
    if encoder.precomputed:
        if encoder.train != "head":
            yield ("train",), "features computed elsewhere cannot be trained; set it to 'head'"
        if encoder.train_last_blocks is not None:
            yield (
                ("train_last_blocks",),
                "features computed elsewhere cannot be trained; leave it out",
            )
        if encoder.rows is None:
            yield (
                ("rows",),
                "say which photos the rows of the matrix are: a text file with one a line",
            )
        if encoder.weights != "none":
            yield ("weights",), "features computed elsewhere have no weights; leave it out"
        if encoder.pool != "auto":
            yield ("pool",), "features computed elsewhere are pooled already; leave it out"
        for key in ("layers", "tokens"):
            if getattr(encoder, key):
                yield (key,), "features computed elsewhere are vectors already; leave it out"
    elif encoder.rows is not None:
        yield ("rows",), "only encoder.name = 'precomputed:FILE.npy' has rows; leave it out"
    if encoder.weights == "bundled" and encoder.name != BUNDLED:
        yield ("weights",), f"only {BUNDLED} is bundled; use 'hub', 'none' or a file"
    if encoder.token_layers == "all" and not (encoder.tokens and len(encoder.layers) > 1):
        yield (
            ("token_layers",),
            "'all' joins the tokens of several encoder.layers, for a fusion or head that looks at "
            "places; leave it out",
        )
    yield from _learning_problems(encoder)
    if not encoder.pools:
        yield ("pool",), "name at least one pooling"
    for name in dict.fromkeys(repeated(encoder.pools)):
        yield ("pool",), f"'{name}' stands there twice"


def _learning_problems(encoder: EncoderSection) -> Iterator[Problem]:
    """Keys of an encoder that learns, and which of its blocks do."""
    if encoder.train == "all" and encoder.train_last_blocks is not None:
        yield ("train_last_blocks",), "encoder.train = 'all' trains all blocks; leave one out"
    if not encoder.learns:
        for key in changed(encoder, "layer_decay", "freeze_epochs", "checkpointing"):
            yield (
                (key,),
                "the encoder is frozen; leave it out, or set encoder.train_last_blocks or "
                "encoder.train = 'all'",
            )


def sampling_problems(sampling: SamplingSection) -> Iterator[Problem]:
    """What the kinds of sampling need."""
    kind = f"sampling.kind = '{sampling.kind}'"
    if sampling.kind != "shuffle" and sampling.column is None:
        yield ("column",), f"{kind} needs the column that says what is rare"
    if sampling.kind == "shuffle":
        for key in changed(sampling, "column", "power"):
            yield (key,), f"{kind} has no use for it; leave it out, or use 'class' or 'target'"


def curriculum_problems(curriculum: CurriculumSection) -> Iterator[Problem]:
    """What the kinds of curriculum need."""
    kind = f"curriculum.kind = '{curriculum.kind}'"
    if curriculum.kind != "none" and curriculum.target is None:
        yield ("target",), f"{kind} needs the target whose small values come first"
    if curriculum.kind == "none":
        for key in changed(curriculum, "target", "stages"):
            yield (key,), f"{kind} has no use for it; leave it out, or use 'fractal' or 'target'"


def repeated(names: tuple[str, ...]) -> Iterator[str]:
    """Names that stand there before."""
    return (name for place, name in enumerate(names) if name in names[:place])
