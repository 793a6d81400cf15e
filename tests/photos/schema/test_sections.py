"""The experiment file of photos: defaults, rules between keys, and paths."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from quadrat.errors import ExperimentError
from quadrat.experiment import load, parse
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.schema.network_rules import LOSSES_OF
from quadrat.recipes import recipe_summary
from quadrat.targets import DISTRIBUTIONS, LOSSES

LEAST: dict[str, Any] = {
    "family": "photos",
    "data": {"table": "train.csv", "targets": ["green", "dead", "total"]},
    "split": {"by": ["site"]},
}


def parsed(folder: Path | None = None, **sections: dict[str, Any]) -> PhotosExperiment:
    content = {**LEAST, **{k: {**LEAST.get(k, {}), **v} for k, v in sections.items()}}
    experiment = parse(content, folder=folder)
    assert isinstance(experiment, PhotosExperiment)
    return experiment


def test_the_least_experiment_runs_without_a_hub():
    experiment = parsed()
    assert experiment.encoder.name == "timm:tf_efficientnet_lite0"
    assert experiment.encoder.weights == "bundled"
    assert experiment.split.folds == 5
    assert experiment.augment.metadata_dropout == 0.3
    assert experiment.data.min_readable == 1.0


def test_other_encoders_take_their_weights_from_the_hub():
    assert parsed(encoder={"name": "timm:resnet18"}).encoder.weights == "hub"
    precomputed = {"name": "precomputed:a.npy", "rows": "rows.txt"}
    assert parsed(encoder=precomputed).encoder.weights == "none"


def test_the_resolved_file_means_the_same(tmp_path: Path):
    experiment = parsed(
        tmp_path,
        encoder={"name": "precomputed:features.npy", "rows": "rows.txt"},
        split={"kind": "column", "by": [], "column": "part", "test": [1, "b"]},
        loss={"weights": {"green": 2.0}},
        data={"test": "test.csv", "image_root": "photos"},
    )
    again = parse(tomllib.loads(experiment.to_toml()), folder=Path("/elsewhere"))
    assert again == experiment
    assert again.content_hash() == experiment.content_hash()


def test_paths_are_relative_to_the_file(tmp_path: Path):
    encoder = {"name": "precomputed:features.npy", "rows": "rows.txt"}
    experiment = parsed(tmp_path, encoder=encoder, data={"image_root": "photos"})
    assert experiment.encoder.name == f"precomputed:{tmp_path / 'features.npy'}"
    assert experiment.encoder.rows == str(tmp_path / "rows.txt")
    assert experiment.data.image_root == tmp_path / "photos"
    named = parsed(tmp_path, encoder={**encoder, "rows": "column:row"})
    assert named.encoder.rows == "column:row"
    weights = parsed(tmp_path, encoder={"weights": "w.safetensors"}).encoder.weights
    assert weights == str(tmp_path / "w.safetensors")


def test_a_moved_folder_is_the_same_experiment(tmp_path: Path):
    keys: dict[str, Any] = {"test": "test.csv", "sample_submission": "s.csv", "image_root": "p"}
    encoder = {"name": "precomputed:features.npy", "rows": "rows.txt"}
    one, other = (
        parsed(tmp_path / folder, data=keys, encoder=encoder).content_hash() for folder in "ab"
    )
    assert one == other


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"split": {"by": []}}, "split.by: split.kind = 'group' needs the columns"),
        ({"split": {"kind": "leave-group-out", "by": []}}, "split.by: "),
        ({"split": {"kind": "random"}}, "split.by: split.kind = 'random' has no groups"),
        ({"split": {"kind": "column", "by": []}}, "split.column: "),
        ({"split": {"column": "fold"}}, "split.column: split.kind = 'group' has no use"),
        ({"split": {"test": ["a"]}}, "split.test: split.kind = 'group' has no use"),
        ({"split": {"kind": "spatial-block", "by": []}}, "split.block_km: "),
        (
            {"split": {"kind": "spatial-block", "by": [], "block_km": 10}},
            "data.lat: split.kind = 'spatial-block' needs data.lat and data.lon",
        ),
        ({"split": {"block_km": 10}}, "split.block_km: split.kind = 'group' has no blocks"),
        ({"split": {"kind": "leave-group-out", "repeats": 2}}, "split.repeats: "),
        ({"split": {"kind": "leave-group-out", "stratify": "green"}}, "split.stratify: "),
        ({"split": {"by": ["green"]}}, "split.by: 'green' is a target"),
        ({"data": {"numeric": ["dead"]}}, "data.targets: 'dead' is metadata too"),
        ({"data": {"numeric": ["a"], "categorical": ["a"]}}, "data.numeric: 'a' is in"),
        ({"data": {"targets": ["a", "a"]}}, "data.targets: 'a' stands there twice"),
        ({"data": {"targets": []}}, "data.targets: "),
        ({"data": {"lat": "y"}}, "data.lat: latitude and longitude belong together"),
        ({"data": {"sample": "a", "set_by": ["b"]}}, "data.set_by: "),
        ({"data": {"min_readable": 1.5}}, "data.min_readable: "),
        ({"score": {"weights": {"gren": 1}}}, "score.weights: 'gren' is not in data.targets. Did"),
        ({"score": {"weights": {"green": 0}}}, "score.weights: at least one target"),
        ({"loss": {"weights": {"x": 1}}}, "loss.weights: 'x' is not in data.targets"),
        ({"loss": {"weights": "scores"}}, "loss.weights"),
        ({"loss": {"kind": "nll"}}, "loss.kind: 'nll' needs head.distribution = 'gaussian'"),
        (
            {"loss": {"kind": "huber"}, "head": {"distribution": "gaussian"}},
            "loss.kind: 'huber' trains no standard deviation",
        ),
        ({"head": {"learning_rate": 0.0}}, "head.learning_rate: "),
        ({"loss": {"kind": "crps"}}, "loss.kind: 'crps' needs head.distribution = 'gaussian'"),
        ({"loss": {"beta": 2.0}}, "loss.beta: only 'huber' and 'focal' take it"),
        ({"loss": {"kind": "huber", "gamma": 2.0}}, "loss.gamma: only 'focal' take"),
        ({"loss": {"power": 1.2}}, "loss.power: only 'tweedie'"),
        ({"loss": {"kind": "tweedie"}}, "loss.kind: 'tweedie' needs amounts"),
        (
            {"loss": {"kind": "tweedie", "transform": "sqrt"}, "head": {"kind": "parts"}},
            "loss.transform: 'tweedie' is about",
        ),
        ({"loss": {"quantiles": [0.05, 0.25, 0.5, 0.95]}}, "loss.quantiles: only"),
        (
            {"loss": {"quantiles": [0.5, 0.05, 0.95]}, "head": {"distribution": "quantile"}},
            "loss.quantiles: levels must ascend",
        ),
        (
            {"loss": {"quantiles": [0.1, 0.5, 0.9]}, "head": {"distribution": "quantile"}},
            "loss.quantiles: 0.05, 0.95 must be among",
        ),
        (
            {"loss": {"kind": "mse"}, "head": {"distribution": "quantile"}},
            "loss.kind: 'mse' trains no quantiles",
        ),
        (
            {"loss": {"weighting": "uncertainty"}, "head": {"distribution": "gaussian"}},
            "loss.weighting: a likelihood weighs",
        ),
        (
            {"loss": {"transform": "sqrt"}, "head": {"distribution": "lognormal"}},
            "loss.transform: 'lognormal' has a scale",
        ),
        (
            {"head": {"kind": "parts", "distribution": "quantile"}},
            "head.distribution: head.kind = 'parts' says amounts",
        ),
        ({"head": {"bins": 1}}, "head.bins: one interval"),
        ({"head": {"bins_weight": 1.0}}, "head.bins_weight: there are no intervals"),
        ({"head": {"feed_back": True}}, "head.feed_back: nothing is predicted beside"),
        ({"head": {"auxiliary": ["ndvi"]}}, "head.auxiliary: 'ndvi' is neither in data.numeric"),
        ({"head": {"kind": "ratio"}}, "head.kind: 'ratio' divides one total among all other"),
        ({"head": {"kind": "dens"}}, "head.kind: "),
        ({"fusion": {"gate": True}}, "fusion.gate: there are no metadata to weigh"),
        ({"fusion": {"kind": "film"}}, "fusion.kind: 'film' lets metadata change"),
        ({"fusion": {"latents": 12}}, "fusion.latents: fusion.kind = 'mlp' has no use"),
        (
            {"fusion": {"kind": "gated-conv", "heads": 4}},
            "fusion.heads: fusion.kind = 'gated-conv'",
        ),
        ({"fusion": {"kind": "mean", "layers": 3}}, "fusion.layers: fusion.kind = 'mean' has no"),
        (
            {"fusion": {"kind": "gated-conv", "bidirectional": False}},
            "fusion.bidirectional: fusion.kind = 'gated-conv' has no use",
        ),
        (
            {"fusion": {"kind": "perceiver", "hidden": 512}},
            "fusion.hidden: 512 cannot be shared by fusion.heads = 6; use a multiple, such as "
            "510 and 516",
        ),
        (
            {"fusion": {"kind": "perceiver"}, "encoder": {"tokens": False}},
            "encoder.tokens: fusion.kind = 'perceiver' looks at places",
        ),
        (
            {"head": {"kind": "density"}, "encoder": {"name": "precomputed:a.npy", "rows": "r"}},
            "head.kind: 'density' looks at places; features computed elsewhere have none",
        ),
        (
            {"head": {"kind": "density"}, "views": {"kind": "crops"}},
            "views.kind: 'density' adds up views",
        ),
        (
            {"head": {"kind": "density"}, "views": {"size": 64, "predict_size": 96}},
            "views.predict_size: 'density' adds up places",
        ),
        ({"fusion": {"kind": "gated-conv"}, "depth": {}}, "depth: maps join the vectors of views"),
        ({"head": {"kind": "density"}, "tta": {"kind": "crops"}}, "tta: 'density' adds up places"),
        (
            {"head": {"kind": "density"}, "augment": {"view_dropout": 0.5}},
            "augment.view_dropout: 'density' adds up all views",
        ),
        (
            {"head": {"kind": "density"}, "augment": {"mixup": 0.4, "mixup_of": "vectors"}},
            "augment.mixup_of: 'density' looks at places",
        ),
        (
            {"head": {"kind": "density"}, "fusion": {"kind": "mean"}},
            "fusion.kind: 'density' takes a spread from the fusion",
        ),
        ({"fusion": {"embedding": {"site": 4}}}, "fusion.embedding: 'site' is not in"),
        ({"views": {"size": 4}}, "views.size: sides must lie between 16 and 8192"),
        ({"encoder": {"name": "resnet18"}}, "encoder.name: must be timm:MODEL"),
        ({"encoder": {"name": "timm:"}}, "encoder.name: "),
        (
            {"encoder": {"name": "open_clip:ViT-B-32"}},
            "encoder.weights: 'ViT-B-32' is an architecture; set it to a file",
        ),
        ({"encoder": {"name": "timm:resnet18", "weights": "bundled"}}, "encoder.weights: only"),
        ({"encoder": {"rows": "rows.txt"}}, "encoder.rows: only"),
        ({"encoder": {"name": "precomputed:a.npy"}}, "encoder.rows: say which photos"),
        ({"encoder": {"pool": []}}, "encoder.pool: name at least one"),
        ({"encoder": {"pool": ["max", "max"]}}, "encoder.pool: 'max' stands there twice"),
        ({"encoder": {"train_last_blocks": 0}}, "encoder.train_last_blocks: "),
        (
            {"encoder": {"train": "all", "train_last_blocks": 1}},
            "encoder.train_last_blocks: encoder.train = 'all' trains all blocks",
        ),
        ({"encoder": {"layer_decay": 0.8}}, "encoder.layer_decay: the encoder is frozen"),
        ({"encoder": {"freeze_epochs": 1}}, "encoder.freeze_epochs: the encoder is frozen"),
        ({"encoder": {"checkpointing": True}}, "encoder.checkpointing: the encoder is frozen"),
        (
            {"encoder": {"train": "all", "freeze_epochs": 5}, "optimiser": {"epochs": 5}},
            "encoder.freeze_epochs: the encoder would not learn in any of the 5 epochs",
        ),
        ({"augment": {"metadata_dropout": 1.0}}, "augment.metadata_dropout: "),
        (
            {"head": {"kind": "density"}, "views": {"fit": "pad"}},
            "views.fit: 'density' adds up places, and a border's would count as photo",
        ),
        (
            {"head": {"kind": "density"}, "encoder": {"token_layers": "all"}},
            "encoder.token_layers: 'all' joins the tokens of several encoder.layers",
        ),
        (
            {"encoder": {"layers": [1, -1], "token_layers": "all"}},
            "encoder.token_layers: 'all' joins the tokens of several encoder.layers",
        ),
        (
            {"augment": {"simulate_stamps": 0.2}},
            "augment.simulate_stamps: what a frozen encoder says of a photo is kept",
        ),
        ({"data": {"numerics": []}}, "data.numerics: unknown key. Did you mean 'numeric'?"),
    ],
)
def test_what_does_not_go_together_is_told_at_its_key(sections: dict[str, Any], told: str):
    with pytest.raises(ExperimentError) as caught:
        parsed(**sections)
    assert any(problem.startswith(told) for problem in caught.value.problems), str(caught.value)


def test_features_from_elsewhere_take_no_photo_keys():
    encoder = {"name": "precomputed:a.npy", "rows": "r.txt"}
    with pytest.raises(ExperimentError) as caught:
        parsed(encoder={**encoder, "train": "all", "pool": "mean", "weights": "hub"})
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "encoder.train",
        "encoder.weights",
        "encoder.pool",
    ]
    with pytest.raises(ExperimentError) as caught:
        parsed(encoder={**encoder, "train_last_blocks": 1, "layers": [0], "tokens": True})
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "encoder.train_last_blocks",
        "encoder.layers",
        "encoder.tokens",
    ]
    with pytest.raises(ExperimentError) as caught:
        parsed(encoder=encoder, augment={"flips": "both"}, views={"size": 64})
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "augment.flips",
        "views.size",
    ]


@pytest.mark.parametrize(
    ("identities", "told"),
    [
        ([{"total": "sum", "parts": ["green"]}], "'sum' in 'sum = green' is not a target"),
        ([{"total": "total", "parts": ["total"]}], "has its total among its parts"),
        (
            [
                {"total": "total", "parts": ["green", "dead"]},
                {"total": "dead", "parts": ["total", "green"]},
            ],
            "are defined through each other",
        ),
    ],
)
def test_impossible_balances_are_told(identities: list[dict[str, Any]], told: str):
    with pytest.raises(ExperimentError, match=told):
        parse({**LEAST, "balance": identities})


def test_fusions_of_places_ask_the_encoder_for_tokens():
    assert parsed(fusion={"kind": "gated-conv"}).encoder.tokens
    assert parsed(head={"kind": "density"}).encoder.tokens
    assert not parsed(fusion={"kind": "mean"}).encoder.tokens


def test_a_perceiver_has_the_defaults_of_its_source():
    fusion = parsed(fusion={"kind": "perceiver"}).fusion
    assert (fusion.latents, fusion.layers, fusion.heads) == (48, 4, 6)
    assert fusion.hidden % fusion.heads == 0
    again = parse(tomllib.loads(parsed(fusion={"kind": "perceiver"}).to_toml()))
    assert again == parsed(fusion={"kind": "perceiver"})
    assert parsed(fusion={"kind": "perceiver", "layers": 2}).fusion.layers == 2
    assert parsed().fusion.hidden == 256


def test_the_loss_of_a_distribution_is_its_own():
    for name in DISTRIBUTIONS.names():
        assert LOSSES_OF[name][0] == DISTRIBUTIONS[name].default_loss
    assert sorted({kind for kinds in LOSSES_OF.values() for kind in kinds}) == LOSSES.names()


@pytest.mark.parametrize("name", ["pasture-frozen", "beetle-parts"])
def test_the_recipes_are_experiments(name: str):
    source = Path(__file__).parents[3] / "src" / "quadrat" / "recipes" / f"{name}.toml"
    experiment = load(source, ["data.table=other.csv"])
    assert isinstance(experiment, PhotosExperiment)
    assert experiment.balance
    assert experiment.encoder.weights == "bundled"
    assert experiment.data.table == Path.cwd() / "other.csv"
    assert len(recipe_summary(name)) > 40
