"""Depth networks come from names, folders and files, whole or not at all."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from quadrat.errors import DataError, MissingExtraError
from quadrat.photos.depth.architectures import TINY, architecture, known_names
from quadrat.photos.depth.model import DepthModel, load_depth_model

pytest.importorskip("transformers")

SMALL = "depth-anything/Depth-Anything-V2-Small-hf"
METRIC = "depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf"


@pytest.fixture(scope="module")
def tiny() -> DepthModel:
    return load_depth_model(TINY, "none", seed=3)


@pytest.fixture(scope="module")
def folder(tiny: DepthModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("depth") / "model"
    tiny.save(path)
    return path


def said(model: DepthModel) -> torch.Tensor:
    photo = torch.linspace(-1, 1, 3 * 28 * 56).reshape(1, 3, 28, 56).sin()
    with torch.inference_mode():
        return model(photo)


def test_a_map_has_the_sides_of_its_photo_and_is_not_flat(tiny: DepthModel):
    depth = said(tiny)
    assert depth.shape == (1, 28, 56)
    assert depth.std() > 0.01
    assert tiny.patch == 14
    assert not tiny.metric


def test_random_weights_go_by_the_seed_and_leave_the_global_one(tiny: DepthModel):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    again, other = load_depth_model(TINY, "none", seed=3), load_depth_model(TINY, "none", seed=4)
    assert torch.equal(torch.rand(3), expected)
    assert again.fingerprint() == tiny.fingerprint() != other.fingerprint()


def test_it_never_learns_and_stays_in_evaluation_mode(tiny: DepthModel):
    tiny.train()
    assert not any(module.training for module in tiny.modules())
    assert not any(parameter.requires_grad for parameter in tiny.parameters())


def test_a_saved_network_is_the_same(tiny: DepthModel, folder: Path):
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["model"]
    for place in (folder, folder / "model.safetensors"):
        loaded = load_depth_model(SMALL, str(place))
        assert loaded.fingerprint() == tiny.fingerprint()
        assert torch.equal(said(loaded), said(tiny))


def test_a_lone_file_is_of_the_network_that_is_named(
    tiny: DepthModel, folder: Path, tmp_path: Path
):
    state = load_file(folder / "model.safetensors")
    save_file(state, tmp_path / "w.safetensors")
    loaded = load_depth_model(TINY, str(tmp_path / "w.safetensors"))
    assert torch.equal(said(loaded), said(tiny))


@pytest.mark.parametrize(
    ("name", "weights", "metric"),
    [(SMALL, 24_785_089, False), (METRIC, 24_785_089, True)],
)
def test_a_known_name_gives_the_network_of_the_paper(name: str, weights: int, metric: bool):
    with torch.device("meta"):
        import transformers

        network = transformers.DepthAnythingForDepthEstimation(architecture(name))
    assert sum(p.numel() for p in network.parameters()) == weights
    assert DepthModel(network).metric == metric


def test_all_names_can_be_built():
    configs = {name: architecture(name) for name in known_names()}
    widths = {name: config.reassemble_hidden_size for name, config in configs.items()}
    assert len(widths) == 10
    assert widths["depth-anything/Depth-Anything-V2-Metric-Outdoor-Large-hf"] == 1024
    outdoor = configs["depth-anything/Depth-Anything-V2-Metric-Outdoor-Base-hf"]
    assert (outdoor.depth_estimation_type, outdoor.max_depth) == ("metric", 80)


def test_metres_reach_as_far_as_the_configuration_says(folder: Path, tmp_path: Path):
    config = json.loads((folder / "config.json").read_text())
    config |= {"depth_estimation_type": "metric", "max_depth": 20}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    model = load_depth_model(SMALL, str(tmp_path))
    assert model.metric
    assert model.fingerprint() != load_depth_model(SMALL, str(folder)).fingerprint()
    assert 0.0 <= float(said(model).min()) < float(said(model).max()) <= 20.0


def test_what_cannot_be_loaded_says_why(folder: Path, tmp_path: Path):
    with pytest.raises(
        DataError, match=r"Did you mean 'depth-anything/Depth-Anything-V2-Small-hf'"
    ):
        load_depth_model("depth-anything/Depth-Anything-V2-Smal-hf", "none")
    with pytest.raises(DataError, match="has no trained weights"):
        load_depth_model(TINY, "hub")
    with pytest.raises(DataError, match=r"has no config\.json"):
        load_depth_model(TINY, str(tmp_path))
    with pytest.raises(DataError, match="does not exist"):
        load_depth_model(TINY, str(tmp_path / "nothing.safetensors"))
    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(DataError, match="no safetensors file"):
        load_depth_model(TINY, str(tmp_path / "text.safetensors"))
    (tmp_path / "config.json").write_text('{"model_type": "dinov2"}')
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(DataError, match="of the kind 'dinov2', not depth_anything"):
        load_depth_model(TINY, str(tmp_path))


def test_weights_of_another_network_are_named(folder: Path, tmp_path: Path):
    state = load_file(folder / "model.safetensors")
    state["backbone.embeddings.cls_token"] = torch.zeros(3)
    state["head.conv9.bias"] = state.pop("head.conv3.bias")
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(DataError) as caught:
        load_depth_model(TINY, str(tmp_path / "w.safetensors"))
    assert caught.value.problems == (
        "missing: head.conv3.bias",
        "unexpected: head.conv9.bias",
        "of another shape: backbone.embeddings.cls_token",
    )


def test_without_a_connection_the_hub_is_an_error(monkeypatch: pytest.MonkeyPatch):
    import huggingface_hub

    def fails(name: str, file: str) -> str:
        raise ConnectionError(f"no way to {name}/{file}")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fails)
    with pytest.raises(DataError, match=f"{SMALL} cannot be had from the hub: no way"):
        load_depth_model(SMALL)


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"quadrat\[depth\]"):
        load_depth_model(TINY, "none")
