"""Any network of timm as an encoder: ``encoder.name = 'timm:MODEL'``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import timm
from timm import data as timm_data
from torch import nn

from quadrat.errors import DataError, UsageError, closest
from quadrat.photos.cleaning.settings import cleaning_of
from quadrat.photos.encoders.base import encoders, reason
from quadrat.photos.encoders.timm_encoder import TimmEncoder
from quadrat.photos.encoders.weights import bundled_weights, read_weights
from quadrat.photos.schema import CleanSection, EncoderSection, Size, ViewsSection, sides_of
from quadrat.runtime.images import ImagePreprocessing

_TIMM_DATA: Any = timm_data  # its functions have no types
# What timm raises where weights cannot be fetched, converted or loaded.
_FAILURES = (OSError, RuntimeError, KeyError, IndexError, ValueError, AttributeError)
_KEYS_SHOWN = 6
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")


@encoders.register("timm", summary="any network of timm by its name")
def build(section: EncoderSection, views: ViewsSection, clean: CleanSection) -> TimmEncoder:
    """Makes a network of timm.

    Raises:
        UsageError: timm has no such network, or the network cannot take the size.
        DataError: Its weights cannot be had, or do not fit.
    """
    name = section.name.partition(":")[2]
    _known(name)
    model, fixed = _create(name, section.weights, views.size)
    config = _TIMM_DATA.resolve_model_data_config(model)
    own = tuple(config["input_size"][1:])
    normalisation = Normalisation(
        tuple(config["mean"]), tuple(config["std"]), config["interpolation"]
    )
    train, predict = preprocessings(
        model, section.name, views, clean, own=own, normalisation=normalisation, fixed=fixed
    )
    return TimmEncoder(
        model,
        section,
        preprocessing=train,
        predict_preprocessing=predict,
        identity=("timm", name),
    )


class Normalisation(NamedTuple):
    """How a network was shown photos.

    Attributes:
        mean: Of the colours, between 0 and 1.
        std: Their standard deviations.
        interpolation: How photos were resized.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bicubic"


def preprocessings(
    model: nn.Module,
    name: str,
    views: ViewsSection,
    clean: CleanSection,
    *,
    own: tuple[int, int],
    normalisation: Normalisation,
    fixed: tuple[int, int] | None = None,
) -> tuple[ImagePreprocessing, ImagePreprocessing]:
    """What photos go through: in training, and when they are predicted.

    Args:
        model: The network.
        name: Its name, for messages.
        views: Sizes and fit.
        clean: What is cleaned away before.
        own: The size that it was trained with.
        normalisation: How it was shown photos.
        fixed: The only size that it takes, if it takes but one.

    Raises:
        UsageError: The network cannot take the size.
    """
    size = sides_of(views.size) if views.size else _whole_patches(model, own)
    predict_size = sides_of(views.predict_size) if views.predict_size else size
    for key, wanted in (("views.size", size), ("views.predict_size", predict_size)):
        _fits(model, name, key, wanted, fixed)
    known = normalisation.interpolation in _INTERPOLATIONS
    common: dict[str, Any] = {
        "fit": views.fit,
        "mean": normalisation.mean,
        "std": normalisation.std,
        "interpolation": normalisation.interpolation if known else "bicubic",
        "clean": cleaning_of(clean),
    }
    return (
        ImagePreprocessing(size=size, **common),
        ImagePreprocessing(size=predict_size, **common),
    )


def _known(name: str) -> None:
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        hint = closest(architecture, timm.list_models())
        raise UsageError(f"encoder.name: timm has no model '{architecture}'.{hint}")
    tags = [n.partition(".")[2] for n in timm.list_models(f"{architecture}.*", pretrained=True)]
    if tag and tag not in tags:
        listed = ", ".join(tags) or "none"
        raise UsageError(
            f"encoder.name: timm has no weights '{tag}' of '{architecture}'.{closest(tag, tags)} "
            f"Known: {listed}."
        )


def _create(
    name: str, weights: str, wanted: Size | None
) -> tuple[nn.Module, tuple[int, int] | None]:
    """The network, and the only size it takes where it takes but one."""
    source: dict[str, Any] = {"pretrained": False}
    if weights == "hub":
        source = {"pretrained": True}
    elif weights not in ("none", "bundled"):
        state = read_weights(Path(weights))
        source = {
            "pretrained": True,
            "pretrained_cfg_overlay": {"state_dict": state, "num_classes": 0},
        }
    size = sides_of(wanted) if wanted else None
    trials: list[dict[str, Any]] = [{"dynamic_img_size": True}]
    trials += [{"img_size": size}] if size else []
    for trial in trials:
        try:
            model = _loaded(name, weights, source | trial)
        except TypeError:  # this network has no such option
            continue
        return model, trial.get("img_size")
    model = _loaded(name, weights, source)
    traits: Any = model
    config = traits.pretrained_cfg
    return model, tuple(config["input_size"][1:]) if config.get("fixed_input_size") else None


def _loaded(name: str, weights: str, options: dict[str, Any]) -> nn.Module:
    try:
        model: nn.Module = timm.create_model(name, num_classes=0, **options)
    except _FAILURES as error:
        if weights in ("none", "bundled"):
            raise
        if weights == "hub":
            raise _no_hub(name, error) from error
        raise DataError(
            f"encoder.weights: {weights} does not hold the weights of timm:{name}.",
            mismatches(error),
            fix="name the model that the file was saved from in encoder.name.",
        ) from error
    if weights == "bundled":
        model.load_state_dict(bundled_weights(model))
    traits: Any = model
    traits.pretrained_cfg.pop("state_dict", None)  # or the network would carry its weights twice
    return model


def _no_hub(name: str, error: Exception) -> DataError:
    return DataError(
        f"the weights of timm:{name} cannot be had from the hub: {reason(error)}",
        fix="check the connection; or, with none, fetch the file elsewhere and set "
        "encoder.weights = 'FILE', or use encoder.name = 'timm:tf_efficientnet_lite0' with "
        "encoder.weights = 'bundled'.",
    )


def mismatches(error: Exception) -> list[str]:
    """What torch says about a state dict, without its first line and with few keys of each kind."""
    lines = [line.strip().rstrip(".") for line in str(error).splitlines()]
    found = []
    for line in lines:
        kind, colon, rest = line.partition(": ")
        keys = rest.split(", ") if kind.endswith("key(s) in state_dict") else [rest]
        more = f" and {len(keys) - _KEYS_SHOWN} more" if len(keys) > _KEYS_SHOWN else ""
        if line and not line.startswith("Error(s) in loading"):
            found.append(kind + colon + ", ".join(keys[:_KEYS_SHOWN]) + more)
    return found


def _fits(
    model: nn.Module, name: str, key: str, size: tuple[int, int], fixed: tuple[int, int] | None
) -> None:
    if fixed is not None and size != fixed:
        raise UsageError(
            f"{key}: {name} takes {fixed[0]} by {fixed[1]} pixels only, not {size[0]} by "
            f"{size[1]}; leave it out, or choose another model."
        )
    steps = _patch(model)
    if steps is None:
        return
    if any(side % step for side, step in zip(size, steps, strict=True)):
        near = [max(1, round(side / step)) * step for side, step in zip(size, steps, strict=True)]
        raise UsageError(
            f"{key}: {name} cuts photos into patches of {steps[0]} by {steps[1]} pixels; use "
            f"multiples, such as {near}, not {list(size)}."
        )


def _patch(model: nn.Module) -> tuple[int, int] | None:
    """Height and width of the patches that a network cuts photos into, where they must fit."""
    embedding: Any = getattr(model, "patch_embed", None)
    patch = getattr(embedding, "patch_size", None)
    if patch is None or getattr(embedding, "dynamic_img_pad", False):
        return None
    return (patch[0], patch[1]) if isinstance(patch, tuple) else (patch, patch)


def _whole_patches(model: nn.Module, size: tuple[int, int]) -> tuple[int, int]:
    """A size without the rest that is not a whole patch, which networks leave unseen."""
    steps = _patch(model) or (1, 1)
    return size[0] // steps[0] * steps[0], size[1] // steps[1] * steps[1]
