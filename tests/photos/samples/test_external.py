"""Rows of other data sets: read in our columns and units, learnt from, and never judged by."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from quadrat.errors import DataError, ExperimentError
from quadrat.experiment import parse
from quadrat.photos.preparation import prepare
from quadrat.photos.samples.external import load_external
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.training import train, training_part
from quadrat.runs import Run
from quadrat.workflow.provenance import file_hash, provenance
from tests.photos.small import COUNT, WIDTH, small, table, vectors_of
from tests.photos.tables import experiment, paint, save, wide

Keys = Mapping[str, Any]


def foreign(folder: Path, count: int = 10, factor: float = 1.0) -> Path:
    """A table with names of its own, in centigrams, that knows no dead matter in odd rows."""
    rng = np.random.default_rng(8)
    grass, weeds = rng.uniform(1, 20, (2, count))
    dead = np.where(np.arange(count) % 2, np.nan, 5.0)
    frame = pl.DataFrame(
        {
            "file": [f"theirs/{row}.jpg" for row in range(count)],
            "plot": [f"plot {row // 2}" for row in range(count)],
            "row": np.arange(count) + COUNT,
            "grass": 100 * factor * grass,
            "weeds": 100 * factor * weeds,
            "dead": 100 * dead,
        }
    )
    path = folder / "foreign.csv"
    path.write_text("\ufeff" + frame.fill_nan(None).write_csv(separator=";"), encoding="utf-8")
    return path


def with_external(given: PhotosExperiment, **keys: Any) -> PhotosExperiment:
    """The experiment with the foreign table beside it."""
    section = {
        "columns": {
            "file": "image_path",
            "plot": "site",
            "grass": "green_g",
            "weeds": "green_g",
            "dead": "dead_g",
        },
        "scale": {"green_g": 0.01, "dead_g": 0.01},
        **keys,
    }
    parsed = parse({**given.content(), "external": [section]})
    assert isinstance(parsed, PhotosExperiment)
    return parsed


def learnable(folder: Path, **keys: Any) -> PhotosExperiment:
    """The small problem with ten foreign rows, whose vectors follow ours in the matrix."""
    given = with_external(small(folder), table=str(foreign(folder)), **keys)
    more = np.random.default_rng(9).normal(size=(10, WIDTH))
    np.save(folder / "vectors.npy", np.vstack([vectors_of(), more]).astype(np.float32))
    return given


def test_columns_and_units_become_ours(tmp_path: Path):
    given = with_external(small(tmp_path), table=str(foreign(tmp_path)), weight=0.25)
    part = load_external(given, given.external[0])
    rng = np.random.default_rng(8)
    grass, weeds = rng.uniform(1, 20, (2, 10))
    np.testing.assert_allclose(part.samples.targets[:, 0], grass + weeds)
    np.testing.assert_array_equal(np.isnan(part.samples.targets[:, 1]), np.arange(10) % 2 == 1)
    assert part.samples.targets[0, 1] == pytest.approx(5.0)
    assert np.isnan(part.samples.targets[:, 2]).all()
    assert np.isnan(part.samples.numeric).all()
    assert part.samples.ids[3] == "foreign: theirs/3.jpg"
    assert part.samples.paths[3] == (tmp_path / "theirs/3.jpg",)
    assert set(part.labels) == {f"foreign | plot {plot}" for plot in range(5)}
    assert (part.counts == 0.25).all()


def test_what_is_wrong_is_said(tmp_path: Path):
    table = str(foreign(tmp_path))
    given = small(tmp_path)
    with pytest.raises(DataError, match=r"'fyle'.*Did you mean 'file'"):
        wrong = with_external(given, table=table, columns={"fyle": "image_path"})
        load_external(wrong, wrong.external[0])
    with pytest.raises(DataError, match="none of our targets"):
        wrong = with_external(given, table=table, columns={"file": "image_path"}, scale={})
        load_external(wrong, wrong.external[0])
    with pytest.raises(ExperimentError, match=r"external\.0\.scale.*'green'"):
        with_external(given, table=table, scale={"green": 2.0})
    with pytest.raises(ExperimentError, match="several columns become 'site'"):
        with_external(given, table=table, columns={"plot": "site", "file": "site"})
    with pytest.raises(ExperimentError, match=r"this is data\.table"):
        with_external(given, table=str(given.data.table))


def test_rows_are_learnt_from_and_never_judged(tmp_path: Path):
    alone, with_them = small(tmp_path), learnable(tmp_path)
    tables = {}
    for name, given in (("with", with_them), ("alone", alone)):
        run = Run.create(tmp_path / "runs", given)
        train(given, run, history=run.history())
        tables[name] = pl.read_parquet(run.path("oof.parquet"))
    assert set(tables["with"]["sample"]) == set(table()["image_path"])
    assert (
        tables["with"]
        .select("sample", "fold", "truth")
        .equals(tables["alone"].select("sample", "fold", "truth"))
    )
    assert not np.allclose(tables["with"]["raw"], tables["alone"]["raw"], atol=1e-3)


def test_the_weight_says_how_much_they_count(tmp_path: Path):
    """As their weight vanishes, it no longer matters what they say."""

    def predicted(weight: float, factor: float) -> np.ndarray[Any, np.dtype[np.float64]]:
        given = learnable(tmp_path, weight=weight)
        foreign(tmp_path, factor=factor)
        still = given.optimiser.model_copy(update={"learning_rate": 1e-12})
        run = Run.create(tmp_path / "runs", given)
        train(given.model_copy(update={"optimiser": still}), run, history=run.history())
        return pl.read_parquet(run.path("oof.parquet"))["raw"].to_numpy()

    assert np.abs(predicted(1.0, 1.0) - predicted(1.0, 3.0)).max() > 0.1
    np.testing.assert_allclose(predicted(1e-7, 1.0), predicted(1e-7, 3.0), atol=1e-3)


def test_they_join_the_training_part_alone(tmp_path: Path):
    prepared = prepare(learnable(tmp_path))
    assert prepared.external is not None
    part = training_part(prepared, prepared.folds[0].train)
    assert len(part) == len(prepared.folds[0].train)
    joined = part.joined()
    assert len(joined) == len(part) + 10
    assert joined.samples.ids[-1] == "foreign: theirs/9.jpg"
    assert joined.samples.column("row").tolist()[-10:] == list(range(COUNT, COUNT + 10))
    rows = prepared.report.tables["Targets of other data sets, in our units"]
    assert [row["known"] for row in rows] == [10, 5, 0]


def test_their_table_is_in_the_provenance(tmp_path: Path):
    given = learnable(tmp_path)
    assert provenance(given)["tables"]["external.0.table"] == file_hash(tmp_path / "foreign.csv")
    assert "external.0.table" not in provenance(small(tmp_path))["tables"]


def test_a_photo_of_ours_among_theirs_is_refused(tmp_path: Path):
    paint(tmp_path)
    (tmp_path / "theirs").mkdir()
    frame = wide(2).with_columns(image_path=pl.Series(["copy.png", "other.png"]))
    save(frame, tmp_path / "theirs", "theirs.csv")
    shutil.copy(tmp_path / "photos" / "3.png", tmp_path / "theirs" / "copy.png")
    (tmp_path / "more").mkdir()
    paint(tmp_path / "more", 1, (21, 31))
    shutil.copy(tmp_path / "more" / "photos" / "0.png", tmp_path / "theirs" / "other.png")
    given = experiment(save(wide(), tmp_path), encoder={"weights": "none"})
    section = {"table": str(tmp_path / "theirs" / "theirs.csv")}
    prepared = prepare(with_external(given, columns={}, scale={}, **section))
    assert prepared.report.errors == [
        "'theirs: q0' has the same photo as 'q3' of data.table, and would be learnt while that is "
        "held out; leave it out of theirs.csv"
    ]


def test_the_danish_clover_table_is_read():
    folder = os.environ.get("QUADRAT_TEST_DATA")
    if not folder:
        pytest.skip("QUADRAT_TEST_DATA names no folder of real data")
    path = Path(folder) / "grassclover" / "danish_gt.csv"
    given = parse(
        {
            "family": "photos",
            "data": {"table": "ours.csv", "targets": ["Dry_Green_g", "Dry_Clover_g", "White_g"]},
            "split": {"kind": "random"},
            "external": [
                {
                    "table": str(path),
                    "columns": {
                        "image_file_name": "image_path",
                        "dry_grass": "Dry_Green_g",
                        "dry_weeds": "Dry_Green_g",
                        "dry_clover": "Dry_Clover_g",
                        "dry_white_clover": "White_g",
                    },
                    "scale": {"Dry_Green_g": 0.21, "Dry_Clover_g": 0.21, "White_g": 0.21},
                }
            ],
        }
    )
    assert isinstance(given, PhotosExperiment)
    samples = load_external(given, given.external[0]).samples
    assert samples.targets.shape == (261, 3)
    np.testing.assert_allclose(samples.targets[0], 0.21 * np.array([103.48 + 3.98, 27.84, 27.84]))
    assert np.isnan(samples.targets[1, 2]), "label_type basic knows clover, and not which"
    assert not np.isnan(samples.targets[:, 1]).any()
