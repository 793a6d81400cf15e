"""Networks of timm as encoders: sizes, pooling, weights from files and from the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
from timm.models.vision_transformer import checkpoint_filter_fn

from quadrat.errors import DataError, UsageError
from quadrat.photos.encoders import PhotoEncoder, create_encoder
from quadrat.photos.schema import CleanSection, EncoderSection, ViewsSection
from quadrat.runtime.cleaning.photos import Cleaning

CONFIG = {"mean": (0.5,) * 3, "std": (0.5,) * 3, "interpolation": "bicubic"}


def create(name: str = "test_vit", *, seed: int = 0, **keys: Any) -> PhotoEncoder:
    views = {key: keys.pop(key) for key in ("size", "predict_size", "fit") if key in keys}
    section = EncoderSection(name=f"timm:{name}", **({"weights": "none"} | keys))
    return create_encoder(section, ViewsSection(**views), seed=seed)


def views(encoder: PhotoEncoder, count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, *encoder.preprocessing.size, generator=generator)


@pytest.mark.parametrize("pool", ["auto", "mean", "max"])
@pytest.mark.parametrize(
    "name", ["test_vit", "test_efficientnet", "test_convnext", "mobilenetv3_small_050"]
)
def test_the_width_is_that_of_the_vectors(name: str, pool: str):
    encoder = create(name, pool=pool, size=64)
    assert encoder(views(encoder)).vectors.shape == (2, encoder.width)


def test_channels_last_networks_pool_over_space():
    encoder = create("swin_tiny_patch4_window7_224", pool="mean", size=(64, 96))
    maps = encoder.model.forward_features(views(encoder, 1))
    torch.testing.assert_close(encoder(views(encoder, 1)).vectors, maps.mean(dim=(1, 2)))


def test_pooling_takes_the_tokens_it_says():
    tokens = create(size=64).model.forward_features(views(create(size=64)))
    for pool, expected in (
        ("class", tokens[:, 0]),
        ("mean", tokens[:, 1:].mean(dim=1)),
        ("max", tokens[:, 1:].amax(dim=1)),
    ):
        encoder = create(pool=pool, size=64)
        torch.testing.assert_close(encoder(views(encoder)).vectors, expected)
    with pytest.raises(UsageError, match="no class token"):
        create("test_efficientnet", pool="class")


def test_size_and_normalisation_are_the_networks_own():
    own = create("test_vit").preprocessing
    assert (own.size, own.mean, own.std) == ((160, 160), (0.5,) * 3, (0.5,) * 3)
    encoder = create("test_vit", size=(32, 64), predict_size=96, fit="pad")
    assert encoder.preprocessing.size == (32, 64)
    assert encoder.preprocessing.fit == "pad"
    assert encoder.predict_preprocessing.size == (96, 96)
    assert encoder(torch.zeros(1, 3, 96, 96)).vectors.shape == (1, encoder.width)


def test_sizes_that_a_network_cannot_take_are_refused():
    with pytest.raises(UsageError, match=r"views.size.*16 by 16.*\[96, 48\]"):
        create("test_vit", size=(100, 50))
    with pytest.raises(UsageError, match=r"views.predict_size.*16 by 16"):
        create("test_vit", size=64, predict_size=100)
    with pytest.raises(UsageError, match=r"views.predict_size.*takes 64 by 64 pixels only"):
        create("beit_base_patch16_224", size=64, predict_size=96)


def test_positions_at_another_size_are_those_that_timm_resamples(saved: Path):
    path = saved / "plain.safetensors"
    encoder = create(weights=str(path), size=(96, 64), predict_size=(48, 112))
    state = safetensors.torch.load_file(path)
    for size in ((96, 64), (48, 112)):
        model = timm.create_model("test_vit", num_classes=7, img_size=size).eval()
        model.load_state_dict(checkpoint_filter_fn(state, model))
        photos = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            expected = model.forward_head(model.forward_features(photos), pre_logits=True)
            torch.testing.assert_close(encoder(photos).vectors, expected)


def test_last_blocks_take_another_size_in_prediction():
    for name in ("test_vit", "test_efficientnet", "eva02_tiny_patch14_224"):
        step = 14 if "patch14" in name else 16
        sizes = {"size": (4 * step, 2 * step), "predict_size": (3 * step, 5 * step)}
        encoder = create(name, train_last_blocks=1, tokens=True, **sizes)
        tail = encoder.rest().eval()
        for preprocessing in (encoder.preprocessing, encoder.predict_preprocessing):
            photos = torch.randn(2, 3, *preprocessing.size)
            with torch.no_grad():
                vectors, tokens = tail(encoder.hold(photos))
                torch.testing.assert_close(vectors, encoder.model.eval()(photos))
            assert tokens.shape[0] == 2


@pytest.mark.parametrize("learning", [{}, {"train_last_blocks": 2}, {"train": "all"}])
def test_tokens_of_all_layers_lie_side_by_side_at_the_places_of_the_last(learning: dict[str, Any]):
    name = "test_efficientnet"
    keys: dict[str, Any] = {"layers": (1, 2, -1), "tokens": True, "token_layers": "all", "size": 64}
    encoder = create(name, **keys, **learning)
    photos = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    model: Any = create(name, size=64).model.eval()
    said = []
    with torch.no_grad():
        tokens = encoder.eval()(photos).tokens
        state = model.bn1(model.conv_stem(photos))
        for block in model.blocks:
            state = block(state)
            said.append(state)
        said[-1] = model.bn2(model.conv_head(state))
    grid = said[-1].shape[2]
    by_hand = [
        torch.nn.functional.avg_pool2d(said[number], said[number].shape[2] // grid)
        for number in keys["layers"]
    ]
    assert tokens is not None
    torch.testing.assert_close(tokens, torch.cat(by_hand, dim=1).permute(0, 2, 3, 1))
    assert tokens.shape[3] == encoder.token_width
    assert encoder.fingerprint() != create(name, **keys | {"token_layers": "last"}).fingerprint()


def test_tokens_of_all_layers_of_a_transformer_leave_the_class_token_out():
    keys: dict[str, Any] = {"layers": (0, -1), "tokens": True, "token_layers": "all", "size": 64}
    encoder, plain = create(**keys), create(**keys | {"token_layers": "last"})
    photos = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        joined, last = encoder(photos).tokens, plain(photos).tokens
    assert joined is not None
    assert last is not None
    assert joined.shape == (2, 4, 4, 2 * last.shape[3])
    torch.testing.assert_close(joined[..., last.shape[3] :], last)


def test_a_size_of_its_own_that_is_no_whole_number_of_patches_is_cut(
    monkeypatch: pytest.MonkeyPatch,
):
    def smaller(name: str, **options: Any) -> Any:
        return make("vit_tiny_patch16_224", **options)

    make = timm.create_model
    monkeypatch.setattr(timm, "create_model", smaller)
    monkeypatch.setattr(
        timm.data, "resolve_model_data_config", lambda model: CONFIG | {"input_size": (3, 40, 72)}
    )
    assert create("vit_so400m_patch14_siglip_384").preprocessing.size == (32, 64)


def test_unknown_names_are_refused_with_the_closest():
    with pytest.raises(UsageError, match=r"no model 'resnet19'\. Did you mean 'resnet18'"):
        create("resnet19")
    with pytest.raises(UsageError, match=r"no weights 'a1_in2k' of 'resnet18'\. Did you mean 'a1_"):
        create("resnet18.a1_in2k")


def test_random_weights_follow_the_seed_and_leave_the_generator_alone():
    state = torch.get_rng_state()
    one, same, other = create(seed=1), create(seed=1), create(seed=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()


def test_the_fingerprint_covers_weights_pooling_and_buffers():
    base = create("test_efficientnet")
    assert base.fingerprint() != create("test_efficientnet", pool="max").fingerprint()
    changed = create("test_efficientnet", train="all")
    before = changed.fingerprint()
    next(iter(changed.buffers())).add_(1.0)
    assert changed.fingerprint() != before


def test_a_frozen_encoder_never_learns():
    encoder = create("test_efficientnet")
    assert encoder.frozen
    assert not encoder.train().training
    assert not any(module.training for module in encoder.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert encoder.rest().parameter_groups(1e-5, 1e-3) == []


def test_a_learning_encoder_has_groups_with_and_without_decay():
    encoder = create("test_efficientnet", train="all")
    assert encoder.train().training
    decayed, plain = encoder.rest().parameter_groups(1e-5, 1e-3)
    assert (decayed.learning_rate, decayed.weight_decay) == (1e-5, 1e-3)
    assert (plain.learning_rate, plain.weight_decay) == (1e-5, 0.0)
    count = len(list(encoder.parameters()))
    assert len(decayed.parameters) + len(plain.parameters) == count
    assert all(parameter.ndim > 1 for parameter in decayed.parameters)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the weights of a network with a classifier, in several forms."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(5)
    state = timm.create_model("test_vit", num_classes=7).state_dict()
    safetensors.torch.save_file(state, folder / "plain.safetensors")
    torch.save({"model": {f"module.{k}": v for k, v in state.items()}}, folder / "wrapped.pth")
    return folder


@pytest.mark.parametrize("name", ["plain.safetensors", "wrapped.pth"])
def test_weights_come_from_a_file(saved: Path, name: str):
    encoder = create(weights=str(saved / name))
    state = safetensors.torch.load_file(saved / "plain.safetensors")
    for key, value in encoder.model.state_dict().items():
        assert torch.equal(value, state[key]), key
    assert "state_dict" not in encoder.model.pretrained_cfg


def test_positions_are_resampled_to_another_size_of_a_network(saved: Path):
    encoder = create(weights=str(saved / "plain.safetensors"), size=64)
    assert encoder(views(encoder)).vectors.shape == (2, encoder.width)


def test_weights_of_another_network_are_refused_with_the_keys(saved: Path):
    with pytest.raises(DataError, match="does not hold the weights of timm:test_resnet") as caught:
        create("test_resnet", weights=str(saved / "plain.safetensors"))
    told = "\n".join(caught.value.problems)
    assert 'Missing key(s) in state_dict: "conv1.0.weight"' in told
    assert "and " in told
    assert 'Unexpected key(s) in state_dict: "blocks.0.' in told
    with pytest.raises(DataError) as caught:
        create("test_vit2", weights=str(saved / "plain.safetensors"))
    assert caught.value.problems[0].startswith('Missing key(s) in state_dict: "reg_token"')


def test_files_that_could_run_code_or_are_damaged_are_refused(tmp_path: Path):
    torch.save({"model": timm.create_model("test_vit")}, tmp_path / "module.pth")
    (tmp_path / "cut.safetensors").write_bytes(b"123")
    (tmp_path / "empty.pth").write_bytes(b"")
    for name in ("module.pth", "cut.safetensors", "empty.pth"):
        with pytest.raises(DataError, match=f"{name} cannot be read as plain tensors"):
            create(weights=str(tmp_path / name))
    with pytest.raises(DataError, match="does not exist"):
        create(weights=str(tmp_path / "absent.pth"))
    torch.save({"epoch": 3}, tmp_path / "none.pth")
    with pytest.raises(DataError, match="holds no weights"):
        create(weights=str(tmp_path / "none.pth"))


def test_the_bundled_weights_are_those_of_efficientnet_lite0():
    section = EncoderSection()
    encoder = create_encoder(section, ViewsSection(size=64))
    assert section.weights == "bundled"
    assert encoder.width == 1280
    assert encoder.preprocessing.mean == encoder.preprocessing.std == (0.5,) * 3
    assert encoder.fingerprint() != create("tf_efficientnet_lite0").fingerprint()
    # Trained batch norms have seen pictures: their running means are not the initial zeros.
    assert encoder.model.bn2.running_mean.abs().min() > 0.0


def test_a_hub_that_cannot_be_reached_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **options: object) -> None:
        assert options["pretrained"] is True
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", refuse)
    with pytest.raises(DataError, match="no route to host") as caught:
        create("resnet18", weights="hub")
    assert "encoder.weights = 'FILE'" in caught.value.fix
    assert "bundled" in caught.value.fix


def test_photos_are_cleaned_as_the_experiment_says():
    section = EncoderSection(name="timm:test_vit", weights="none")
    clean = CleanSection(stamps=True, bottom_crop=0.1)
    encoder = create_encoder(section, ViewsSection(size=32, predict_size=64), clean)
    for preprocessing in (encoder.preprocessing, encoder.predict_preprocessing):
        assert preprocessing.clean == Cleaning(stamps=True, bottom_crop=0.1)
