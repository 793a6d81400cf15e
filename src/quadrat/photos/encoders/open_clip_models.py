"""Image towers of OpenCLIP as encoders: ``encoder.name = 'open_clip:MODEL'``.

A tower is built as timm's network of the same kind, from OpenCLIP's own configuration of the
model, and its weights are renamed. So everything that other networks can do (blocks, tokens,
layers, any size) holds for towers too, and OpenCLIP itself, which is slow to import, need not run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import timm
import timm.models as timm_models
from torch import Tensor, nn

from quadrat._extras import folder_of
from quadrat.errors import DataError, UsageError, closest
from quadrat.photos.encoders.base import encoders, reason
from quadrat.photos.encoders.timm_encoder import TimmEncoder
from quadrat.photos.encoders.timm_models import Normalisation, mismatches, preprocessings
from quadrat.photos.encoders.weights import read_tensors
from quadrat.photos.schema import CleanSection, EncoderSection, ViewsSection

CONFIG = "open_clip_config.json"
"""Name of the file that describes a model, on the hub and beside weights."""

_HUB = "hf-hub:"
_HUB_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_CLIP = Normalisation((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_HALF = Normalisation((0.5,) * 3, (0.5,) * 3)
_IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "bilinear")
# Models by a part of their name whose photos are not normalised as those of CLIP; OpenCLIP keeps
# this with its weights, and not with the configuration of a model.
_OTHERS = {"siglip": _HALF, "pe-core": _HALF, "clipa": _IMAGENET}
# Parts that timm's vision transformer does not have.
_PLAIN = {
    "attentional_pool": False,
    "pos_embed_type": "learnable",
    "block_type": None,
    "qk_norm": False,
    "scaled_cosine_attn": False,
    "scale_heads": False,
    "scale_attn_inner": False,
    "scale_attn": False,
    "scale_fc": False,
    "act_kwargs": None,
}
_RENAMED = (
    ("class_embedding", "cls_token"),
    ("positional_embedding", "pos_embed"),
    ("conv1.", "patch_embed.proj."),
    ("transformer.resblocks.", "blocks."),
    ("ln_pre.", "norm_pre."),
    (".ln_1.", ".norm1."),
    (".ln_2.", ".norm2."),
    (".in_proj_", ".qkv."),
    (".out_proj.", ".proj."),
    (".c_fc.", ".fc1."),
    (".c_proj.", ".fc2."),
    (".ls_1.", ".ls1."),
    (".ls_2.", ".ls2."),
)


@dataclass(frozen=True)
class Tower:
    """What a model's configuration says of its image tower.

    Attributes:
        name: As the experiment names it.
        config: ``model_cfg``, and ``preprocess_cfg`` where it is known.
    """

    name: str
    config: Mapping[str, Any]

    @property
    def vision(self) -> Mapping[str, Any]:
        """The part about the image tower."""
        vision: Mapping[str, Any] = self.config["model_cfg"]["vision_cfg"]
        return vision

    @property
    def width(self) -> int:
        """Length of a vector after the projection."""
        return int(self.config["model_cfg"]["embed_dim"])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that it was trained with."""
        size = self.vision.get("image_size", 224)
        return (size, size) if isinstance(size, int) else (size[0], size[1])

    @property
    def normalisation(self) -> Normalisation:
        """How its photos are normalised."""
        told = self.config.get("preprocess_cfg")
        if told:
            mean, std = (tuple(told.get(k, getattr(_CLIP, k))) for k in ("mean", "std"))
            return Normalisation(mean, std, told.get("interpolation", "bicubic"))
        name = self.name.lower()
        return next((value for part, value in _OTHERS.items() if part in name), _CLIP)

    def identity(self) -> str:
        """All that decides what network it is."""
        kept = {"vision": self.vision, "width": self.width, "quick": self._quick}
        return json.dumps(kept, sort_keys=True)

    @property
    def _quick(self) -> bool:
        return bool(self.config["model_cfg"].get("quick_gelu", False))

    def build(self) -> nn.Module:
        """The network, with random weights.

        Raises:
            UsageError: Its tower has parts that quadrat does not know.
        """
        if self.vision.get("timm_model_name"):
            return self._of_timm()
        odd = [key for key, usual in _PLAIN.items() if self.vision.get(key, usual) != usual]
        if not isinstance(self.vision.get("layers", 12), int):
            odd.append("layers")
        if odd:
            raise self._unknown(odd[0])
        return self._transformer()

    def _transformer(self) -> nn.Module:
        vision = self.vision
        width, late = vision.get("width", 768), vision.get("final_ln_after_pool", False)
        towers: Any = timm_models
        model: Any = towers.VisionTransformer(
            img_size=self.size,
            patch_size=vision.get("patch_size", 16),
            embed_dim=width,
            depth=vision.get("layers", 12),
            num_heads=width // vision.get("head_width", 64),
            mlp_ratio=vision.get("mlp_ratio", 4.0),
            init_values=vision.get("ls_init_value"),
            pre_norm=not vision.get("no_ln_pre", False),
            global_pool={"tok": "token", "avg": "avg"}[vision.get("pool_type", "tok")],
            fc_norm=late,
            norm_layer=partial(nn.LayerNorm, **{"eps": 1e-5} | (vision.get("norm_kwargs") or {})),
            act_layer="quick_gelu" if self._quick else "gelu",
            num_classes=self.width,
            dynamic_img_size=True,
        )
        model.patch_embed.proj.register_parameter("bias", None)
        model.head = nn.Linear(width, self.width, bias=False)
        return model  # type: ignore[no-any-return]

    def _of_timm(self) -> nn.Module:
        vision = self.vision
        pool, projection = vision.get("timm_pool", "avg"), vision.get("timm_proj", "linear")
        if pool in ("abs_attn", "rot_attn"):
            raise self._unknown("timm_pool")
        if projection == "mlp":
            raise self._unknown("timm_proj")
        options: dict[str, Any] = {"num_classes": 0 if projection == "none" else self.width}
        if pool:
            options["global_pool"] = pool
        name = vision["timm_model_name"]
        model: Any
        try:
            model = timm.create_model(name, dynamic_img_size=True, **options)
        except TypeError:  # this network has no such option
            model = timm.create_model(name, **options)
        if projection == "linear":
            place = str(model.pretrained_cfg["classifier"])
            inputs, bias = model.get_submodule(place).in_features, vision.get("timm_proj_bias")
            model.set_submodule(place, nn.Linear(inputs, self.width, bias=bool(bias)))
        return model  # type: ignore[no-any-return]

    def _unknown(self, key: str) -> UsageError:
        return UsageError(
            f"encoder.name: the image tower of {self.name} has vision_cfg.{key} = "
            f"{self.vision.get(key)!r}, which quadrat does not know. Choose a ViT, or a tower of "
            "timm with a linear projection."
        )

    def renamed(self, state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
        """The weights of the tower under timm's names.

        Args:
            state: Of the whole model, or of the image tower alone.
            model: What `build` made.
        """
        own = {k.removeprefix("visual."): v for k, v in state.items() if k.startswith("visual.")}
        own = own or dict(state)
        if not self.vision.get("timm_model_name"):
            late = self.vision.get("final_ln_after_pool", False)
            return dict(_to_timm(k, v, "fc_norm." if late else "norm.") for k, v in own.items())
        traits: Any = model
        head = f"{traits.pretrained_cfg['classifier']}."
        return {
            name.replace("head.proj.", head).removeprefix("trunk.")
            if name.startswith("head.proj.")
            else name.removeprefix("trunk."): value
            for name, value in own.items()
        }


@encoders.register("open_clip", summary="an image tower of OpenCLIP")
def build(section: EncoderSection, views: ViewsSection, clean: CleanSection) -> TimmEncoder:
    """Makes an image tower.

    Its ``auto`` pooling ends with the model's projection; ``class`` and the others come before it.

    Raises:
        MissingExtraError: OpenCLIP is not installed, and a model is named by its configuration.
        UsageError: There is no such model, or the network cannot take the size.
        DataError: Its weights cannot be had, or do not fit.
    """
    tower = read_tower(section.name, section.weights)
    model = tower.build()
    if section.weights != "none":
        _load(model, tower, section)
    train, predict = preprocessings(
        model, tower.name, views, clean, own=tower.size, normalisation=tower.normalisation
    )
    return TimmEncoder(
        model,
        section,
        preprocessing=train,
        predict_preprocessing=predict,
        identity=("open_clip", tower.identity()),
        config=(CONFIG, tower.config),
    )


def read_tower(name: str, weights: str) -> Tower:
    """The configuration of a model.

    Args:
        name: ``open_clip:MODEL``, ``open_clip:hf-hub:ORGANISATION/NAME`` or the file of a
            configuration.
        weights: As ``encoder.weights``; the configuration of a model on the hub may lie beside
            a file of weights.

    Raises:
        MissingExtraError: OpenCLIP is not installed.
        UsageError: It has no such model.
        DataError: The configuration cannot be had.
    """
    model = name.partition(":")[2]
    if model.endswith(".json"):
        return Tower(name, _read(Path(model)))
    if model.startswith(_HUB):
        beside = Path(weights).parent / CONFIG
        if weights not in ("hub", "none") and beside.is_file():
            return Tower(name, _read(beside))
        return Tower(name, _read(_fetched(model.removeprefix(_HUB), CONFIG)))
    folder = folder_of("open_clip", extra="clip", purpose=f"encoder.name = '{name}'")
    configs = {path.stem: path for path in (folder / "model_configs").glob("*.json")}
    if model not in configs:
        raise UsageError(f"encoder.name: OpenCLIP has no model '{model}'.{closest(model, configs)}")
    return Tower(name, {"model_cfg": _read(configs[model])})


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"encoder.name: {path} cannot be read: {reason(error)}.") from error
    return content


def _fetched(repository: str, *files: str) -> Path:
    """The first of some files that a repository of the hub has.

    Raises:
        DataError: None can be had.
    """
    from huggingface_hub import hf_hub_download

    for file in files:
        try:
            return Path(hf_hub_download(repository, file))
        except (OSError, ValueError, RuntimeError) as error:
            why = error
    raise DataError(
        f"{files[-1]} of {repository} cannot be had from the hub: {reason(why)}.",
        fix=f"check name and connection; or, with none, put {CONFIG} and the weights into one "
        "folder and set encoder.weights = 'FILE', or name the model's architecture, such as "
        "encoder.name = 'open_clip:ViT-L-14'.",
    )


def _load(model: nn.Module, tower: Tower, section: EncoderSection) -> None:
    if section.weights == "hub":
        path = _fetched(section.name.partition(_HUB)[2], *_HUB_WEIGHTS)
    else:
        path = Path(section.weights)
    try:
        model.load_state_dict(tower.renamed(read_tensors(path), model))
    except RuntimeError as error:
        raise DataError(
            f"encoder.weights: {path} does not hold the weights of {section.name}.",
            mismatches(error),
            fix="name the model that the file was saved from in encoder.name.",
        ) from error


def _to_timm(name: str, value: Tensor, last: str) -> tuple[str, Tensor]:
    """A weight of OpenCLIP's vision transformer under timm's name, in timm's shape."""
    if name == "proj":
        return "head.weight", value.T.contiguous()
    if name == "class_embedding":
        value = value[None, None]
    elif name == "positional_embedding":
        value = value[None]
    name = name.replace("ln_post.", last)
    for theirs, ours in _RENAMED:
        name = name.replace(theirs, ours)
    return name, value
