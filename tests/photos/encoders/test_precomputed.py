"""Features computed elsewhere: matched with photos by path, name, stem or row number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from quadrat.errors import DataError, UsageError
from quadrat.photos.encoders import PrecomputedEncoder, create_encoder
from quadrat.photos.features.encoding import precomputed_features
from quadrat.photos.features.source import FeatureSource
from quadrat.photos.samples.loading import Samples, load_samples
from tests.photos.tables import experiment, save, wide

MATRIX = np.arange(18, dtype=np.float32).reshape(6, 3)


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    path = save(wide().with_columns(place=pl.Series([5, 4, 3, 2, 1, 0])), tmp_path)
    return load_samples(experiment(path), path, require_targets=True)


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    np.save(tmp_path / "features.npy", MATRIX)
    return tmp_path / "features.npy"


def lines(folder: Path, names: list[str]) -> str:
    (folder / "rows.txt").write_text("\n".join(names) + "\n")
    return str(folder / "rows.txt")


@pytest.mark.parametrize("form", ["photos/{}.png", "elsewhere/{}.png", "{}.png", "{}", "x/{}.jpg"])
def test_photos_are_matched_by_path_name_or_stem(
    samples: Samples, matrix: Path, tmp_path: Path, form: str
):
    order = [3, 0, 5, 1, 4, 2]
    rows = lines(tmp_path, [form.format(number) for number in order])
    features = precomputed_features(matrix, rows, samples)
    np.testing.assert_array_equal(features.arrays[0][order], MATRIX)
    assert features.owner.tolist() == [0, 1, 2, 3, 4, 5]
    assert features.arrays[0].dtype == np.float32


def test_the_full_path_decides_between_equal_names(samples: Samples, matrix: Path, tmp_path: Path):
    names = ["photos/0.png", "other/0.png", *(f"photos/{k}.png" for k in range(1, 5))]
    found = precomputed_features(matrix, lines(tmp_path, names), samples.take([0, 4]))
    np.testing.assert_array_equal(found.arrays[0], MATRIX[[0, 5]])
    names[0] = "third/0.png"
    with pytest.raises(DataError, match=r"'photos/0.png' is in lines 1, 2"):
        precomputed_features(matrix, lines(tmp_path, names), samples.take([0, 4]))


def test_photos_without_a_row_are_listed(samples: Samples, matrix: Path, tmp_path: Path):
    rows = lines(tmp_path, [f"photos/{k}0.png" for k in range(6)])
    with pytest.raises(DataError) as caught:
        precomputed_features(matrix, rows, samples)
    assert len(caught.value.problems) == 6
    assert caught.value.problems[1].startswith("'photos/1.png' is in no line. Did you mean")


def test_a_column_holds_row_numbers(samples: Samples, matrix: Path):
    features = precomputed_features(matrix, "column:place", samples)
    np.testing.assert_array_equal(features.arrays[0], MATRIX[::-1])
    with pytest.raises(DataError, match=r"no column 'plac'.*Did you mean 'place'"):
        precomputed_features(matrix, "column:plac", samples)
    with pytest.raises(DataError, match="must hold a row number"):
        precomputed_features(matrix, "column:site", samples)
    np.save(matrix, MATRIX[:4])
    with pytest.raises(DataError, match=r"from 0 to 3") as caught:
        precomputed_features(matrix, "column:place", samples)
    assert caught.value.problems == ("sample 'q0': 5", "sample 'q1': 4")


def test_sets_have_a_row_for_each_photo(matrix: Path, tmp_path: Path):
    path = save(wide().select("image_path", "site"), tmp_path, "sets.csv")
    sets = load_samples(experiment(path, data={"sample": "site"}), path, require_targets=False)
    rows = lines(tmp_path, [str(k) for k in range(6)])
    features = precomputed_features(matrix, rows, sets)
    assert features.owner.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("contents", "told"),
    [
        (np.zeros(3), "must hold one matrix"),
        (np.zeros((0, 3)), "must hold one matrix"),
        (np.array([["a"]]), "not real numbers"),
        (np.array([[None]]), "is no .npy file of numbers"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, contents: Any, told: str):
    np.save(tmp_path / "odd.npy", contents, allow_pickle=contents.dtype == object)
    with pytest.raises(DataError, match=told):
        PrecomputedEncoder(tmp_path / "odd.npy", "rows.txt")


def test_a_missing_or_damaged_file_is_refused(tmp_path: Path, samples: Samples, matrix: Path):
    with pytest.raises(DataError, match="does not exist"):
        PrecomputedEncoder(tmp_path / "absent.npy", "rows.txt")
    matrix.write_bytes(matrix.read_bytes()[:20])
    with pytest.raises(DataError, match=r"is no \.npy file"):
        PrecomputedEncoder(matrix, "rows.txt")
    np.save(matrix, np.where(MATRIX == 4, np.nan, MATRIX))
    with pytest.raises(DataError, match="not finite") as caught:
        precomputed_features(matrix, lines(tmp_path, [str(k) for k in range(6)]), samples)
    assert caught.value.problems == ("row 1",)
    with pytest.raises(DataError, match="names 2 photos, and the matrix has 6 rows"):
        precomputed_features(matrix, lines(tmp_path, ["0", "1"]), samples)


def test_a_matrix_stands_where_a_network_would(samples: Samples, matrix: Path, tmp_path: Path):
    keys = {"name": f"precomputed:{matrix}", "rows": lines(tmp_path, list("012345"))}
    asked = experiment(tmp_path / "train.csv", encoder=keys)
    encoder = create_encoder(asked.encoder, asked.views)
    assert (encoder.width, encoder.frozen) == (3, True)
    features = FeatureSource(encoder).held(samples)
    np.testing.assert_array_equal(features.arrays[0], MATRIX)
    vectors = torch.from_numpy(features.arrays[0])
    assert encoder(vectors).vectors is vectors
    before = encoder.fingerprint()
    np.save(matrix, MATRIX + 1)
    assert encoder.fingerprint() != before
    with pytest.raises(UsageError, match="photos cannot go through it"):
        _ = encoder.preprocessing


@pytest.mark.real_data
def test_real_features_are_matched(real_data: Path):
    folder = real_data / "csiro_biomass"
    keys: dict[str, Any] = {"targets": ["GDM_g"], "numeric": [], "categorical": []}
    asked = experiment(folder / "train.csv", data=keys, balance=None, split={"by": ["State"]})
    samples = load_samples(asked, folder / "train.csv", require_targets=True)
    matrix = folder / "embeddings" / "feature_train_dino.npy"
    rows = folder / "embeddings" / "row_order.txt"
    features = precomputed_features(matrix, str(rows), samples)
    order = rows.read_text().split()
    first = order.index(samples.images[0][0])
    np.testing.assert_array_equal(features.arrays[0][0], np.load(matrix)[first].astype(np.float32))
    assert features.arrays[0].shape == (357, 384)
