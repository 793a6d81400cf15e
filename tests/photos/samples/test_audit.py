"""The audit finds what is wrong with photos and targets, and says where."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quadrat.errors import DataError
from quadrat.photos.samples.audit import audit_photos, audit_targets, keep_readable
from quadrat.photos.samples.loading import Samples, load_samples
from quadrat.runtime.balance import Balance, Identity
from quadrat.splits import Fold
from tests.photos.tables import TARGETS, experiment, paint, save, wide

BALANCE = Balance(TARGETS, (Identity("total_g", ("green_g", "dead_g")),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    paint(tmp_path)
    return tmp_path / "photos"


@pytest.fixture
def samples(folder: Path) -> Samples:
    path = save(wide(), folder.parent)
    return load_samples(experiment(path), path, require_targets=True)


def test_good_photos_pass(samples: Samples):
    audit = audit_photos(samples)
    assert (audit.photos, audit.share_readable) == (6, 1.0)
    assert audit.errors(1.0) == audit.warnings(1.0) == []
    assert keep_readable(samples, audit, 1.0) is samples


def test_missing_and_damaged_photos_are_named(samples: Samples, folder: Path):
    (folder / "1.png").unlink()
    (folder / "4.png").write_bytes((folder / "4.png").read_bytes()[:200])
    audit = audit_photos(samples, workers=2)
    assert audit.readable.tolist() == [True, False, True, True, False, True]
    assert audit.share_readable == pytest.approx(4 / 6)
    first, second = audit.errors(1.0)
    assert first == f"{folder / '1.png'}: the file does not exist"
    assert second.startswith(f"{folder / '4.png'}: it is damaged")
    with pytest.raises(DataError, match=r"2 of 6 photos cannot be read") as caught:
        keep_readable(samples, audit, 0.9)
    assert str(folder / "1.png") in str(caught.value)
    assert audit.errors(0.5) == []
    assert audit.warnings(0.5) == [first, second]
    assert keep_readable(samples, audit, 0.5).ids == ("q0", "q2", "q3", "q5")


def test_no_readable_photo_at_all_is_an_error_whatever_the_share(samples: Samples, folder: Path):
    shutil.rmtree(folder)
    with pytest.raises(DataError, match="6 of 6"):
        keep_readable(samples, audit_photos(samples), 0.01)


def test_a_set_is_readable_where_all_its_photos_are(folder: Path):
    path = save(wide().select("image_path", "site"), folder.parent)
    sets = load_samples(experiment(path, data={"sample": "site"}), path, require_targets=False)
    (folder / "3.png").unlink()
    assert audit_photos(sets).readable.tolist() == [True, False, True]


def test_copies_are_found_by_their_contents_and_across_folds(samples: Samples, folder: Path):
    shutil.copy(folder / "0.png", folder / "3.png")
    shutil.copy(folder / "1.png", folder / "2.png")
    one = Fold(0, "fold 1", np.array([1, 2, 3]), np.array([], dtype=np.int64), np.array([0, 4, 5]))
    audit = audit_photos(samples, folds=[one])
    assert audit.copies.tolist() == [
        "photos/0.png", "photos/1.png", "photos/1.png", "photos/0.png", None, None,
    ]  # fmt: skip
    assert [(leak.fold, leak.value) for leak in audit.leaks] == [("fold 1", "photos/0.png")]
    told = audit.warnings(1.0)
    assert told[0] == "2 samples have the same photo as 'photos/0.png'"
    assert "in train (1 samples) and in held out (1 samples)" in told[-1]


def test_copies_join_sets_through_one_another(folder: Path):
    path = save(wide().select("image_path", "site"), folder.parent)
    sets = load_samples(experiment(path, data={"sample": "site"}), path, require_targets=False)
    shutil.copy(folder / "1.png", folder / "2.png")
    shutil.copy(folder / "3.png", folder / "5.png")
    assert audit_photos(sets).copies.tolist() == ["photos/0.png"] * 3


def test_progress_counts_the_photos(samples: Samples):
    seen: list[tuple[int, int]] = []
    audit_photos(samples, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k, 6) for k in range(1, 7)]


def test_broken_identities_are_told_with_their_row(samples: Samples):
    targets = samples.targets.copy()
    targets[3, 2] += 0.4
    targets[4, 0] = np.nan
    broken = replace(samples, targets=targets)
    assert audit_targets(broken, BALANCE, tolerance=0.5) == []
    (line,) = audit_targets(broken, BALANCE, tolerance=0.3)
    assert line == "row 5, sample 'q3': total_g = green_g + dead_g is off by 0.4"


def test_of_many_broken_identities_the_worst_are_told_and_the_others_counted(samples: Samples):
    many = replace(samples.take(np.arange(40) % 6), rows=())
    targets = np.tile([1.0, 2.0, 3.0], (40, 1))
    targets[:30, 2] += 1.0
    targets[7, 2] += 5.0
    lines = audit_targets(replace(many, targets=targets), BALANCE, tolerance=0.5)
    told = [line for line in lines if "is off" in line]
    assert len(told) == 21
    assert "sample 'q1': total_g = green_g + dead_g is off by 6" in told
    assert "off in 10 more samples: 30 of 40 in all" in told[-1]


def test_odd_targets_are_told(samples: Samples):
    count = 40
    many = samples.take(np.arange(count) % 6)
    targets = np.random.default_rng(0).uniform(5.0, 20.0, (count, 3))
    targets[7, 0] = 900.0
    targets[:, 1] = 3.0
    targets[9, 2] = -1.0
    free = Balance(TARGETS, (Identity("total_g", ("dead_g",)),))
    lines = audit_targets(replace(many, targets=targets, rows=()), free, tolerance=1e6)
    assert lines == [
        "sample 'q1': 'green_g' is 900, far from most other values",
        "the target 'dead_g' is 3 in every sample",
        "sample 'q3': 'total_g' is -1; targets of a balance are never predicted below 0",
    ]


@pytest.mark.real_data
def test_the_real_pasture_has_one_broken_identity(real_data: Path):
    path = real_data / "csiro_biomass" / "train.csv"
    names = ("Dry_Green_g", "Dry_Dead_g", "Dry_Clover_g", "GDM_g", "Dry_Total_g")
    keys = {"targets": list(names), "numeric": [], "categorical": []}
    real = experiment(path, data=keys, balance=None, split={"by": ["State"]})
    samples = load_samples(real, path, require_targets=True)
    sums = (
        Identity("GDM_g", ("Dry_Green_g", "Dry_Clover_g")),
        Identity("Dry_Total_g", ("GDM_g", "Dry_Dead_g")),
    )
    (line,) = audit_targets(samples, Balance(names, sums), tolerance=0.01)
    assert line.startswith("row 967,")
    assert line.endswith("is off by -0.3088")
