"""The report shows photos before and after their dates were filled in."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from quadrat.report import write_report
from quadrat.report.photos_cleaning import SHOWN, before_and_after
from quadrat.runtime.cleaning.colours import FAMILIES, belongs, hue_saturation_value
from quadrat.runtime.cleaning.stamps import find_stamps
from tests.runtime.cleaning.textures import GRASS, blades, stamped

STAMPED = SHOWN + 2


@pytest.fixture
def cleaned_run(photos_run: Path) -> Path:
    """The run of which eight photos bear dates, the first of them no longer there."""
    data = photos_run.parents[1] / "data"
    rows = []
    for number in range(60):
        name, boxes = f"train/ID{number:03d}.jpg", []
        if number < STAMPED:
            drawn, _ = stamped(blades(GRASS, seed=number, count=600), "15.01.2015", (240, 110, 20))
            (stamp,), _ = find_stamps(drawn)
            boxes = [(np.array(stamp.box) / [640, 360, 640, 360]).tolist()]
            if number:
                Image.fromarray(drawn).save(data / name, quality=95)
        rows.append(
            {
                "table": "training",
                "sample": f"s{number}",
                "photo": name,
                "boxes": boxes,
                "inpainted": 0.02 - 0.001 * number if boxes else 0.0,
                "cropped": 0.0,
            }
        )
    pl.DataFrame(rows).write_parquet(photos_run / "cleaning.parquet")
    with (photos_run / "experiment.toml").open("a", encoding="utf-8") as handle:
        handle.write("\n[clean]\nstamps = true\n")
    facts = {"facts": {"cleaning": "dates filled in 8 of 60 photos", "table": "60 samples"}}
    (photos_run / "check.json").write_text(json.dumps(facts), encoding="utf-8")
    return photos_run


def section_of(run: Path) -> str:
    page = write_report(run).read_text(encoding="utf-8")
    found = re.search(r'<section id="cleaning">.*?</section>', page, re.DOTALL)
    return found[0] if found else ""


def test_dates_are_shown_before_and_after(cleaned_run: Path):
    section = section_of(cleaned_run)
    assert "dates filled in 8 of 60 photos" in section and "60 samples" not in section
    assert section.count("<li>") == SHOWN
    assert "2 more photos with dates not shown" in section
    assert section.index("ID000.jpg") < section.index("ID001.jpg") < section.index("ID005.jpg")
    assert "ID006.jpg" not in section
    assert "photo not found" in section
    uris = re.findall(r"data:image/jpeg;base64,([^\"]+)", section)
    assert len(uris) == 2 * (SHOWN - 1)
    assert max(map(len, uris)) < 60_000
    orange = []
    for uri in uris:
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri))))
        orange.append(belongs(hue_saturation_value(pixels), FAMILIES["orange"], 0.1).mean())
    before, after = np.array(orange[::2]), np.array(orange[1::2])
    assert (before > 0.01).all() and (after < 0.1 * before).all()


def test_only_what_was_asked_for_is_told(cleaned_run: Path):
    table = pl.read_parquet(cleaned_run / "cleaning.parquet")
    table[STAMPED:].write_parquet(cleaned_run / "cleaning.parquet")
    section = section_of(cleaned_run)
    assert "dates filled in 8 of 60 photos" in section and "<li>" not in section
    (cleaned_run / "cleaning.parquet").unlink()
    assert section_of(cleaned_run) == ""


def test_a_window_holds_all_boxes_and_stays_in_the_photo(tmp_path: Path):
    path = tmp_path / "a.png"
    Image.fromarray(blades(GRASS, seed=0, count=300)).save(path)
    boxes = [(0.0, 0.9, 0.2, 0.99), (0.9, 0.0, 0.99, 0.4)]
    (before, after), why = before_and_after(path, boxes)
    assert why == "" and before.size == after.size == (320, 180)
    (before, _), _ = before_and_after(path, [(0.9, 0.1, 0.95, 0.6)])
    assert before.width / before.height == pytest.approx(1.5, abs=0.02)
    assert before_and_after(None, boxes) == ((), "path not known")
    path.write_bytes(b"no picture")
    assert before_and_after(path, boxes) == ((), "photo not readable")
