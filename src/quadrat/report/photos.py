"""The report of a photos run, section by section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from quadrat.report import html, score_sections, sections
from quadrat.report.contents import Contents
from quadrat.report.html import Html, Section, element
from quadrat.report.photos_cleaning import cleaning_section
from quadrat.report.photos_data import (
    OOF_COLUMNS,
    Known,
    Predicted,
    known_samples,
    main_target,
    of_target,
    target_names,
)
from quadrat.report.photos_figures import (
    PhotoTile,
    contact_sheet,
    predicted_against_true,
    residuals_by_group,
    shift_between_folds,
)
from quadrat.report.sections import Drawings
from quadrat.report.summary import Summary, units
from quadrat.report.thumbnails import jpeg, thumbnail
from quadrat.report.words import everyday, number, words

if TYPE_CHECKING:
    import polars as pl

TILES = 10
"""Photos in each of the two contact sheets."""


def photos_sections(contents: Contents, summary: Summary, drawings: Drawings) -> list[Section]:
    """All sections of a photos report, in the order of reading."""
    oof = contents.table("oof.parquet")
    found: list[Section | None] = [
        sections.warnings(contents, summary),
        score_sections.scores(contents, summary, drawings),
        score_sections.members(contents),
        sections.protocol(contents),
    ]
    if oof is None or not set(OOF_COLUMNS) <= set(oof.columns):
        told = html.notice(
            "oof.parquet is missing, so single predictions, residuals and photos cannot be shown."
        )
        found += [_targets(contents, told), score_sections.folds(contents, summary)]
    else:
        known = known_samples(contents)
        main = main_target(contents, oof)
        found += [
            _targets(contents, _scatters(contents, oof, drawings)),
            _groups(contents, oof, known, main, drawings),
            score_sections.folds(contents, summary, [_shift(contents, oof, drawings)]),
            _photos(contents, oof, known, main, drawings),
        ]
    found += [
        None if contents.is_ensemble else sections.training(contents, summary, drawings),
        cleaning_section(contents),
        sections.data(contents),
        sections.experiment(contents),
        sections.provenance(contents),
    ]
    return [section for section in found if section is not None]


def photos_tiles(contents: Contents) -> list[tuple[str, str]]:
    """Key numbers of a photos run beside the primary score."""
    protocol = contents.protocol
    tiles = [
        (number(protocol[key]), name)
        for key, name in (("samples", "samples"), ("groups", "groups that never cross folds"))
        if isinstance(protocol.get(key), int)
    ]
    tiles.append((str(len(contents.metrics.get("per_target") or {})), "targets"))
    shown = ("rmse", "mae", "coverage_90")
    scores = contents.metrics["scores"]
    tiles += [
        (number(scores[name]), words(name).label)
        for name in shown
        if isinstance(scores.get(name), int | float) and name != contents.metrics.get("primary")
    ]
    return tiles[:4]


def _targets(contents: Contents, shown: Html) -> Section:
    per_target = contents.metrics.get("per_target") or {}
    parts: list[str | None] = []
    if per_target:
        keys = dict.fromkeys(key for scores in per_target.values() for key in scores)
        names = everyday(keys, str(contents.metrics.get("primary")))
        known = units(contents)
        rows = [
            [
                f"{target} ({known[target]})" if known[target] else target,
                *[number(scores.get(n)) for n in names],
            ]
            for target, scores in per_target.items()
        ]
        head = ["Target", *[words(name).column for name in names]]
        parts.append(html.table(head, rows, caption="Scores of each target, out of fold."))
    else:
        parts.append(html.notice("metrics.json has no scores for single targets."))
    return Section("targets", "Target by target", html.joined([*parts, shown]))


def _scatters(contents: Contents, oof: pl.DataFrame, drawings: Drawings) -> Html:
    known = units(contents)
    names = {fold: contents.fold_name(fold) for fold in oof["fold"].cast(str).unique()}
    drawn = []
    for target, short in slugs(target_names(contents, oof)).items():
        one = of_target(oof, target)
        if not one.truth.size:
            drawn.append(html.notice(f"{target}: no sample has both truth and prediction."))
            continue
        figure = predicted_against_true(
            one.truth,
            one.predicted,
            target=target,
            unit=known.get(target, ""),
            labels=[names[fold] for fold in one.folds],
            lower=one.lower,
            upper=one.upper,
        )
        caption = f"{target}: a dot is a sample, predicted by the model that did not train on it."
        drawn.append(drawings.svg(f"predicted-{short}", figure, caption))
    told = element(
        "p",
        "On the dashed line the prediction is right; above it the model says too much, below it "
        "too little. A cloud that is flatter than the line means that high values are "
        "underestimated and low ones overestimated. Thin vertical lines are predictive intervals, "
        "where the model gives them.",
    )
    return html.joined([told, sections.panels(drawn)])


def _groups(
    contents: Contents, oof: pl.DataFrame, known: Known, main: str, drawings: Drawings
) -> Section | None:
    """Residuals by group; the target that weighs most is open, the others are folded away."""
    title = "Group by group"
    if not known.groups:
        by = contents.protocol.get("by")
        if not by:
            return None
        told = "The groups of the samples are not known" + (f": {known.why}" if known.why else ".")
        return Section("groups", title, html.notice(told))
    others, first = [], Html("")
    for target, short in slugs(target_names(contents, oof)).items():
        one = of_target(oof, target)
        groups = [known.groups.get(sample, "not in the table") for sample in one.samples]
        if not groups:
            continue
        figure = residuals_by_group(
            one.predicted - one.truth, groups, target=target, unit=units(contents).get(target, "")
        )
        caption = (
            "A line is a group, sorted by its median (upright tick); the band holds the middle "
            "half of its samples. Groups far from zero are places or dates where the model is off "
            "as a whole, which more photos of the same kind would not show."
        )
        drawn = drawings.svg(f"residuals-{short}", figure, caption, kind="wide")
        if target == main:
            first = drawn
        else:
            others.append(drawn)
    more = html.details("The other targets", *others) if others else None
    return Section("groups", title, html.joined([first, more]))


def _shift(contents: Contents, oof: pl.DataFrame, drawings: Drawings) -> Html:
    wide = oof.pivot(
        on="target", index=["sample", "fold"], values="truth", aggregate_function="first"
    )
    names = target_names(contents, oof)
    truth = {name: wide[name].cast(float).fill_null(np.nan).to_numpy() for name in names}
    figure = shift_between_folds(
        truth, [contents.fold_name(fold) for fold in wide["fold"]], units=units(contents)
    )
    caption = (
        "How the true values lie in each fold: dot, median; band, middle half; line, middle 90 %; "
        "upright line, median of all. A fold that lies elsewhere asks the model for values that "
        "its training part hardly had."
    )
    return drawings.svg("fold-shift", figure, caption, kind="wide")


def _photos(
    contents: Contents, oof: pl.DataFrame, known: Known, main: str, drawings: Drawings
) -> Section:
    """The photos with the smallest and the largest errors of the main target."""
    one = of_target(oof, main)
    unit = units(contents).get(main, "")
    errors = np.abs(one.predicted - one.truth)
    # Equal errors keep the order of the ids, so that the choice is the same again.
    order = np.lexsort((np.asarray(one.samples, dtype=str), errors))
    chosen = {"best": order[:TILES], "worst": order[::-1][:TILES]}
    parts: list[str | None] = []
    for name, places in chosen.items():
        tiles = [_photo_tile(one, int(place), known) for place in places]
        title = (
            f"The {len(tiles)} photos with the {'smallest' if name == 'best' else 'largest'} errors"
        )
        drawings.png(f"photos-{name}", contact_sheet(tiles, title=title, target=main, unit=unit))
        shown = _tile_list if any(tile.image is not None for tile in tiles) else _tile_table
        parts += [element("h3", title), shown(tiles, unit)]
    told = f"True and predicted {main}{f' in {unit}' if unit else ''}."
    if known.why:
        told += f" The photos cannot be shown: {known.why}"
    return Section("photos", "Best and worst photos", html.joined([element("p", told), *parts]))


def _photo_tile(one: Predicted, place: int, known: Known) -> PhotoTile:
    sample = one.samples[place]
    image, why = thumbnail(known.paths.get(sample))
    return PhotoTile(sample, float(one.truth[place]), float(one.predicted[place]), image, why)


def _tile_list(tiles: list[PhotoTile], unit: str) -> Html:
    items = []
    for tile in tiles:
        if tile.image is None:
            picture = element("div", tile.why, class_="blank")
        else:
            address = html.data_uri(jpeg(tile.image), "image/jpeg")
            picture = element("img", src=address, alt=f"photo {tile.sample}", loading="lazy")
        items.append(
            element(
                "li",
                picture,
                element("span", tile.sample, class_="id"),
                element("span", f"true {number(tile.truth)} {unit}".rstrip()),
                element("span", f"predicted {number(tile.predicted)} {unit}".rstrip()),
            )
        )
    return element("ul", *items, class_="photos")


def _tile_table(tiles: list[PhotoTile], unit: str) -> Html:
    """The same as a table, where not one of the photos is there."""
    rows = [
        [tile.sample, number(tile.truth), number(tile.predicted), tile.why.capitalize()]
        for tile in tiles
    ]
    in_unit = f" ({unit})" if unit else ""
    return html.table(["Sample", f"True{in_unit}", f"Predicted{in_unit}", "Photo"], rows)


def slugs(names: Sequence[str]) -> dict[str, str]:
    """Names for files and anchors, each its own: letters, digits, hyphens and underscores."""
    taken: dict[str, str] = {}
    for name in names:
        kept = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "-" for c in name)
        plain = "-".join(part for part in kept.split("-") if part) or "unnamed"
        used = {other.lower() for other in taken.values()}
        number_of = next(n for n in range(1, len(names) + 1) if _nth(plain, n).lower() not in used)
        taken[name] = _nth(plain, number_of)
    return taken


def _nth(plain: str, count: int) -> str:
    return plain if count == 1 else f"{plain}-{count}"
