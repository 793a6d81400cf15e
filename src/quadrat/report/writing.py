"""From a finished run folder to ``figures/``, ``report.html`` and ``card.md``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from quadrat.runs import Run, atomic_path, write_text

if TYPE_CHECKING:
    from quadrat.report.contents import Contents
    from quadrat.report.html import Section
    from quadrat.report.sections import Drawings


def write_report(run: Run | Path | str) -> Path:
    """Writes figures, ``report.html`` and ``card.md`` of a run.

    Every drawing is made before the first file is written, and each file appears whole. A file
    that the run lacks leaves out its section, with a sentence that says why.

    Args:
        run: The run or its folder.

    Returns:
        The report.

    Raises:
        RunError: The folder has no ``metrics.json``, or a file in it is damaged.
        DataError: A table in it is damaged.
    """
    from quadrat.report.card import make_card
    from quadrat.report.contents import read_run
    from quadrat.report.sections import Drawings, hero
    from quadrat.report.summary import summarise

    folder = run.folder if isinstance(run, Run) else Path(run)
    contents = read_run(folder)
    summary = summarise(contents)
    drawings = Drawings()
    if contents.family == "photos":
        from quadrat.report.photos import photos_sections, photos_tiles

        sections, tiles = photos_sections(contents, summary, drawings), photos_tiles(contents)
        kicker = "Quadrat report · from photos to numbers"
    else:
        from quadrat.report.occurrence import occurrence_sections, occurrence_tiles

        sections = occurrence_sections(contents, summary, drawings)
        tiles = occurrence_tiles(contents)
        kicker = f"Quadrat report · {_from_where(contents)}"
    page = _document(contents.name, kicker, hero(summary, tiles), sections)
    card = make_card(contents, summary).markdown()
    write_text(folder / "card.md", card)
    return _write(folder, drawings, page)


def write_evaluation_report(run: Path, name: str) -> Path:
    """Writes figures and ``report.html`` of an evaluation of a species model into its folder.

    Args:
        run: The run folder.
        name: The evaluation's name; its metrics and tables lie in ``evaluations/<name>/``.

    Returns:
        The report.

    Raises:
        RunError: The evaluation's metrics are missing or damaged.
    """
    from quadrat.report.contents import read_evaluation
    from quadrat.report.evaluation import evaluation_sections, evaluation_tiles
    from quadrat.report.sections import Drawings, hero
    from quadrat.report.summary import summarise

    contents = read_evaluation(run, name)
    summary, drawings = summarise(contents), Drawings()
    sections = evaluation_sections(contents, summary, drawings)
    headline = hero(summary, evaluation_tiles(contents.protocol))
    kicker = f"Quadrat evaluation · {_from_where(contents)}"
    page = _document(f"{contents.name}, {name}", kicker, headline, sections)
    return _write(contents.folder, drawings, page)


def _from_where(contents: Contents) -> str:
    return f"from place and {'covariates' if contents.has_points else 'week'} to species"


def _document(name: str, kicker: str, headline: str, sections: list[Section]) -> str:
    from quadrat.report.html import page

    return page(
        title=f"{name} – Quadrat report",
        kicker=f"{kicker} · {name}",
        hero=headline,
        sections=sections,
        footer="Made by Quadrat from the files of the run folder. This page needs no network.",
    )


def _write(folder: Path, drawings: Drawings, page: str) -> Path:
    for name, content in drawings.files.items():
        with atomic_path(folder / "figures" / name) as temporary:
            temporary.write_bytes(content)
    write_text(folder / "report.html", page)
    return folder / "report.html"
