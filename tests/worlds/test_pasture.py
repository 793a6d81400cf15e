"""The rendered pasture: layout, exact identities, and masses that the photos show."""

from __future__ import annotations

import subprocess
import sys
from itertools import groupby
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from quadrat.errors import UsageError
from quadrat.worlds import PastureWorld, make_pasture
from quadrat.worlds.pasture import TARGETS

HEADER = (
    "sample_id,image_path,Sampling_Date,State,Species,Pre_GSHH_NDVI,Height_Ave_cm,"
    "target_name,target"
)
PHOTO = ["image_path", "State", "Sampling_Date", "Pre_GSHH_NDVI", "Height_Ave_cm"]


def wide(table: Path) -> pl.DataFrame:
    return pl.read_csv(table).pivot(on="target_name", index=PHOTO, values="target")


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_tables_have_the_layout_of_the_competition(field: PastureWorld) -> None:
    train = pl.read_csv(field.train)
    assert field.train.read_text(encoding="utf-8").splitlines()[0] == HEADER
    assert field.truth.read_text(encoding="utf-8").splitlines()[0] == HEADER
    assert train.height == 72 * 5
    ids = train["image_path"].str.extract(r"^train/(ID\d+)\.jpg$")
    assert (train["sample_id"] == ids + "__" + train["target_name"]).all()
    assert train["sample_id"].is_sorted()
    assert [name for name, _ in groupby(train["target_name"])][:5] == list(TARGETS)
    assert train["target"].dtype == pl.Float64
    assert train["Sampling_Date"].str.contains(r"^2015/[1-9]\d?/[1-9]\d?$").all()


@pytest.mark.real_data
def test_header_is_the_real_one(field: PastureWorld, real_data: Path) -> None:
    for ours in (field.train, field.test, field.sample_submission):
        theirs = real_data / "csiro_biomass" / ours.name
        assert pl.read_csv(ours).columns == pl.read_csv(theirs).columns
    theirs = pl.read_csv(real_data / "csiro_biomass" / "train.csv")
    assert pl.read_csv(field.train).schema == theirs.schema
    assert theirs["target_name"].head(5).to_list() == list(TARGETS)


def test_test_photos_come_without_metadata(field: PastureWorld) -> None:
    test, truth = pl.read_csv(field.test), pl.read_csv(field.truth)
    submission = pl.read_csv(field.sample_submission)
    assert test.columns == ["sample_id", "image_path", "target_name"]
    assert test.equals(truth.select(test.columns))
    assert submission.columns == ["sample_id", "target"]
    assert submission["sample_id"].equals(test["sample_id"])
    assert submission["target"].to_list() == [0.0] * test.height
    assert not set(test["sample_id"]) & set(pl.read_csv(field.train)["sample_id"])


def test_photos_lie_where_the_tables_say(field: PastureWorld) -> None:
    for table, photos in ((field.train, field.train_photos), (field.test, field.test_photos)):
        paths = pl.read_csv(table)["image_path"].unique(maintain_order=True)
        assert [field.folder / path for path in paths] == list(photos)
    for photo in field.train_photos + field.test_photos:
        with Image.open(photo) as picture:
            assert (picture.size, picture.mode, picture.format) == ((160, 80), "RGB", "JPEG")


@pytest.mark.parametrize("table", ["train", "truth"])
def test_identities_are_exact(field: PastureWorld, table: str) -> None:
    rows = wide(getattr(field, table))
    gdm = rows["Dry_Green_g"] + rows["Dry_Clover_g"] - rows["GDM_g"]
    total = rows["GDM_g"] + rows["Dry_Dead_g"] - rows["Dry_Total_g"]
    assert gdm.abs().max() < 1e-9
    assert total.abs().max() < 1e-9


def test_magnitudes_and_exact_zeros(field: PastureWorld) -> None:
    rows = wide(field.train)
    assert rows.select(pl.col(TARGETS).min().ge(0)).row(0) == (True,) * 5
    assert 1 < rows["Dry_Total_g"].min() < 15
    assert 80 < rows["Dry_Total_g"].max() < 200
    assert 30 < rows["Dry_Total_g"].mean() < 65
    for component in ("Dry_Clover_g", "Dry_Dead_g"):
        assert 0.05 < (rows[component] == 0).mean() < 0.7


def test_groups_are_state_times_date(field: PastureWorld) -> None:
    train, truth = wide(field.train), wide(field.truth)
    groups = train.group_by("State", "Sampling_Date").len()
    assert groups.height == 12
    assert groups["len"].to_list() == [6] * 12
    assert train["State"].n_unique() == 3
    assert truth.join(train, on=["State", "Sampling_Date"], how="semi").is_empty()


def test_instruments_read_what_was_drawn(field: PastureWorld) -> None:
    rows = wide(field.train)
    assert np.corrcoef(rows["Pre_GSHH_NDVI"], rows["GDM_g"])[0, 1] > 0.5
    assert np.corrcoef(rows["Height_Ave_cm"], rows["Dry_Total_g"])[0, 1] > 0.5
    assert rows["Pre_GSHH_NDVI"].is_between(0.1, 0.95).all()
    assert rows["Height_Ave_cm"].min() > 0


def test_green_of_the_photo_tells_the_green_mass(field: PastureWorld) -> None:
    green = []
    for photo in field.train_photos:
        with Image.open(photo) as picture:
            red, leaf, blue = np.moveaxis(np.asarray(picture, float), -1, 0)
        green.append(((leaf > 1.05 * red) & (leaf > 1.05 * blue)).mean())
    mass = np.sqrt(wide(field.train)["GDM_g"].to_numpy())
    assert np.corrcoef(green, mass)[0, 1] > 0.8


def test_photos_of_a_group_resemble_each_other(field: PastureWorld) -> None:
    """The reason for group folds: the nearest photo is often one of the same state and date."""
    looks = []
    for photo in field.train_photos:
        with Image.open(photo) as picture:
            pixels = np.asarray(picture, float).reshape(-1, 3)
        looks.append(np.concatenate([pixels.mean(0), pixels.std(0)]))
    distance = np.linalg.norm(np.array(looks)[:, None] - np.array(looks), axis=-1)
    np.fill_diagonal(distance, np.inf)
    group = wide(field.train).select(pl.struct("State", "Sampling_Date").rank("dense")).to_series()
    same = group.to_numpy()[distance.argmin(1)] == group.to_numpy()
    assert same.mean() > 4 * 5 / 71  # four times what chance would give


def test_stamps_are_orange_and_in_the_corner(tmp_path: Path) -> None:
    plain = make_pasture(tmp_path / "plain", photos=4, test_photos=0, seed=5)
    dated = make_pasture(tmp_path / "dated", photos=4, test_photos=0, stamps=0.5, seed=5)
    stamped = 0
    for before, after in zip(plain.train_photos, dated.train_photos, strict=True):
        with Image.open(before) as one, Image.open(after) as other:
            change = np.abs(np.asarray(one, int) - np.asarray(other, int)).max(-1) > 40
            corner = np.asarray(other, int)[180:, 300:].reshape(-1, 3)
        assert not change[:180].any()
        assert not change[:, :300].any()
        if change.any():
            stamped += 1
            assert (np.abs(corner - (255, 140, 20)).max(1) < 50).sum() > 100
    assert stamped == 2


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    def made(name: str, seed: int, test_photos: int = 2) -> dict[str, bytes]:
        make_pasture(
            tmp_path / name, photos=5, test_photos=test_photos, size=(64, 32), seed=seed, stamps=0.4
        )
        return files_of(tmp_path / name)

    first = made("first", 11)
    assert first == made("again", 11)
    assert len(first) == 5 + 2 + 4
    assert first["train.csv"] != made("other", 12)["train.csv"]
    train = {name: data for name, data in first.items() if name.startswith("train")}
    more = made("more", 11, test_photos=3)
    assert train.items() <= more.items(), "the test photos must not change the training photos"


def test_a_pasture_without_test_photos_keeps_its_tables(tmp_path: Path) -> None:
    world = make_pasture(tmp_path, photos=1, test_photos=0, size=(32, 16))
    assert world.test_photos == ()
    assert world.test.read_text(encoding="utf-8") == "sample_id,image_path,target_name\n"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"photos": 0}, "photos = 0"),
        ({"test_photos": -1}, "test_photos = -1"),
        ({"states": 9}, "states = 9: give 1 to 8"),
        ({"dates_per_state": 0}, "dates_per_state = 0"),
        ({"size": (480, 4)}, "at least 16 px"),
        ({"stamps": 1.5}, "stamps = 1.5"),
    ],
)
def test_impossible_pastures_are_refused(
    tmp_path: Path, wrong: dict[str, object], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        make_pasture(tmp_path / "none", **wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "none").exists()


def test_importing_worlds_is_light() -> None:
    heavy = "{'polars', 'pyarrow', 'torch', 'pydantic', 'scipy', 'h3'}"
    code = f"import sys, quadrat.worlds; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
