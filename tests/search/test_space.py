from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from quadrat.errors import ExperimentError, UsageError
from quadrat.experiment import parse
from quadrat.recipes import recipe_names, recipe_text
from quadrat.search.proposing import Proposer
from quadrat.search.space import FIXED, default_space, is_whole, read_space


def problems(space, experiment) -> str:
    with pytest.raises(ExperimentError) as raised:
        read_space(space, experiment)
    return "\n".join(raised.value.problems)


@pytest.mark.parametrize("family", ["occurrence", "photos"])
def test_every_key_and_value_of_the_shipped_spaces_is_legal(family, request):
    experiment = request.getfixturevalue(family)()
    space = default_space(experiment)
    assert len(space.ranges) >= 10
    assert not set(space.ranges) & set(FIXED)


@pytest.mark.parametrize("family", ["occurrence", "photos"])
def test_the_defaults_lie_in_the_shipped_ranges(family, request):
    experiment = request.getfixturevalue(family)()
    assert Proposer(experiment, default_space(experiment)).given() is not None


@pytest.mark.parametrize("name", recipe_names())
def test_the_shipped_spaces_fit_every_recipe(name):
    experiment = parse(tomllib.loads(recipe_text(name)))
    assert default_space(experiment).ranges


@pytest.mark.parametrize("family", ["occurrence", "photos"])
def test_a_space_file_is_read_back_the_same(family, request, tmp_path):
    experiment = request.getfixturevalue(family)()
    space = default_space(experiment)
    path = tmp_path / "space.toml"
    path.write_text(space.to_toml(), encoding="utf-8")
    assert read_space(path, experiment) == space


def test_unknown_keys_are_refused_with_the_closest(occurrence):
    found = problems({"network": {"scal": {"low": 1, "high": 2}}}, occurrence())
    assert "network.scal: unknown key. Did you mean 'scale'?" in found
    found = problems({"netwrk": {"scale": {"low": 1, "high": 2}}}, occurrence())
    assert "netwrk: unknown key. Did you mean 'network'?" in found


def test_old_names_in_a_space_are_answered_with_the_key(occurrence):
    found = problems({"lr": {"low": 1e-4, "high": 1e-3}}, occurrence())
    assert "lr: unknown key. The geomodel's --lr is 'optimiser.learning_rate' here." in found


def test_values_that_the_schema_refuses_are_refused(occurrence):
    space = {
        "network": {"scale": {"low": 0.5, "high": 80.0}, "week_harmonics": {"low": 1, "high": 2.5}},
        "optimiser": {"schedule": {"choices": ["cosine", "linear"]}},
    }
    found = problems(space, occurrence())
    assert "network.scale: " in found
    assert "80.0" in found
    assert "network.week_harmonics: " in found
    assert "optimiser.schedule: " in found
    assert "linear" in found


def test_ranges_that_are_none_are_refused(occurrence):
    space = {
        "network": {"scale": {"low": 2.0, "high": 1.0}},
        "optimiser": {
            "learning_rate": {"low": 0.0, "high": 1.0, "log": True},
            "weight_decay": {"low": 0.1, "hihg": 1.0},
            "batch_size": {"choices": [8], "low": 1},
            "clip": {"choices": [1.0, 1.0]},
        },
    }
    found = problems(space, occurrence())
    assert "network.scale: low = 2.0 must be below high = 1.0" in found
    assert "optimiser.learning_rate: low = 0.0 must be above 0" in found
    assert "optimiser.weight_decay.hihg" in found
    assert "optimiser.batch_size: give choices, or low and high, not both" in found
    assert "optimiser.clip: give at least two different choices" in found


@pytest.mark.parametrize("key", ["optimiser.epochs", "split", "data", "score", "seed"])
def test_what_would_change_the_judgement_is_refused(occurrence, key):
    assert f"{key}: it cannot be searched" in problems({key: {"low": 1, "high": 2}}, occurrence())


def test_conditions_name_keys_that_are_chosen_before(occurrence):
    rate = {"low": 1e-4, "high": 1e-3}
    later = {
        "optimiser": {
            "learning_rate": {**rate, "when": {"optimiser.schedule": "none"}},
            "schedule": {"choices": ["cosine", "none"]},
        }
    }
    assert "put 'optimiser.schedule' before it" in problems(later, occurrence())
    unknown = {"optimiser": {"learning_rate": {**rate, "when": {"optimiser.shedule": "none"}}}}
    assert "Did you mean 'optimiser.schedule'?" in problems(unknown, occurrence())
    never = {
        "network": {"encoding": {"choices": ["spherical", "harmonic"]}},
        "optimiser": {"learning_rate": {**rate, "when": {"network.encoding": "cubic"}}},
    }
    assert "'network.encoding' never becomes ['cubic']" in problems(never, occurrence())


def test_dotted_keys_are_as_good_as_sections(occurrence):
    dotted = {"network.scale": {"low": 0.5, "high": 1.0}}
    nested = {"network": {"scale": {"low": 0.5, "high": 1.0}}}
    assert read_space(dotted, occurrence()) == read_space(nested, occurrence())


def test_only_keys_of_the_space_can_be_chosen(occurrence):
    space = default_space(occurrence())
    assert list(space.only(["network.scale"]).ranges) == ["network.scale"]
    with pytest.raises(UsageError, match=r"Did you mean 'network\.scale'"):
        space.only(["network.scael"])
    with pytest.raises(UsageError) as raised:
        space.only(["network.scale", "lr", "los.kind"], occurrence().advice)
    assert "'lr'. The geomodel's --lr is 'optimiser.learning_rate' here." in str(raised.value)
    assert "'los.kind'. Did you mean 'loss.kind'?" in str(raised.value)


def test_keys_that_the_experiment_settles_are_not_searched(occurrence, tmp_path):
    (tmp_path / "experiment.toml").write_text("[network]\nscale = 0.5\nhabitat_head = false\n")
    started = occurrence(start={"run": str(tmp_path)})
    before, after = default_space(occurrence()).ranges, default_space(started).ranges
    assert before.keys() - after.keys() == {"network.scale", "network.habitat_head"}


def test_whole_numbers_are_known_by_the_schema(occurrence, photos):
    assert is_whole(occurrence(), "network.coord_harmonics")
    assert is_whole(occurrence(), "optimiser.warmup_steps")
    assert not is_whole(occurrence(), "network.scale")
    assert is_whole(photos(), "fusion.hidden")


def test_a_missing_space_file_says_so(occurrence, tmp_path: Path):
    with pytest.raises(ExperimentError, match="does not exist"):
        read_space(tmp_path / "none.toml", occurrence())


KNOWN_RANGES = {  # of the BirdNET geomodel's own search
    "loss.pos_lambda": (1.0, 64.0, True),
    "loss.neg_samples": {128, 256, 512, 1024, 2048, 4096},
    "loss.label_smoothing": (0.0, 0.1, False),
    "network.environment_weight": (0.01, 1.0, True),
    "augment.jitter": {True, False},
    "loss.kind": {"asl", "assume-negative", "bce", "focal"},
    "loss.asl_gamma_neg": (1.0, 8.0, False),
    "loss.asl_clip": (0.0, 0.2, False),
    "loss.focal_alpha": (0.1, 0.9, False),
    "loss.focal_gamma": (0.5, 5.0, False),
    "network.scale": (0.25, 3.0, True),
    "network.coord_harmonics": (2, 8, False),
    "network.week_harmonics": (2, 8, False),
    "labels.frequency_weight.on": {True, False},
    "labels.frequency_weight.min": (0.01, 0.5, True),
    "labels.frequency_weight.pct_low": (1.0, 25.0, False),
    "labels.frequency_weight.pct_high": (75.0, 99.0, False),
}


@pytest.mark.parametrize("key", KNOWN_RANGES)
def test_the_ranges_of_the_geomodel_are_searched(occurrence, key):
    found = default_space(occurrence()).ranges[key]
    known = KNOWN_RANGES[key]
    if isinstance(known, set):
        assert known <= set(found.choices)
    else:
        assert (found.low, found.high, found.log) == known


def test_keys_of_one_loss_are_searched_with_that_loss_only(occurrence):
    ranges = default_space(occurrence()).ranges
    for start, kind in (("asl_", "asl"), ("focal_", "focal"), ("pos_", "assume-negative")):
        for key in ranges:
            if key.startswith(f"loss.{start}"):
                assert ranges[key].when == {"loss.kind": (kind,)}
