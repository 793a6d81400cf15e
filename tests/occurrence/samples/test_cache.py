import json
import types
import typing
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from pydantic import BaseModel, TypeAdapter, ValidationError

from quadrat.caches import ArrayCache, cache_folder
from quadrat.occurrence.samples import dataset
from quadrat.occurrence.samples.stored import IRRELEVANT, cache_key, to_arrays
from quadrat.occurrence.schema import OccurrenceExperiment


@pytest.fixture(autouse=True)
def _keep_everything(monkeypatch, tmp_path):
    monkeypatch.setattr(dataset, "_WORTH_KEEPING_SECONDS", 0.0)
    monkeypatch.setenv("QUADRAT_CACHE", str(tmp_path / "cache"))


def same(one, other):
    first, plain = to_arrays(one)
    second, also = to_arrays(other)
    assert json.dumps(plain) == json.dumps(also)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)
        assert array.dtype == second[name].dtype


def never(experiment):
    raise AssertionError("prepared again")


@pytest.mark.parametrize("full", [False, True])
def test_what_comes_back_is_what_was_prepared(experiment, monkeypatch, full):
    labels = {"frequency_weight": {"on": True}, "max_observations": 200} if full else {}
    split = {"regions": ["japan"], "test": 0.1} if full else {}
    made = experiment(labels=labels, split=split)
    fresh = dataset.prepare(made)
    monkeypatch.setattr(dataset, "_prepared", never)
    kept = dataset.prepare(made)
    same(fresh, kept)
    assert kept.vocabulary == fresh.vocabulary and kept.encoder == fresh.encoder
    assert kept.table.path == made.data.table and kept.tally == fresh.tally
    one, other = fresh.training_samples(), kept.training_samples()
    np.testing.assert_array_equal(one.environment, other.environment)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.from_numpy(other.labels.indices)


def test_it_can_be_turned_off(experiment):
    dataset.prepare(experiment(data={"cache": False}))
    assert not (cache_folder() / "records").exists()


def test_what_is_quick_is_not_kept(experiment, monkeypatch):
    monkeypatch.setattr(dataset, "_WORTH_KEEPING_SECONDS", 60.0)
    dataset.prepare(experiment())
    assert not (cache_folder() / "records").exists()


def test_files_count_by_their_contents(experiment, planet, tmp_path):
    copy = tmp_path / "elsewhere.parquet"
    copy.write_bytes(planet.table.read_bytes())
    moved = experiment(data={"table": str(copy)})
    assert cache_key(moved) == cache_key(experiment())
    names = tmp_path / "taxonomy.csv"
    names.write_text(planet.taxonomy.read_text() + "new1,Novus novus,New\n")
    renamed = experiment(data={"taxonomy": str(names)})
    assert cache_key(renamed) != cache_key(experiment())


def keys(model, prefix=""):
    for name in type(model).model_fields:
        value = getattr(model, name)
        if prefix + name in IRRELEVANT:
            continue
        if isinstance(value, BaseModel):
            yield from keys(value, f"{prefix}{name}.")
        elif prefix:
            yield prefix + name


def candidates(annotation, file):
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        for option in typing.get_args(annotation):
            yield from candidates(option, file)
    if typing.get_origin(annotation) is typing.Literal:
        yield from typing.get_args(annotation)
    yield from (True, False, 2, 3, 0.25, 0.5, 20.0, str(file), ("japan",), ("a",), (1999,))


def variants(made, dotted, file):
    """Experiments that differ in one key only."""
    *sections, key = dotted.split(".")
    owner = made
    for section in sections:
        owner = getattr(owner, section)
    field = type(owner).model_fields[key]
    kind = TypeAdapter(typing.Annotated[field.annotation, *field.metadata, None])
    for value in candidates(field.annotation, file):
        try:
            value = kind.validate_python(value)
        except ValidationError:
            continue
        if value == getattr(owner, key):
            continue
        changed = owner.model_copy(update={key: value})
        for depth in range(len(sections) - 1, -1, -1):
            parent = made
            for section in sections[:depth]:
                parent = getattr(parent, section)
            changed = parent.model_copy(update={sections[depth]: changed})
        yield changed


def test_every_key_that_matters_changes_the_key(experiment, tmp_path):
    file = tmp_path / "file.csv"
    file.write_text("old,new\n")
    made = experiment()
    own = cache_key(made)
    looked_at = list(keys(made))
    assert {"labels.propagate.range_cap_km", "split.seed", "data.synonyms"} <= set(looked_at)
    for dotted in looked_at:
        found = [cache_key(variant) for variant in variants(made, dotted, file)]
        assert found and own not in found, dotted


def test_what_does_not_matter_does_not(experiment):
    own = cache_key(experiment())
    for section, change in {
        "network": {"scale": 0.25},
        "optimiser": {"epochs": 7},
        "run": {"save_every": 3},
        "score": {"bootstrap": 20},
        "data": {"cache": False},
    }.items():
        assert cache_key(experiment(**{section: change})) == own


def test_what_is_left_out_exists():
    for dotted in IRRELEVANT - {"augment"}:
        model = OccurrenceExperiment
        for part in dotted.split("."):
            assert part in model.model_fields, dotted
            model = model.model_fields[part].annotation


def test_a_damaged_entry_is_made_again(experiment):
    made = experiment()
    fresh = dataset.prepare(made)
    entry = cache_folder() / "records" / cache_key(made)
    path = entry / "training_indices.npy"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.warns(UserWarning, match="damaged"):
        same(dataset.prepare(made), fresh)
    same(dataset.prepare(made), fresh)


def test_writers_at_the_same_time_leave_one_whole_entry(tmp_path):
    cache = ArrayCache(tmp_path / "many", off="it")
    arrays = {"a": np.arange(1000), "none": np.empty(0)}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: cache.write("key", arrays, {"n": 1}), range(8)))
    found, plain = cache.read("key")
    np.testing.assert_array_equal(found["a"], arrays["a"])
    assert plain == {"n": 1} and len(found["none"]) == 0
    assert [path.name for path in cache.folder.iterdir()] == ["key"]


def test_only_the_last_entries_stay(tmp_path):
    cache = ArrayCache(tmp_path / "few", off="it")
    for number in range(12):
        cache.write(f"k{number:02d}", {"a": np.arange(3)}, {})
    assert len(list(cache.folder.iterdir())) == 8
    assert cache.read("k11") is not None


def test_a_folder_that_cannot_be_written(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.warns(UserWarning, match="data.cache = false"):
        ArrayCache(file, off="data.cache = false").write("k", {"a": np.arange(3)}, {})


def test_changing_what_was_read_changes_no_file(tmp_path):
    cache = ArrayCache(tmp_path / "mapped", off="it")
    cache.write("k", {"a": np.arange(3)}, {})
    found, _ = cache.read("k")
    found["a"][0] = 9
    assert cache.read("k")[0]["a"].tolist() == [0, 1, 2]
