from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from quadrat.errors import RunError
from quadrat.report import sections, write_report
from quadrat.report.card import make_card
from quadrat.report.contents import read_run
from quadrat.report.photos_data import main_target
from quadrat.report.summary import summarise
from quadrat.runs import Run
from tests.report.conftest import make_photos_run

PHOTOS_FIGURES = {
    "fold-shift.svg",
    "learning-loss.svg",
    "learning-score.svg",
    "photos-best.png",
    "photos-worst.png",
    "predicted-Dry_Dead_g.svg",
    "predicted-Dry_Green_g.svg",
    "predicted-Dry_Total_g.svg",
    "residuals-Dry_Dead_g.svg",
    "residuals-Dry_Green_g.svg",
    "residuals-Dry_Total_g.svg",
    "scores.svg",
}
OCCURRENCE_FIGURES = {
    "cell-precision.svg",
    "cell-richness.svg",
    "learning-loss.svg",
    "learning-score.svg",
    "reliability.svg",
    "scores.svg",
    "species-precision.svg",
    "species-records.svg",
}


def page_of(report: Path) -> ET.Element:
    return ET.fromstring(report.read_text(encoding="utf-8"))


def text_of(report: Path) -> str:
    return " ".join(" ".join(page_of(report).itertext()).split())


def headings(report: Path) -> list[str]:
    return [node.text or "" for node in page_of(report).iter("h2")]


def needs_nothing_outside(report: Path) -> None:
    for node in page_of(report).iter():
        for name, value in node.items():
            if name.rsplit("}")[-1] in ("src", "href", "data", "action", "poster"):
                assert value.startswith(("#", "data:")), (node.tag, value)
    content = report.read_text(encoding="utf-8")
    assert not re.search(r"url\((?!#)", content)
    assert "@import" not in content
    assert "<script" not in content


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photos run with its report; tests only read it."""
    run = make_photos_run(tmp_path_factory.mktemp("reported"))
    assert write_report(Run(run)) == run / "report.html"
    return run


def test_photos_report(reported: Path) -> None:
    photos_run, report = reported, reported / "report.html"
    assert {path.name for path in (photos_run / "figures").iterdir()} == PHOTOS_FIGURES
    assert (photos_run / "card.md").read_text(encoding="utf-8").startswith("# pasture")
    needs_nothing_outside(report)
    assert headings(report) == [
        "What to be careful about",
        "Scores beside the baselines",
        "How the split was made",
        "Target by target",
        "Group by group",
        "Fold by fold",
        "Best and worst photos",
        "How training went",
        "The data",
        "The experiment file",
        "Where it comes from",
    ]
    told = text_of(report)
    for part in (
        "explains 67 % of the weighted variance [61–72 %]",
        "8 rows hold <zero>",
        "weighted R² ↑ 0.672 [0.611–0.721] 0.551 0.240",
        "<b>WA</b> · 2015-01-04",
        "photo not found",
        "ab" * 32,
        "predicted − true Dry_Total_g (g)",
        "Shift between folds",
        "seed 42",
    ):
        assert part in told, part
    pictures = list(page_of(report).iter("img"))
    assert len(pictures) == 19  # of twenty tiles; the photo of one is not there
    assert all(picture.get("alt", "").startswith("photo s") for picture in pictures)


def test_ids_of_the_page_are_unique(reported: Path) -> None:
    page = page_of(reported / "report.html")
    ids = [node.get("id") for node in page.iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    anchors = {node.get("href") for node in page.iter("a")}
    assert anchors <= {f"#{name}" for name in ids}


def test_the_same_run_gives_the_same_bytes(reported: Path, tmp_path: Path) -> None:
    names = ["report.html", "card.md", *(f"figures/{name}" for name in PHOTOS_FIGURES)]
    again = tmp_path / reported.name
    shutil.copytree(reported, again, ignore=shutil.ignore_patterns("figures", "*.html", "*.md"))
    write_report(again)
    for name in names:
        assert (again / name).read_bytes() == (reported / name).read_bytes(), name


def test_occurrence_report(occurrence_run: Path) -> None:
    report = write_report(str(occurrence_run))
    assert {path.name for path in (occurrence_run / "figures").iterdir()} == OCCURRENCE_FIGURES
    needs_nothing_outside(report)
    told = text_of(report)
    for part in (
        "mean average precision of 0.472",
        "Where the lists are right",
        "species (count)",
        "Robin & <b>Wren</b>",
        "Mammalia 5 0.400",
        "observed frequency (%)",
        "The model could not be asked",
        "Scores on all 48 weeks of 40 validation cells; whole cells were held out. The neighbours",
        "360 training cells",
        "the scores of this page are on the same cells",
    ):
        assert part in told, part


def test_a_missing_file_leaves_its_section_with_a_reason(photos_run: Path) -> None:
    shutil.rmtree(photos_run.parent.parent / "data")
    for name in ("history.jsonl", "provenance.json", "check.json"):
        (photos_run / name).unlink()
    told = text_of(write_report(photos_run))
    assert "The groups of the samples are not known" in told
    assert "history.jsonl is missing or empty" in told
    assert "provenance.json is missing" in told
    assert "no check.json" in told
    assert "The photos cannot be shown" in told
    assert "Path not known" in told


def test_folds_bear_the_names_that_training_gave_them(photos_run: Path) -> None:
    contents = read_run(photos_run)
    assert contents.fold_name(0) == "fold 1"
    assert contents.fold_name("Tas") == "Tas"
    (photos_run / "folds" / "0").mkdir(parents=True)
    (photos_run / "folds" / "0" / "fold.json").write_text('{"name": "without Tas"}', "utf-8")
    assert contents.fold_name(0) == "without Tas"


def test_many_findings_are_folded_away(photos_run: Path) -> None:
    found = {"warnings": [f"finding {n}" for n in range(9)], "facts": {}, "tables": {}}
    (photos_run / "check.json").write_text(json.dumps(found), "utf-8")
    contents = read_run(photos_run)
    summary = summarise(contents)
    section = sections.warnings(contents, summary)
    assert section is not None
    told = " ".join(ET.fromstring(f"<p>{section.body}</p>").itertext())
    assert "finding 3 5 further findings of the data check finding 4" in told
    assert "- finding 3\n- 5 further findings" in make_card(contents, summary)["Limits"].body


@pytest.mark.parametrize(
    ("weights", "main"), [("", "Dry_Total_g"), ("Dry_Dead_g = 1.0", "Dry_Dead_g")]
)
def test_main_target(photos_run: Path, weights: str, main: str) -> None:
    path = photos_run / "experiment.toml"
    text = re.sub(r"weights = .*", f"weights = {{ {weights} }}", path.read_text("utf-8"))
    path.write_text(text, "utf-8")
    contents = read_run(photos_run)
    oof = contents.table("oof.parquet")
    assert oof is not None
    assert main_target(contents, oof) == main


def test_only_metrics_and_experiment_are_enough(photos_run: Path, occurrence_run: Path) -> None:
    for run in (photos_run, occurrence_run):
        for path in run.iterdir():
            if path.name not in ("metrics.json", "experiment.toml"):
                path.unlink()
    assert "oof.parquet is missing" in text_of(write_report(photos_run))
    told = text_of(write_report(occurrence_run))
    for name in ("cells.parquet", "species.parquet", "reliability.json"):
        assert f"{name} is missing" in told


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda run: (run / "metrics.json").unlink(), "quadrat train … --resume"),
        (lambda run: (run / "metrics.json").write_text("{"), "damaged"),
        (lambda run: (run / "metrics.json").write_text("{}"), "quadrat evaluate"),
        (lambda run: (run / "metrics.json").write_text("[]"), "not a JSON object"),
        (lambda run: (run / "experiment.toml").write_text("a = "), "experiment.toml is damaged"),
        (lambda run: shutil.rmtree(run), "does not exist"),
    ],
)
def test_a_run_that_cannot_be_reported(photos_run: Path, break_it: object, told: str) -> None:
    break_it(photos_run)  # type: ignore[operator]
    with pytest.raises(RunError, match=re.escape(told)):
        write_report(photos_run)
    assert not (photos_run / "report.html").exists()


def test_the_family_is_found_without_an_experiment(photos_run: Path) -> None:
    (photos_run / "experiment.toml").unlink()
    assert read_run(photos_run).family == "photos"
    (photos_run / "model.json").unlink()
    assert read_run(photos_run).family == "photos"
    (photos_run / "oof.parquet").unlink()
    with pytest.raises(RunError, match="what kind of run"):
        write_report(photos_run)
