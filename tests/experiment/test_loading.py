from __future__ import annotations

import json
from pathlib import Path

import pytest

from quadrat.errors import ExperimentError, UsageError
from quadrat.experiment import json_schema, load, parse
from quadrat.runs import Run

TOML = """
family = "photos"
name = "small"

[data]
table = "data/train.csv"
targets = ["green_g", "dead_g", "total_g"]

[[balance]]
total = "total_g"
parts = ["green_g", "dead_g"]

[split]
kind = "random"

[encoder]
name = "timm:resnet18"
weights = "none"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(TOML)
    return path


def test_paths_are_relative_to_the_file(file):
    experiment = load(file)
    assert experiment.data.table == file.parent.resolve() / "data" / "train.csv"
    assert experiment.encoder.weights == "none"
    assert experiment.source == file


def test_overridden_paths_are_relative_to_the_current_folder(file, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    experiment = load(file, ["data.table=here.csv", "encoder.weights=w.safetensors"])
    assert experiment.data.table == elsewhere / "here.csv"
    assert experiment.encoder.weights == str(elsewhere / "w.safetensors")


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("optimiser.epochs=7", 7),
        ("optimiser.epochs = 7", 7),
    ],
)
def test_overrides_are_toml_values(file, override, value):
    assert load(file, [override]).optimiser.epochs == value


def test_bare_words_are_text_and_lists_are_lists(file):
    experiment = load(file, ["name=other", "split.kind=group", 'split.by=["State"]'])
    assert experiment.name == "other"
    assert experiment.split.by == ("State",)


def test_members_of_lists_by_number(file):
    experiment = load(file, ['balance.0.parts=["green_g"]'])
    assert experiment.balance[0].parts == ("green_g",)
    with pytest.raises(UsageError, match="number below 1"):
        load(file, ["balance.4.total=green_g"])


def test_every_problem_at_once_with_path_and_closest_key(file):
    text = TOML.replace("[split]", "[splitt]").replace("weights", "wieghts")
    file.write_text(text + "\n[optimiser]\nepochs = 'many'\nlearningrate = 1\n")
    with pytest.raises(ExperimentError) as caught:
        load(file)
    message = str(caught.value)
    assert str(file) in message
    assert "splitt: unknown key. Did you mean 'split'?" in message
    assert "encoder.wieghts: unknown key. Did you mean 'weights'?" in message
    assert "optimiser.learningrate: unknown key. Did you mean 'learning_rate'?" in message
    assert "optimiser.epochs" in message
    assert "'many'" in message
    assert len(caught.value.problems) >= 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "family: it is missing"),
        ("family = 'photo'", "Did you mean 'photos'?"),
        ("family = [", "not valid TOML"),
    ],
)
def test_files_that_are_no_experiment(file, text, said):
    file.write_text(text)
    with pytest.raises(ExperimentError, match=r".*") as caught:
        load(file)
    assert said in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(ExperimentError, match="does not exist"):
        load(tmp_path / "none.toml")


def test_an_override_without_a_value(file):
    with pytest.raises(UsageError, match=r"write section\.key=value"):
        load(file, ["optimiser.epochs"])


def test_an_override_below_a_value(file):
    with pytest.raises(UsageError, match="name is a value"):
        load(file, ["name.first=x"])


def test_the_resolved_copy_is_the_same_experiment(file, tmp_path):
    experiment = load(file, ["optimiser.learning_rate=0.002"])
    run = Run.create(tmp_path / "runs", experiment)
    again = run.experiment()
    assert again.content() == experiment.content()
    assert again.content_hash() == experiment.content_hash()
    text = run.path("experiment.toml").read_text()
    assert "weight_decay" in text, "defaults are written out"
    assert run.folder.name.startswith("small-20")
    assert run.folder.name.endswith(experiment.content_hash()[:4])


def test_the_hash_tells_experiments_apart_and_only_those(file):
    plain = load(file).content_hash()
    assert load(file, ["seed=1"]).content_hash() != plain
    assert load(file, ["encoder.weights=hub"]).content_hash() != plain
    assert load(file, ["optimiser.epochs=99", "run.device=cpu"]).content_hash() == plain
    assert load(file, ["name=other"]).content_hash() == plain


def test_the_hash_does_not_depend_on_the_folder(file, tmp_path):
    moved = tmp_path / "moved" / "small.toml"
    moved.parent.mkdir()
    moved.write_text(TOML)
    assert load(moved).content_hash() == load(file).content_hash()


def test_optional_paths_are_paths_too(file, tmp_path):
    document = {"family": "occurrence", "data": {"table": "c.parquet", "taxonomy": "t.csv"}}
    here, there = (parse(document, folder=tmp_path / name) for name in ("a", "b"))
    assert here.data.taxonomy == tmp_path / "a" / "t.csv"
    assert here.content_hash() == there.content_hash()


def test_experiments_are_frozen(file):
    with pytest.raises(Exception, match="frozen"):
        load(file).seed = 1


def test_mappings_are_experiments_too():
    document = {"family": "photos", "data": {"table": "t.csv", "targets": ["a_g"]}}
    document |= {"split": {"kind": "random"}, "encoder": {"name": "timm:x", "weights": "none"}}
    assert parse(document).data.table == Path.cwd() / "t.csv"


def test_schema_describes_every_key():
    schema = json_schema()
    assert len(schema["oneOf"]) == 3
    json.dumps(schema)
    for name, definition in schema["$defs"].items():
        for key, field in definition.get("properties", {}).items():
            described = field.get("description") or "$ref" in field
            assert described, f"{name}.{key} has no description"


def test_a_wrong_item_does_not_make_its_list_too_short():
    content = {"family": "photos", "data": {"table": "t.csv", "targets": [{}]}}
    with pytest.raises(ExperimentError) as caught:
        parse(content)
    assert [line for line in caught.value.problems if line.startswith("data.targets.0")]
    assert "too short" not in str(caught.value)
    content["data"]["targets"] = []
    with pytest.raises(ExperimentError, match=r"data\.targets: the list is too short"):
        parse(content)


@pytest.mark.parametrize(("resamples", "enough"), [(0, True), (1, False), (19, False), (20, True)])
def test_intervals_need_resamples(file, resamples, enough):
    override = [f"score.bootstrap={resamples}"]
    if enough:
        assert load(file, override).score.bootstrap == resamples
    else:
        with pytest.raises(ExperimentError, match=r"score\.bootstrap.*at least 20"):
            load(file, override)
