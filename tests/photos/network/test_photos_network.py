"""The network: pooling, metadata that may be absent, a linear start that the rest corrects."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from quadrat.errors import UnknownNameError
from quadrat.photos.fusion import (
    FusionSpec,
    Metadata,
    MetadataDropout,
    SampleViews,
    mean_by_owner,
)
from quadrat.photos.fusion.plain import MlpFusion
from quadrat.photos.heads import HeadSpec
from quadrat.photos.heads.plain import LinearHead, MlpHead
from quadrat.photos.network.photos_network import LIMIT, PhotosNetwork
from quadrat.photos.network.spec import NetworkSpec
from quadrat.photos.network.start import LEAST_ERROR, LinearStart
from quadrat.runtime.metadata import MetadataEncoder

WIDTH, ROWS = 6, 40

SPEC = NetworkSpec(
    photo_width=WIDTH,
    targets=3,
    distribution="point",
    numeric=2,
    cardinalities=(4,),
    embedding=(2,),
    fusion="mlp",
    fusion_hidden=8,
    dropout=0.2,
    head="mlp",
    head_hidden=(5,),
    shared=True,
    metadata_dropout=0.3,
    category_dropout=0.1,
)


class Batch(NamedTuple):
    vectors: Tensor
    owner: Tensor
    metadata: Metadata
    depth: Tensor | None = None

    @property
    def views(self) -> tuple[Tensor]:
        return (self.vectors,)

    @property
    def mix(self) -> None:
        return None

    @property
    def slot(self) -> Tensor:
        return torch.zeros_like(self.owner)


def views_of(vectors: Tensor) -> SampleViews:
    """One view a sample."""
    owner = torch.arange(len(vectors))
    return SampleViews(vectors, vectors, owner, torch.zeros_like(owner))


def metadata(rows: int = ROWS) -> Metadata:
    generator = torch.Generator().manual_seed(0)
    return Metadata(
        torch.randn(rows, 2, generator=generator),
        torch.zeros(rows, 2),
        torch.randint(1, 4, (rows, 1), generator=generator),
    )


def batch(rows: int = ROWS) -> Batch:
    generator = torch.Generator().manual_seed(1)
    return Batch(torch.randn(rows, WIDTH, generator=generator), torch.arange(rows), metadata(rows))


def encoded(rows: int = ROWS) -> Any:
    given = metadata(rows)
    texts = np.array([["unused", "a", "b", "c"][k] for k in given.categories[:, 0]], dtype=object)
    encoder = MetadataEncoder.fit(
        given.numeric.numpy(),
        texts[:, None],
        numeric_names=("x", "y"),
        categorical_names=("z",),
    )
    return encoder.encode(given.numeric.numpy(), texts[:, None])


def fitted(**changes: Any) -> PhotosNetwork:
    torch.manual_seed(0)
    network = PhotosNetwork(replace(SPEC, **changes)).eval()
    photos = batch().vectors.numpy()
    network.standardise(photos)
    targets = photos[:, :3] + 0.5 * metadata().numeric[:, :1].numpy()
    network.start.fit(
        network.standardised(photos),
        encoded(),
        targets,
        groups=np.arange(ROWS),
        hidden_share=0.3,
        weights=(1.0, 1.0, 1.0),
        seed=0,
    )
    return network


def test_views_are_pooled_by_their_owner():
    vectors = torch.arange(12.0).reshape(6, 2)
    owner = torch.tensor([0, 2, 1, 2, 2, 0])
    pooled = mean_by_owner(vectors, owner, 3)
    expected = torch.stack([vectors[owner == k].mean(dim=0) for k in range(3)])
    torch.testing.assert_close(pooled, expected)


def test_a_set_of_photos_answers_as_its_mean_vector():
    network, one = fitted(), batch(4)
    pairs = torch.cat([one.vectors + 0.3, one.vectors - 0.3])
    owner = torch.arange(4).repeat(2)
    torch.testing.assert_close(
        network(Batch(pairs, owner, one.metadata)).parameters,
        network(one).parameters,
        rtol=1e-4,
        atol=1e-5,
    )


def test_dropout_hides_all_metadata_of_some_samples_and_single_categories():
    torch.manual_seed(0)
    many = metadata(20_000)
    hidden = MetadataDropout(0.3, 0.2)(many)
    gone = hidden.missing.all(dim=1)
    assert 0.28 < gone.float().mean() < 0.32
    assert (hidden.numeric[gone] == 0).all()
    assert (hidden.categories[gone] == 0).all()
    torch.testing.assert_close(hidden.numeric[~gone], many.numeric[~gone])
    assert 0.18 < (hidden.categories[~gone] == 0).float().mean() < 0.22


def test_nothing_is_hidden_in_evaluation():
    given = metadata()
    kept = MetadataDropout(0.9, 0.9).eval()(given)
    assert all(a is b for a, b in zip(kept, given, strict=True))


def test_the_known_share_counts_columns():
    given = metadata(3)
    given.missing[1, 0] = 1.0
    given.categories[1, 0] = 0
    torch.testing.assert_close(given.known_share(), torch.tensor([[1.0], [1 / 3], [1.0]]))
    assert (given.hidden().known_share() == 0).all()


def test_before_training_the_network_says_what_the_start_says():
    network, given = fitted(), batch()
    photos = ((given.vectors - network.centre) / network.scale).clamp(-LIMIT, LIMIT)
    torch.testing.assert_close(
        network(given).parameters[..., 0], network.start(photos, given.metadata)
    )


def test_without_metadata_the_photos_alone_answer():
    network, given = fitted(), batch()
    photos = ((given.vectors - network.centre) / network.scale).clamp(-LIMIT, LIMIT)
    hidden = Batch(given.vectors, given.owner, given.metadata.hidden())
    torch.testing.assert_close(network(hidden).parameters[..., 0], network.start.alone(photos))
    assert not torch.allclose(network(hidden).parameters, network(given).parameters, atol=0.05)


def test_the_start_learns_what_metadata_add():
    network, given = fitted(), batch()
    targets = given.vectors[:, :3] + 0.5 * given.metadata.numeric[:, :1]
    with_them = (network(given).parameters[..., 0] - targets).square().mean()
    hidden = Batch(given.vectors, given.owner, given.metadata.hidden())
    without = (network(hidden).parameters[..., 0] - targets).square().mean()
    assert with_them < 0.25 * without


def test_unknown_categories_count_as_the_average_one():
    start = LinearStart(WIDTH, 0, (4,), 1)
    start._learn_shares(torch.tensor([[1], [1], [2], [3]]))
    columns = start.metadata_columns(
        Metadata(torch.zeros(4, 0), torch.zeros(4, 0), torch.tensor([[1], [1], [2], [3]]))
    )
    torch.testing.assert_close(columns.mean(dim=0), torch.zeros(3))
    unknown = Metadata(torch.zeros(1, 0), torch.zeros(1, 0), torch.zeros(1, 1, dtype=torch.int64))
    assert (start.metadata_columns(unknown) == 0).all()


def test_a_constant_target_leaves_a_distribution_head_a_finite_spread():
    start = LinearStart(WIDTH, 0, (), 1)
    empty = MetadataEncoder((), (), (), (), ()).encode(
        np.zeros((ROWS, 0)), np.zeros((ROWS, 0), dtype=object)
    )
    start.fit(
        batch().vectors.double().numpy(),
        empty,
        np.zeros((ROWS, 1)),
        groups=np.arange(ROWS),
        hidden_share=0.0,
        weights=(1.0,),
        seed=0,
    )
    assert float(start.error) == pytest.approx(LEAST_ERROR)


def test_a_gaussian_head_begins_with_the_error_on_left_out_rows():
    network = fitted(distribution="gaussian")
    parameters = network(batch()).parameters
    assert parameters.shape == (ROWS, 3, 2)
    expected = network.start.error.log().expand(ROWS, 3)
    torch.testing.assert_close(parameters[..., 1], expected)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("kind", ["mlp", "linear"])
@pytest.mark.parametrize("distribution", ["point", "gaussian"])
def test_every_head_gives_parameters_of_every_target(shared: bool, kind: str, distribution: str):
    network = fitted(head=kind, shared=shared, distribution=distribution).train()
    parameters = network(batch(5)).parameters
    assert parameters.shape == (5, 3, 2 if distribution == "gaussian" else 1)
    parameters.sum().backward()
    assert all(p.grad is not None for p in network.head.parameters())


def test_heads_of_their_own_do_not_share_hidden_layers():
    spec = HeadSpec(8, 3, 2, (5,), shared=False, dropout=0.0)
    head = MlpHead(spec)
    for part in head.parts:
        torch.nn.init.ones_(part[-1].weight)  # type: ignore[index, arg-type]
    fused = torch.randn(4, 8)
    before = head(fused, views_of(fused))
    with torch.no_grad():
        head.parts[1][0].weight.add_(1.0)  # type: ignore[index, operator]
    changed = (head(fused, views_of(fused)) - before).abs().sum(dim=(0, 2)) > 0
    assert changed.tolist() == [False, True, False]


def test_heads_say_zero_before_training():
    fused = torch.randn(4, 8)
    for head in (LinearHead, MlpHead):
        assert (
            head(HeadSpec(8, 3, 1, (5, 4), shared=True, dropout=0.5))(fused, views_of(fused)) == 0
        ).all()


def test_the_head_computes_in_float32_under_autocast():
    network, given = fitted(), batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = network(given).parameters
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, network(given).parameters)


def test_the_embedding_of_the_unknown_category_is_trained():
    fusion = MlpFusion(FusionSpec(WIDTH, 2, (4,), (2,), 8, 0.0))
    fusion(views_of(batch().vectors), batch().metadata.hidden()).sum().backward()
    gradient = fusion.embeddings[0].weight.grad  # type: ignore[union-attr]
    assert (gradient[0] != 0).any()
    assert (gradient[1:] == 0).all()


def test_a_feature_that_hardly_varies_in_training_does_not_explode():
    network = fitted()
    photos = batch().vectors.numpy().copy()
    photos[:, 2] = 1.0
    network.standardise(photos)
    one = batch(1)
    near, far = one.vectors.clone(), one.vectors.clone()
    near[:, 2], far[:, 2] = 1.1, 1e6
    assert np.abs(network.standardised(near.numpy())[0, 2]) < 0.5
    assert np.abs(network.standardised(far.numpy())).max() == LIMIT
    assert network(Batch(far, one.owner, one.metadata)).parameters.abs().max() < 50


def test_network_and_closed_form_see_the_same_features():
    network, given = fitted(), batch()
    seen = ((given.vectors - network.centre) / network.scale).clamp(-LIMIT, LIMIT)
    np.testing.assert_allclose(network.standardised(given.vectors.numpy()), seen, atol=1e-6)


def test_the_spec_survives_json():
    assert NetworkSpec.from_json(SPEC.to_json()) == SPEC


def test_a_spec_of_before_these_keys_is_still_read():
    later = ("token_width", "slots", "summing", "transform", "quantiles", "weighting", "bins")
    later += ("auxiliary_numeric", "auxiliary_categorical", "feed_back")
    later += ("gate", "latents", "layers", "heads", "bidirectional")
    old = {name: value for name, value in SPEC.to_json().items() if name not in later}
    assert NetworkSpec.from_json(old) == SPEC


def test_rows_of_a_spec_survive_json():
    given = replace(SPEC, summing=((1, 0), (0, 1), (1, 1)), quantiles=(0.05, 0.5, 0.95))
    assert NetworkSpec.from_json(json.loads(json.dumps(given.to_json()))) == given


def test_an_unknown_head_is_named():
    with pytest.raises(UnknownNameError, match="mlp"):
        PhotosNetwork(replace(SPEC, head="mlpp"))
