"""A photos model as files: described in JSON, weights as safetensors, an encoder only once.

``model.json`` says what lies where, ``preprocessing.json`` everything that a client needs between
photo and number. What learns of an encoder is in each member's weights. Frozen weights are written
once, under their hash, so that a folder answers on its own wherever it is copied; only those that
are installed with quadrat are not written, and features computed elsewhere stay where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from quadrat.engine import Backend, current_progress
from quadrat.errors import RunError
from quadrat.experiment import load
from quadrat.photos.encoders import PhotoEncoder, PrecomputedEncoder, create_encoder
from quadrat.photos.features.source import FeatureSource
from quadrat.photos.learner import make_frozen_source
from quadrat.photos.member import Member
from quadrat.photos.network.spec import transform_of
from quadrat.photos.other_size import require_seen_at, seen_at
from quadrat.photos.predictions import LEVEL
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.schema import EncoderSection, PhotosExperiment
from quadrat.runs import FORMAT_VERSION, atomic_path, read_json, write_json, write_text

KIND = "photos-network"
REFIT = "refit/model.safetensors"
"""Weights of the member that learnt from all samples, where there is one."""


def weights_of(fold: int, place: int = 0) -> str:
    """Where the weights of a fold's member lie: of its first, or of another of its members."""
    name = f"model-{place + 1}" if place else "model"
    return f"folds/{fold}/{name}.safetensors"


def save_predictor(predictor: PhotosPredictor, folder: Path) -> None:
    """Writes a predictor: its experiment, description and weights."""
    folder.mkdir(parents=True, exist_ok=True)
    places = [weights_of(index) for index in range(len(predictor.members))]
    for member, place in zip(predictor.members, places, strict=True):
        member.save_weights(folder / place)
    write_text(folder / "experiment.toml", predictor.experiment.to_toml())
    describe_predictor(predictor, folder, places)


def describe_predictor(predictor: PhotosPredictor, folder: Path, places: Sequence[str]) -> None:
    """Writes what belongs to a predictor besides its experiment and its members' weights.

    Args:
        predictor: The predictor.
        folder: Where it lies.
        places: Where in it the weights of each member lie.
    """
    members = [member.to_json() for member in predictor.members]
    write_json(folder / "preprocessing.json", _preprocessing(predictor, members))
    model = {
        "format_version": FORMAT_VERSION,
        "kind": KIND,
        "targets": list(predictor.experiment.data.targets),
        "encoder": _save_encoder(predictor, folder),
        "depth": _save_depth(predictor, folder),
        "members": [
            {"weights": place, "network": member["network"]}
            for place, member in zip(places, members, strict=True)
        ],
    }
    write_json(folder / "model.json", model)


def load_predictor(
    folder: Path, device: str = "auto", *, predict_size: tuple[int, int] | None = None
) -> PhotosPredictor:
    """Reads what `save_predictor` wrote.

    Args:
        folder: The folder.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        predict_size: Height and width at which photos are seen, instead of its own. Then no
            distance to the training data is told, whose vectors are of the other size.

    Raises:
        RunError: The folder holds no photos model, or a damaged one.
        DataError: Its encoder cannot be had.
        UsageError: It cannot see photos at the size.
    """
    model, experiment = _described(folder)
    source = load_source(folder, device, predict_size=predict_size)
    described = read_json(folder / "preprocessing.json")["members"]
    members = []
    for place, rest in zip(model["members"], described, strict=True):
        values = {**rest, "network": place["network"]}
        member = Member.load(folder / place["weights"], values, source.encoder.rest())
        members.append(member if predict_size is None else replace(member, likeness=None))
    return PhotosPredictor(experiment, members, source)


def load_source(
    folder: Path, device: str = "auto", *, predict_size: tuple[int, int] | None = None
) -> FeatureSource:
    """What the frozen part of a saved model's encoder says of photos; as in `load_predictor`."""
    model, experiment = _described(folder)
    if predict_size is not None:
        experiment = seen_at(experiment, predict_size)
    encoder = _load_encoder(experiment, model["encoder"], folder)
    backend = Backend.create(device, "fp32")
    return make_frozen_source(_with_own_depth(experiment, model, folder), encoder, backend)


def own_size(folder: Path) -> tuple[int, int] | None:
    """Height and width at which a saved model sees photos; None where there is not one such."""
    image = read_json(folder / "preprocessing.json")["image"]
    if image is None or "sizes" in image:
        return None
    height, width = image["size"]
    return height, width


def require_size(folder: Path, size: tuple[int, int]) -> None:
    """Checks that a saved model can see photos at a size, without reading any weights.

    Raises:
        UsageError: It cannot; the message names the key of its experiment that says why.
    """
    model, experiment = _described(folder)
    section = _own_config(experiment.encoder, model["encoder"], folder)
    require_seen_at(experiment, size, section)


def _described(folder: Path) -> tuple[dict[str, Any], PhotosExperiment]:
    """``model.json`` and the experiment of a saved predictor."""
    model = read_json(folder / "model.json")
    if model.get("kind") != KIND:
        raise RunError(f"{folder} holds a model of the kind '{model.get('kind')}', not {KIND}.")
    if model["format_version"] > FORMAT_VERSION:
        raise RunError(
            f"{folder} has format version {model['format_version']}; this quadrat reads up to "
            f"{FORMAT_VERSION}. Install a newer quadrat."
        )
    experiment = load(folder / "experiment.toml")
    if not isinstance(experiment, PhotosExperiment):
        raise RunError(f"{folder} holds an experiment of the family '{experiment.family}'.")
    return model, experiment


def _preprocessing(predictor: PhotosPredictor, members: list[dict[str, Any]]) -> dict[str, Any]:
    """What a client must do with photos and metadata, and with what comes out."""
    experiment, encoder = predictor.experiment, predictor.source.encoder
    image = None
    if not isinstance(encoder, PrecomputedEncoder):
        image = encoder.predict_preprocessing.to_json()
        if experiment.views.sizes:
            image["sizes"] = [list(size) for size in experiment.views.sides]
        image |= {"colours": "RGB", "values": "(pixel / 255 - mean) / std", "layout": "NCHW"}
    return {
        "format_version": FORMAT_VERSION,
        "image": image,
        "depth": _depth_words(predictor),
        "views": "each part of a photo answers alone, and the amounts are added up"
        if experiment.views.as_samples
        else "a sample's vector is the mean of those of its photos",
        "numeric": list(experiment.data.numeric),
        "categorical": list(experiment.data.categorical),
        "unknown": "numbers: 0 after standardising, and a flag 1; categories: position 0",
        "targets": list(experiment.data.targets),
        "distribution": experiment.head.distribution,
        "transform": transform_of(experiment),
        "level": LEVEL,
        "balance": predictor.balance.to_json(),
        "balance_method": experiment.balance_method.kind,
        "pooling": "the mean over members, each on its own scale",
        "members": [{k: v for k, v in m.items() if k != "network"} for m in members],
    }


def _save_encoder(predictor: PhotosPredictor, folder: Path) -> dict[str, Any]:
    section, encoder = predictor.experiment.encoder, predictor.source.encoder
    entry: dict[str, Any] = {"name": section.name, "trained": not encoder.holds}
    if encoder.config is not None:
        name, content = encoder.config
        entry["config"] = f"encoder/{name}"
        write_json(folder / entry["config"], content)
    if not encoder.holds:
        return entry
    fingerprint = encoder.fingerprint()
    entry["fingerprint"] = fingerprint
    weights = encoder.frozen_weights()
    if weights and section.weights != "bundled":
        entry["weights"] = f"encoder/{fingerprint[:32]}.safetensors"
        path = folder / entry["weights"]
        if not path.exists():
            state = {name: value.cpu().contiguous() for name, value in weights.items()}
            with atomic_path(path) as temporary:
                save_file(state, temporary)
    return entry


def _depth_words(predictor: PhotosPredictor) -> dict[str, Any] | None:
    source = predictor.source.depth
    if source is None:
        return None
    return {
        "seen": "whole and in its proportions, both sides multiples of the patch, with about as "
        "many pixels as a square of the side 'size'",
        "size": source.size,
        "patch": source.model.patch,
        "map": [source.map_size, source.map_size],
        "averaged": "each pixel of a map is the mean of those it covers",
        "unit": "m" if source.model.metric else "disparity without a unit",
        "values": "image: (value - lowest) / (highest - lowest) of the photo; otherwise "
        "(value - mean) / sd, as the members say",
    }


def _save_depth(predictor: PhotosPredictor, folder: Path) -> dict[str, Any] | None:
    section, source = predictor.experiment.depth, predictor.source.depth
    if section is None or source is None:
        return None
    weights = f"depth/{source.model.fingerprint()[:32]}"
    if not (folder / weights).exists():
        source.model.save(folder / weights)
    return {"model": section.model, "weights": weights}


def _with_own_depth(
    experiment: PhotosExperiment, model: dict[str, Any], folder: Path
) -> PhotosExperiment:
    """The experiment with the depth network that lies in the folder."""
    if experiment.depth is None:
        return experiment
    weights = str(folder / model["depth"]["weights"])
    depth = experiment.depth.model_copy(update={"weights": weights})
    return experiment.model_copy(update={"depth": depth})


def _load_encoder(
    experiment: PhotosExperiment, entry: dict[str, Any], folder: Path
) -> PhotoEncoder:
    section = _own_config(experiment.encoder, entry, folder)
    if entry["trained"] or "weights" in entry:  # those of the folder take the place of these
        section = section.model_copy(update={"weights": "none"})
    encoder = create_encoder(section, experiment.views, experiment.clean, seed=experiment.seed)
    if "weights" in entry:
        _load_frozen(encoder, folder / entry["weights"])
    if entry["trained"] or encoder.fingerprint() == entry["fingerprint"]:
        return encoder
    if isinstance(encoder, PrecomputedEncoder):
        current_progress().warn(
            f"{encoder.path} is not the matrix of the training any more; its features must come "
            "from the same encoder"
        )
        return encoder
    raise RunError(
        f"the encoder {entry['name']} has other weights than when {folder} was trained. "
        "Restore them, or train again."
    )


def _own_config(section: EncoderSection, entry: dict[str, Any], folder: Path) -> EncoderSection:
    """The section with the configuration that lies in the folder, where one does."""
    if "config" not in entry:
        return section
    prefix = section.name.partition(":")[0]
    return section.model_copy(update={"name": f"{prefix}:{folder / entry['config']}"})


def _load_frozen(encoder: PhotoEncoder, path: Path) -> None:
    try:
        encoder.load_frozen_weights(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise RunError(
            f"{path} does not hold the weights of the encoder: {str(error).splitlines()[0]} "
            "Restore it, or train again."
        ) from error
