"""Image towers of OpenCLIP: the same vectors as its own transformer, with and without a hub."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import safetensors.torch
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from quadrat.errors import DataError, MissingExtraError, UsageError
from quadrat.photos.encoders import TimmEncoder, create_encoder
from quadrat.photos.schema import EncoderSection, ViewsSection

VIT: dict[str, Any] = {"image_size": 32, "layers": 2, "width": 24, "head_width": 12}
VIT |= {"patch_size": 16}
HUB = "open_clip:hf-hub:museum/beetles"


def config(vision: Mapping[str, Any], **keys: Any) -> dict[str, Any]:
    return {"model_cfg": {"embed_dim": 20, "vision_cfg": {**VIT, **vision}, **keys}}


def weights_of_clip(vision: Mapping[str, Any]) -> dict[str, Tensor]:
    """Random weights under OpenCLIP's names."""
    generator = torch.Generator().manual_seed(2)
    shapes: dict[str, tuple[int, ...]] = {
        "proj": (24, 20),
        "class_embedding": (24,),
        "positional_embedding": (5, 24),
        "conv1.weight": (24, 3, 16, 16),
    }
    for norm in ("ln_post", *(() if vision.get("no_ln_pre") else ("ln_pre",))):
        shapes |= {f"{norm}.weight": (24,), f"{norm}.bias": (24,)}
    for block in range(2):
        for name, shape in {
            "ln_1": (24,),
            "ln_2": (24,),
            "attn.in_proj": (72, 24),
            "attn.out_proj": (24, 24),
            "mlp.c_fc": (96, 24),
            "mlp.c_proj": (24, 96),
        }.items():
            key = f"transformer.resblocks.{block}.{name}"
            weight, bias = (
                ("_weight", "_bias") if name.endswith("in_proj") else (".weight", ".bias")
            )
            shapes |= {key + weight: shape, key + bias: shape[:1]}
    return {k: 0.3 * torch.randn(s, generator=generator) for k, s in shapes.items()}


def tower(state: Mapping[str, Tensor], photos: Tensor, vision: Mapping[str, Any], quick: bool):
    """OpenCLIP's image tower, written out."""

    def norm(name: str, x: Tensor) -> Tensor:
        return functional.layer_norm(x, (24,), state[f"{name}.weight"], state[f"{name}.bias"])

    patches = functional.conv2d(photos, state["conv1.weight"], stride=16).flatten(2).mT
    first = state["class_embedding"].expand(len(photos), 1, 24)
    x = torch.cat([first, patches], dim=1) + state["positional_embedding"]
    x = x if vision.get("no_ln_pre") else norm("ln_pre", x)
    for block in range(2):
        key = f"transformer.resblocks.{block}"
        attention = nn.MultiheadAttention(24, 2, batch_first=True)
        attention.load_state_dict(
            {
                k.removeprefix(f"{key}.attn."): v
                for k, v in state.items()
                if k.startswith(f"{key}.attn.")
            }
        )
        y = norm(f"{key}.ln_1", x)
        x = x + attention(y, y, y)[0]
        y = norm(f"{key}.ln_2", x)
        y = functional.linear(y, state[f"{key}.mlp.c_fc.weight"], state[f"{key}.mlp.c_fc.bias"])
        y = y * torch.sigmoid(1.702 * y) if quick else functional.gelu(y)
        x = x + functional.linear(
            y, state[f"{key}.mlp.c_proj.weight"], state[f"{key}.mlp.c_proj.bias"]
        )
    if vision.get("final_ln_after_pool"):
        return norm("ln_post", x[:, 1:].mean(dim=1)) @ state["proj"]
    return norm("ln_post", x)[:, 0] @ state["proj"]


def saved(folder: Path, content: Mapping[str, Any], state: dict[str, Tensor]) -> Path:
    """A folder as models lie in on the hub; gives the file of weights."""
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    safetensors.torch.save_file(state, folder / "open_clip_model.safetensors")
    return folder / "open_clip_model.safetensors"


def create(name: str, size: Any = None, **keys: Any) -> TimmEncoder:
    encoder = create_encoder(EncoderSection(name=name, **keys), ViewsSection(size=size))
    assert isinstance(encoder, TimmEncoder)
    return encoder


def photos(size: int = 32) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("vision", "quick"),
    [
        ({}, False),
        ({}, True),
        ({"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True}, False),
    ],
)
def test_vectors_are_those_of_openclip(
    tmp_path: Path, no_hub: None, vision: dict[str, Any], quick: bool, whole: bool
):
    state = weights_of_clip(vision)
    kept = {f"visual.{k}": v for k, v in state.items()} if whole else state
    path = saved(tmp_path, config(vision, quick_gelu=quick), kept)
    encoder = create(HUB, weights=str(path))
    assert encoder.width == 20
    with torch.no_grad():
        expected = tower(state, photos(), vision, quick)
        torch.testing.assert_close(encoder(photos()).vectors, expected, rtol=1e-4, atol=1e-5)
    assert encoder.preprocessing.size == (32, 32)
    assert encoder.preprocessing.mean == pytest.approx((0.481, 0.458, 0.408), abs=1e-3)


def test_the_projection_is_left_out_by_choice_and_towers_have_blocks(tmp_path: Path, no_hub: None):
    path = saved(tmp_path, config({}), weights_of_clip({}))
    before = create(HUB, weights=str(path), pool="class")
    assert before.width == 24
    after = create(HUB, weights=str(path))
    torch.testing.assert_close(
        before(photos()).vectors @ weights_of_clip({})["proj"], after(photos()).vectors
    )
    learning = create(HUB, weights=str(path), train_last_blocks=1, tokens=True, size=(48, 64))
    vectors, tokens = learning(torch.randn(1, 3, 48, 64))
    assert vectors.shape == (1, 20)
    assert tokens is not None
    assert tokens.shape == (1, 3, 4, 24)
    assert "model.head.weight" in learning.rest().state_dict()


@pytest.mark.parametrize("projection", ["none", "linear"])
def test_towers_of_timm(tmp_path: Path, no_hub: None, projection: str):
    pool, name = ("map", "test_vit3") if projection == "none" else ("", "test_convnext")
    vision = {"timm_model_name": name, "timm_pool": pool, "timm_proj": projection}
    options = {"global_pool": pool} if pool else {}
    trunk = timm.create_model(name, num_classes=0, **options).eval()
    matrix = torch.randn(20, trunk.num_features)
    state = {f"visual.trunk.{k}": v for k, v in trunk.state_dict().items()}
    if projection == "linear":
        state["visual.head.proj.weight"] = matrix
    told = config({**vision, "image_size": 160}) | {"preprocess_cfg": {"mean": [0.5] * 3}}
    encoder = create(HUB, weights=str(saved(tmp_path, told, state)))
    with torch.no_grad():
        expected = trunk(photos(160))
        expected = expected if projection == "none" else expected @ matrix.T
        torch.testing.assert_close(encoder(photos(160)).vectors, expected)
    assert encoder.preprocessing.mean == (0.5,) * 3


def test_models_come_from_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    saved(tmp_path, config({}), weights_of_clip({}))
    asked = []

    def fetch(repository: str, file: str) -> str:
        asked.append((repository, file))
        return str(tmp_path / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    assert create(HUB).width == 20
    assert asked == [
        ("museum/beetles", "open_clip_config.json"),
        ("museum/beetles", "open_clip_model.safetensors"),
    ]


def test_a_hub_that_cannot_be_reached_says_what_to_do(tmp_path: Path, no_hub: None):
    for keys in ({}, {"weights": str(tmp_path / "w.safetensors")}):
        with pytest.raises(DataError, match="no route to host") as caught:
            create(HUB, **keys)
        assert "put open_clip_config.json and the weights into one folder" in caught.value.fix


def test_architectures_are_those_of_the_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "open_clip"
    (folder / "model_configs").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('it is not imported')")
    content = json.dumps(config({})["model_cfg"])
    for name in ("ViT-S-16", "ViT-S-16-SigLIP"):
        (folder / "model_configs" / f"{name}.json").write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert create("open_clip:ViT-S-16", weights="none").width == 20
    siglip = create("open_clip:ViT-S-16-SigLIP", weights="none")
    assert siglip.preprocessing.mean == (0.5,) * 3
    with pytest.raises(UsageError, match=r"no model 'ViT-S-61'\. Did you mean 'ViT-S-16'"):
        create("open_clip:ViT-S-61", weights="none")
    safetensors.torch.save_file({"conv1.weight": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(DataError, match="does not hold the weights of open_clip:ViT-S-16") as told:
        create("open_clip:ViT-S-16", weights=str(tmp_path / "other.safetensors"))
    assert "Missing key(s)" in told.value.problems[0]


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'quadrat\[clip\]'"):
        create("open_clip:ViT-B-32", weights="none")


def test_towers_with_other_parts_are_refused(tmp_path: Path):
    for vision, key in (
        ({"attentional_pool": True}, "attentional_pool"),
        ({"layers": [3, 4, 6, 3]}, "layers"),
        ({"timm_model_name": "resnet18", "timm_pool": "rot_attn"}, "timm_pool"),
        ({"timm_model_name": "resnet18", "timm_proj": "mlp"}, "timm_proj"),
    ):
        path = tmp_path / "open_clip_config.json"
        path.write_text(json.dumps(config(vision)))
        with pytest.raises(UsageError, match=f"vision_cfg.{key} = .* does not know"):
            create(f"open_clip:{path}", weights="none")
