from __future__ import annotations

from pathlib import Path

from quadrat.report.card import escaped, make_card, table
from quadrat.report.contents import read_run
from quadrat.report.summary import summarise

TITLES = [
    "What it is",
    "Intended use",
    "Training data",
    "Protocol and scores",
    "Limits",
    "How to use it",
    "Provenance",
]


def test_card_of_photos(photos_run: Path) -> None:
    contents = read_run(photos_run)
    card = make_card(contents, summarise(contents))
    assert [section.title for section in card.sections] == TITLES
    told = card.markdown()
    assert told.startswith("# pasture-tiny\n\nOn photos from unseen State × Sampling_Date")
    assert "Dry_Total_g = Dry_Green_g + Dry_Dead_g" in card["What it is"].body
    assert "| weighted R² | 0.672 | 0.611 to 0.721 | 0.551 | 0.240 |" in told
    assert "8 rows hold \\<zero\\>" in card["Limits"].body
    assert "quadrat predict RUN" in card["How to use it"].body
    assert "seed 42" in card["Provenance"].body


def test_card_names_no_folder_of_the_machine(photos_run: Path) -> None:
    contents = read_run(photos_run)
    told = make_card(contents, summarise(contents)).markdown()
    assert str(photos_run.parent) not in told
    assert "/home/someone" not in told
    assert "Table: train.csv" in told


def test_card_of_occurrence(occurrence_run: Path) -> None:
    contents = read_run(occurrence_run)
    card = make_card(contents, summarise(contents))
    assert "It knows 30 species" in card["What it is"].body
    assert "not as abundance" in card["Intended use"].body
    assert "quadrat species RUN" in card["How to use it"].body


def test_card_says_what_it_does_not_know(photos_run: Path) -> None:
    for name in ("provenance.json", "check.json", "experiment.toml"):
        (photos_run / name).unlink()
    contents = read_run(photos_run)
    card = make_card(contents, summarise(contents))
    assert card.title == "pasture-1"
    assert "are not known" in card["Provenance"].body
    assert "does not say what it was trained on" in card["Training data"].body


def test_markdown_is_escaped() -> None:
    assert escaped("a|b*c`<i>\nd") == "a\\|b\\*c\\`\\<i\\> d"
    assert table(["x", "y"], [["a|b", "1"]]).splitlines()[1:] == ["| --- | ---: |", "| a\\|b | 1 |"]
