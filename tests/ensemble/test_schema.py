"""The experiment file of an ensemble: what it may say, and that it survives its own copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quadrat.ensemble.judging import scored_as
from quadrat.ensemble.schema import EnsembleExperiment
from quadrat.errors import ExperimentError, UsageError
from quadrat.experiment import json_schema, load, parse
from tests.photos.tables import experiment, save, wide

MEMBERS = [{"run": "a"}, {"run": "b"}]


def read(**content: Any) -> EnsembleExperiment:
    found = parse({"family": "ensemble", "member": MEMBERS, **content}, folder=Path("/runs"))
    assert isinstance(found, EnsembleExperiment)
    return found


def test_paths_are_relative_to_the_file_and_the_copy_says_the_same(tmp_path: Path):
    given = read(combine={"copy": True, "method": "median"}, score={"primary": "rmse"})
    assert given.member[0].run == Path("/runs/a")
    assert given.combine.copied
    path = tmp_path / "experiment.toml"
    path.write_text(given.to_toml())
    assert load(path).content() == given.content()
    assert load(path).content_hash() == given.content_hash()
    assert "optimiser" not in path.read_text()


def test_the_hash_goes_by_the_names_of_the_members():
    other = parse({"family": "ensemble", "member": MEMBERS}, folder=Path("/elsewhere"))
    assert other.content_hash() == read().content_hash()
    assert read(combine={"method": "median"}).content_hash() != read().content_hash()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"optimiser": {"epochs": 3}}, r"leave out \[optimiser\]"),
        ({"average": {}, "run": {}}, r"leave out \[average\], \[run\]"),
        ({"member": MEMBERS[:1]}, "member: .*at least 2"),
        ({"member": [{"run": "a", "weight": 1.0}, {"run": "b"}]}, "no effect with .* 'mean'"),
        ({"member": [{"run": "a"}, {"run": "a"}]}, "is named twice"),
        ({"combine": {"method": "stack"}}, "combine.method"),
        ({"combine": {"copied": True}}, "combine.copied: unknown key"),
        ({"member": [{"run": "a", "weight": -1.0}, {"run": "b"}]}, "member.0.weight"),
        (
            {
                "member": [{"run": "a", "weight": 0.0}, {"run": "b", "weight": {"x": 0.0}}],
                "combine": {"method": "weighted"},
            },
            "no member weighs more than 0",
        ),
    ],
)
def test_what_would_have_no_effect_is_an_error(content: dict[str, Any], told: str):
    with pytest.raises(ExperimentError, match=told):
        read(**content)


def test_weights_are_given_by_all_or_fitted():
    some = [{"run": "a", "weight": 1.0}, {"run": "b"}]
    with pytest.raises(ExperimentError, match="none in member 1, counted from 0"):
        read(member=some, combine={"method": "weighted"})
    assert read(combine={"method": "weighted"}).fitted
    given = [{"run": "a", "weight": 1.0}, {"run": "b", "weight": {"x": 2.0}}]
    found = read(member=given, combine={"method": "weighted"})
    assert not found.fitted
    assert (found.member[1].weight_of("x"), found.member[1].weight_of("y")) == (2.0, 0.0)


def test_the_json_schema_offers_only_what_works():
    branches = {b["properties"]["family"]["const"]: b for b in json_schema()["oneOf"]}
    keys = branches["ensemble"]["properties"]
    assert {"member", "combine", "score", "seed", "name"} <= set(keys)
    assert not {"optimiser", "average", "run"} & set(keys)


def test_scores_that_are_not_set_are_the_first_members(tmp_path: Path):
    keys = {"score": {"primary": "rmse", "weights": {"green_g": 1.0}}, "tta": {"kind": "flips"}}
    first = experiment(save(wide(), tmp_path), **keys)
    found = scored_as(read(seed=3), first)
    assert (found.score.primary, found.score.weights) == ("rmse", {"green_g": 1.0})
    assert found.seed == 3
    assert found.tta.kind == "none"
    own = read(score={"primary": "mae", "weights": {"dead_g": 1.0}, "bootstrap": 0})
    found = scored_as(own, first)
    assert (found.score.primary, found.score.weights) == ("mae", {"dead_g": 1.0})
    assert found.score.bootstrap == 0


def test_an_ensemble_is_not_searched():
    from quadrat.search import tune

    with pytest.raises(UsageError, match="nothing to search"):
        tune(read())
