"""Networks as steps: the same features as timm's own, wherever they are cut."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from quadrat.errors import UsageError
from quadrat.photos.encoders import EncoderTail, TimmEncoder, create_encoder
from quadrat.photos.encoders.steps import steps_of
from quadrat.photos.schema import EncoderSection, ViewsSection

SEQUENCES = ("test_vit", "test_vit2", "test_vit3", "test_vit4", "eva02_tiny_patch14_224")
MAPS = (
    "test_byobnet",
    "test_coatnet",
    "test_convnext",
    "test_convnext2",
    "test_efficientnet",
    "test_nfnet",
    "test_resnet",
    "mobilenetv3_small_050",
    "regnetx_002",
)
OTHERS = ("test_mambaout", "test_vit_relpos")


def create(name: str, size: Any = None, **keys: Any) -> TimmEncoder:
    section = EncoderSection(name=f"timm:{name}", **({"weights": "none"} | keys))
    encoder = create_encoder(section, ViewsSection(size=size or side(name)), seed=1)
    assert isinstance(encoder, TimmEncoder)
    return encoder


def side(name: str) -> int:
    """A small size that a network takes."""
    if name in ("test_vit_relpos", "test_coatnet"):
        return 160
    return 56 if "patch14" in name else 64


def views(encoder: TimmEncoder, count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, *encoder.preprocessing.size, generator=generator)


def stirred(encoder: TimmEncoder) -> TimmEncoder:
    """Gives batch norms statistics, and layer scales weight, that are not those of a beginning."""
    generator = torch.Generator().manual_seed(3)
    for module in encoder.model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
    return encoder


@pytest.mark.parametrize("name", (*SEQUENCES, *MAPS, *OTHERS))
def test_steps_give_the_features_of_timm(name: str):
    encoder = stirred(create(name))
    photos = views(encoder)
    with torch.no_grad():
        torch.testing.assert_close(encoder(photos).vectors, encoder.model(photos))
    assert steps_of(encoder.model).whole == (name in OTHERS)


@pytest.mark.parametrize("name", (*SEQUENCES, *MAPS))
def test_tokens_are_the_spatial_features_of_timm(name: str):
    encoder = stirred(create(name, tokens=True, size=112 if "patch14" in name else (96, 160)))
    if name == "test_coatnet":
        encoder = stirred(create(name, tokens=True))
    photos = views(encoder)
    with torch.no_grad():
        tokens = encoder(photos).tokens
        features = encoder.model.forward_features(photos)
        if name in SEQUENCES:
            (expected,) = encoder.model.forward_intermediates(
                photos, indices=1, norm=True, intermediates_only=True
            )
        else:
            expected = features
    assert tokens is not None
    torch.testing.assert_close(tokens, expected.permute(0, 2, 3, 1))
    assert encoder.token_width == tokens.shape[3]


def test_tokens_of_channels_last_and_of_unknown_families():
    encoder = create("swin_tiny_patch4_window7_224", size=(64, 96), tokens=True, train="all")
    photos = views(encoder, 1)
    torch.testing.assert_close(encoder(photos).tokens, encoder.model.forward_features(photos))
    other = create("test_vit_relpos", tokens=True)
    tokens = other(views(other)).tokens
    assert tokens is not None
    flat = other.model.forward_features(views(other))[:, other.model.num_prefix_tokens :]
    torch.testing.assert_close(tokens.flatten(1, 2), flat)


def gradients(encoder: TimmEncoder, photos: torch.Tensor) -> dict[str, torch.Tensor]:
    """Of a sum of squares, through stem and tail."""
    tail = encoder.rest().train()
    with torch.no_grad():
        held = encoder.hold(photos)
    tail(held).vectors.square().sum().backward()
    return {
        name.removeprefix("model."): parameter.grad
        for name, parameter in tail.named_parameters()
        if parameter.grad is not None
    }


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, torch.float64) for name in (*SEQUENCES, *MAPS)]
    + [(name, torch.float32) for name in ("test_vit2", "test_efficientnet")],
)
def test_the_last_blocks_learn_as_in_the_whole_network(name: str, dtype: torch.dtype):
    blocks = 1 if name in ("test_vit3", "test_convnext") else 2
    encoder = stirred(create(name, train_last_blocks=blocks)).to(dtype)
    photos = views(encoder, 3).to(dtype, memory_format=torch.channels_last)
    learnt = gradients(encoder, photos)
    learning = steps_of(encoder.model).blocks[-blocks:]
    assert {n for b in learning for n in learnt if n.startswith(f"{b}.")}
    whole = encoder.model.eval().requires_grad_(True)
    for block in (*learning, *steps_of(encoder.model).after, "head", "norm_head"):
        if dict(whole.named_modules()).get(block) is not None:
            whole.get_submodule(block).train()
    whole(photos).square().sum().backward()
    expected = {n: p.grad for n, p in whole.named_parameters()}
    bound = 1e-9 if dtype == torch.float64 else 1e-5
    for key, value in learnt.items():
        scale = expected[key].abs().max().clamp(min=1e-3)
        torch.testing.assert_close(value / scale, expected[key] / scale, rtol=0, atol=bound)


@pytest.mark.parametrize("name", ["test_vit2", "test_efficientnet", "test_convnext"])
def test_what_is_frozen_is_held_and_nothing_else(name: str):
    encoder = stirred(create(name, train_last_blocks=1))
    assert encoder.holds
    assert not encoder.frozen
    encoder.train()
    assert encoder.stem is not None
    assert not any(module.training for module in encoder.stem.modules())
    assert not any(p.requires_grad for p in encoder.stem.parameters())
    tail = encoder.rest()
    assert tail.learns
    assert all(p.requires_grad for p in tail.parameters())
    shared = {id(p) for p in encoder.parameters()}
    assert not any(id(p) in shared for p in tail.parameters())
    names = {*encoder.frozen_weights()} | {n.removeprefix("model.") for n in tail.state_dict()}
    assert names == {*encoder.model.state_dict()}
    assert not {*encoder.frozen_weights()} & {n.removeprefix("model.") for n in tail.state_dict()}


def test_a_tail_has_no_weights_that_nothing_reads():
    encoder = create("mobilenetv3_small_050", train_last_blocks=1, pool="mean")
    assert not [n for n in encoder.rest().state_dict() if "conv_head" in n]
    tail = encoder.rest()
    tail(encoder.hold(views(encoder))).vectors.sum().backward()
    assert all(p.grad is not None for p in tail.parameters())
    maps = encoder.model.eval().forward_features(views(encoder))
    torch.testing.assert_close(encoder(views(encoder)).vectors, maps.mean(dim=(2, 3)))


def test_all_blocks_may_learn_and_the_embedding_may_not():
    encoder = create("test_vit2", train_last_blocks=len(create("test_vit2").model.blocks))
    photos = views(encoder)
    held = {n.partition(".")[0] for n in encoder.frozen_weights()}
    assert held == {"reg_token", "pos_embed", "patch_embed"}
    torch.testing.assert_close(encoder(photos).vectors, encoder.model(photos))


@pytest.mark.parametrize("keys", [{}, {"train_last_blocks": 1}, {"train": "all"}])
@pytest.mark.parametrize("name", ["test_vit", "test_vit4", "test_convnext", "test_efficientnet"])
def test_layers_and_poolings_are_joined(name: str, keys: dict[str, Any]):
    encoder = stirred(create(name, layers=[-1, 0], pool=["max", "mean"], tokens=True, **keys))
    photos = views(encoder)
    with torch.no_grad():
        vectors, tokens = encoder(photos)
        features = encoder.model.forward_intermediates(photos, norm=False, intermediates_only=True)
        last = encoder.model.forward_features(photos)
    if last.ndim == 3:
        last = last[:, encoder.model.num_prefix_tokens :].transpose(1, 2)
    first = features[0].flatten(2)
    if name == "test_efficientnet":  # timm counts strides there, not stages
        first = nn.Sequential(encoder.model.conv_stem, encoder.model.bn1, encoder.model.blocks[0])(
            photos
        ).flatten(2)
    parts = [maps for layer in (first, last.flatten(2)) for maps in (layer.amax(2), layer.mean(2))]
    torch.testing.assert_close(vectors, torch.cat(parts, dim=1))
    assert encoder.width == vectors.shape[1]
    assert tokens is not None
    assert tokens.shape[3] == encoder.token_width == last.shape[1]


def test_inner_layers_are_read_as_the_network_reads_its_last():
    encoder = create("test_vit", layers=[0, -1])
    photos = views(encoder)
    (_, first), *_ = encoder.model.forward_intermediates(
        photos, return_prefix_tokens=True, intermediates_only=True
    )
    assert encoder.model.global_pool == "token"
    joined = torch.cat([first[:, 0], encoder.model(photos)], dim=1)
    torch.testing.assert_close(encoder(photos).vectors, joined)


def test_blocks_behind_the_highest_layer_do_not_run():
    encoder = create("test_vit", layers=[0, 2], train_last_blocks=1, pool="class")
    assert {
        n.partition(".")[2].partition(".")[0] for n in encoder.frozen_weights() if "blocks" in n
    } == {"0", "1"}
    assert all(n.startswith("model.blocks.2.") for n in encoder.rest().state_dict())
    photos = views(encoder)
    features = encoder.model.forward_intermediates(
        photos, return_prefix_tokens=True, intermediates_only=True
    )
    joined = torch.cat([features[place][1][:, 0] for place in (0, 2)], dim=1)
    torch.testing.assert_close(encoder(photos).vectors, joined)


def test_generalised_means_lie_between_mean_and_maximum_and_learn_their_power():
    fixed = create("test_resnet", pool="gem")
    photos = views(fixed)
    maps = fixed.model.forward_features(photos).clamp(min=1e-6)
    torch.testing.assert_close(
        fixed(photos).vectors, maps.pow(3).mean(dim=(2, 3)).pow(1 / 3), rtol=1e-4, atol=1e-5
    )
    assert fixed.rest().parameter_groups(1e-3, 0.0) == []
    learning = create("test_resnet", pool=["gem", "mean"], layers=[0, 2, 3], train_last_blocks=2)
    tail = learning.rest()
    powers = {n: p for n, p in tail.named_parameters() if n.startswith("powers")}
    assert [*powers] == ["powers.2", "powers.3"]
    tail(learning.hold(photos)).vectors.sum().backward()
    assert all(p.grad is not None and p.grad.abs() > 0 for p in powers.values())


@pytest.mark.parametrize("name", ["test_vit", "test_efficientnet", "test_resnet"])
def test_checkpointing_changes_neither_gradients_nor_statistics(name: str):
    results = []
    for checkpointing in (False, True):
        encoder = create(name, train="all", checkpointing=checkpointing)
        tail = encoder.rest().train()
        tail((views(encoder, 4),)).vectors.square().sum().backward()
        results.append(({n: p.grad for n, p in tail.named_parameters()}, tail.state_dict()))
    (plain, before), (again, after) = results
    for key, value in plain.items():
        torch.testing.assert_close(again[key], value, rtol=1e-5, atol=1e-6)
    for key, value in before.items():
        assert torch.equal(after[key], value), key


def rates(tail: EncoderTail, rate: float = 1.0) -> dict[str, float]:
    """Learning rate of each parameter by name."""
    by_id = {
        id(p): group.learning_rate
        for group in tail.parameter_groups(rate, 0.1)
        for p in group.parameters
    }
    return {name: by_id[id(p)] for name, p in tail.named_parameters()}


def test_rates_fall_from_block_to_block():
    encoder = create("test_vit", train="all", layer_decay=0.5, freeze_epochs=2)
    found = rates(encoder.rest())
    assert found["model.norm.weight"] == 1.0
    count = len(encoder.model.blocks)
    for number in range(count):
        key = f"model.blocks.{number}.attn.qkv.weight"
        assert found[key] == pytest.approx(0.5 ** (count - number))
    assert found["model.cls_token"] == pytest.approx(0.5 ** (count + 1))
    assert found["model.patch_embed.proj.weight"] == found["model.cls_token"]
    groups = encoder.rest().parameter_groups(1.0, 0.1)
    assert {group.frozen_epochs for group in groups} == {2}
    assert all((p.ndim > 1) == (g.weight_decay > 0) for g in groups for p in g.parameters)
    partial = rates(create("test_resnet", train_last_blocks=2, layer_decay=0.5).rest())
    assert {n.split(".")[1]: rate for n, rate in partial.items()} == {"layer3": 0.25, "layer4": 0.5}


def test_what_a_network_does_not_have_is_refused():
    with pytest.raises(UsageError, match="train_last_blocks: timm:test_resnet has 4 blocks; set"):
        create("test_resnet", train_last_blocks=5)
    with pytest.raises(UsageError, match=r"has 2 blocks up to the last of encoder\.layers"):
        create("test_resnet", train_last_blocks=3, layers=[1])
    with pytest.raises(UsageError, match=r"blocks 0 to 3 \(or -4 to -1 from the end\), not 4"):
        create("test_resnet", layers=[0, 4])
    with pytest.raises(UsageError, match=r"two of .* are the same block"):
        create("test_resnet", layers=[3, -1])
    for keys in ({"train_last_blocks": 1}, {"layers": [0]}):
        with pytest.raises(UsageError, match="does not know the blocks of timm:test_mambaout"):
            create("test_mambaout", **keys)


def test_fingerprints_tell_what_is_held_apart():
    given: list[dict[str, Any]] = [
        {},
        {"tokens": True},
        {"layers": [0, -1]},
        {"layers": [1, -1]},
        {"pool": ["class", "mean"]},
        {"train_last_blocks": 1},
        {"train_last_blocks": 2},
        {"train_last_blocks": 2, "layers": [0, -1]},
    ]
    assert len({create("test_vit", **keys).fingerprint() for keys in given}) == len(given)
    learning = create("test_vit", train_last_blocks=1, layer_decay=0.5, learning_rate=0.1)
    assert learning.fingerprint() == create("test_vit", train_last_blocks=1).fingerprint()
