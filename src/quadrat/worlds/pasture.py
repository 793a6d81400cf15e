"""A pasture whose masses are known: rendered photos of quadrats, and their tables."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quadrat.errors import UsageError
from quadrat.worlds._paint import paint
from quadrat.worlds._sward import Quadrat, grow
from quadrat.worlds._visit import SWARD_TYPES, Visit, plan_visit

STATES = ("Tas", "Vic", "NSW", "WA", "SA", "Qld", "ACT", "NT")
TARGETS = ("Dry_Clover_g", "Dry_Dead_g", "Dry_Green_g", "Dry_Total_g", "GDM_g")

_TRAIN_HEADER = (
    "sample_id",
    "image_path",
    "Sampling_Date",
    "State",
    "Species",
    "Pre_GSHH_NDVI",
    "Height_Ave_cm",
    "target_name",
    "target",
)
_TEST_HEADER = ("sample_id", "image_path", "target_name")
_DECIMALS = 4
_SMALLEST_PX = 16

# Streams of random numbers: (seed, stream, index) makes every photo independent of all others.
_IDS, _LAYOUT, _VISIT, _TEST_VISIT, _PHOTO, _TEST_PHOTO = range(6)


@dataclass(frozen=True)
class PastureWorld:
    """The files of a rendered pasture.

    Attributes:
        folder: Where everything lies; paths in the tables are relative to it.
        train: Long table, five rows a photo, with metadata and ``target`` in grams.
        test: The same photos layout without metadata and targets.
        sample_submission: ``sample_id,target`` with zeros, in the order of ``test``.
        truth: The test photos in the layout of ``train``, with their masses.
        train_photos: JPEG files in the order of ``train``.
        test_photos: JPEG files in the order of ``test``.
    """

    folder: Path
    train: Path
    test: Path
    sample_submission: Path
    truth: Path
    train_photos: tuple[Path, ...]
    test_photos: tuple[Path, ...]


@dataclass(frozen=True)
class _Photo:
    """One photo to make: its id, its visit and the seed of what grows there."""

    id: str
    visit: Visit
    seed: tuple[int, int, int]


def make_pasture(
    folder: str | Path,
    *,
    photos: int = 120,
    test_photos: int = 24,
    states: int = 4,
    dates_per_state: int = 6,
    size: tuple[int, int] = (480, 240),
    stamps: float = 0.0,
    seed: int = 0,
) -> PastureWorld:
    """Render photos of 70 × 30 cm quadrats and write them with their tables.

    The sum of the masses of all plant parts drawn (leaf area × dry mass per area, plus petioles)
    is the mass of its component in grams: ``Dry_Green_g``, ``Dry_Clover_g``, ``Dry_Dead_g``,
    without weighing noise and with exact zeros where a component is absent. The two sums are added
    from the rounded parts, so ``GDM_g = Dry_Green_g + Dry_Clover_g`` and
    ``Dry_Total_g = GDM_g + Dry_Dead_g`` hold to 1e-9. NDVI and height are noisy readings.

    Every state × date has its own sward, season, leaf mass (7 %), soil, light and camera, so a
    model that has seen other photos of a group knows more than one that has not. Test photos come
    from one further date a state.

    Args:
        folder: Made if needed; files of the same name are overwritten.
        photos: Number of training photos.
        test_photos: Number of test photos; 0 leaves the test tables with headers only.
        states: Number of states, at most 8.
        dates_per_state: Sampling dates of each state.
        size: Width and height in pixels; the quadrat fills the picture.
        stamps: Share of the training photos with an orange date burnt into a corner.
        seed: The same seed makes the same bytes (with the same versions of numpy and Pillow).

    Returns:
        The files made.

    Raises:
        UsageError: A count, share or size that no pasture can have.
    """
    _check(photos, test_photos, states, dates_per_state, size, stamps)
    root = Path(folder)
    train = _plan(seed, photos, states, dates_per_state, test=False)
    test = _plan(seed, test_photos, states, dates_per_state, test=True)
    order = np.random.default_rng((seed, _LAYOUT, 1)).permutation(photos)
    stamped = {train[index].id for index in order[: round(stamps * photos)]}
    train_rows = _make(root / "train", train, size, stamped)
    truth_rows = _make(root / "test", test, size, set())
    test_rows = [(row[0], row[1], row[-2]) for row in truth_rows]
    blank = [(row[0], 0.0) for row in truth_rows]
    return PastureWorld(
        folder=root,
        train=_write(root / "train.csv", _TRAIN_HEADER, train_rows),
        test=_write(root / "test.csv", _TEST_HEADER, test_rows),
        sample_submission=_write(root / "sample_submission.csv", ("sample_id", "target"), blank),
        truth=_write(root / "truth.csv", _TRAIN_HEADER, truth_rows),
        train_photos=tuple(root / "train" / f"{photo.id}.jpg" for photo in train),
        test_photos=tuple(root / "test" / f"{photo.id}.jpg" for photo in test),
    )


def _plan(seed: int, photos: int, states: int, dates_per_state: int, *, test: bool) -> list[_Photo]:
    """Deal photos to visits as evenly as can be, in the order of their ids."""
    visits = _visits(seed, states, dates_per_state)
    visits = visits[-states:] if test else visits[:-states]
    dealt = np.random.default_rng((seed, _LAYOUT, 2 + test)).permutation(photos) % len(visits)
    stream = _TEST_PHOTO if test else _PHOTO
    names = _ids(seed, photos, test=test)
    return [
        _Photo(name, visits[visit], (seed, stream, index))
        for index, (name, visit) in enumerate(zip(names, dealt, strict=True))
    ]


def _visits(seed: int, states: int, dates_per_state: int) -> list[Visit]:
    """All visits, date by date; the last date of each state is for the test photos.

    Sward types are dealt round robin from a shuffled deck: every type turns up in several states.
    """
    rng = np.random.default_rng((seed, _LAYOUT, 0))
    rounds = dates_per_state + 1
    deck = [
        int(kind)
        for _ in range(-(-states * rounds // len(SWARD_TYPES)))
        for kind in rng.permutation(len(SWARD_TYPES))
    ]
    days = [rng.choice(365, size=rounds, replace=False) for _ in range(states)]
    visits = []
    for index, kind in enumerate(deck[: states * rounds]):
        date, state = divmod(index, states)
        sampled = np.datetime64("2015-01-01") + int(days[state][date])
        year, month, day = (int(part) for part in str(sampled).split("-"))
        visits.append(
            plan_visit(
                state,
                STATES[state],
                f"{year}/{month}/{day}",
                SWARD_TYPES[kind],
                [seed, _VISIT, index],
            )
        )
    return visits


def _ids(seed: int, photos: int, *, test: bool) -> list[str]:
    """Distinct ids in their text order; training ids are even and test ids odd numbers."""
    rng = np.random.default_rng((seed, _IDS, int(test)))
    halves = rng.choice(900_000_000, size=photos, replace=False, shuffle=False) + 100_000_000
    return sorted(f"ID{2 * int(half) + test}" for half in halves)


def _make(
    folder: Path, photos: Sequence[_Photo], size: tuple[int, int], stamped: Set[str]
) -> list[tuple[object, ...]]:
    """Grow and photograph every quadrat; the rows of their table in the order of the photos."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[object, ...]] = []
    for photo in photos:
        rng = np.random.default_rng(photo.seed)
        quadrat = grow(photo.visit, rng)
        stamp = _stamp(photo.visit.date) if photo.id in stamped else ""
        picture = paint(quadrat, size, rng, stamp)
        picture.save(folder / f"{photo.id}.jpg", quality=photo.visit.camera.quality)
        rows += _rows(photo, folder.name, quadrat)
    return rows


def _stamp(date: str) -> str:
    """The date as cameras print it: day.month.year."""
    year, month, day = date.split("/")
    return f"{int(day):02}.{int(month):02}.{year}"


def _rows(photo: _Photo, part: str, quadrat: Quadrat) -> Iterator[tuple[object, ...]]:
    """The five rows of a photo in the layout of the training table."""
    green, clover, dead = (
        round(parts.mass_g, _DECIMALS) for parts in (quadrat.green, quadrat.clover, quadrat.dead)
    )
    gdm = round(green + clover, _DECIMALS)
    total = round(gdm + dead, _DECIMALS)
    visit = photo.visit
    for target, mass in zip(TARGETS, (clover, dead, green, total, gdm), strict=True):
        yield (
            f"{photo.id}__{target}",
            f"{part}/{photo.id}.jpg",
            visit.date,
            visit.state,
            visit.sward.species,
            quadrat.ndvi,
            quadrat.height_cm,
            target,
            mass,
        )


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path


def _check(
    photos: int,
    test_photos: int,
    states: int,
    dates_per_state: int,
    size: tuple[int, int],
    stamps: float,
) -> None:
    wrong = [
        (photos < 1, f"photos = {photos}: a pasture needs at least one photo"),
        (test_photos < 0, f"test_photos = {test_photos}: give 0 or more"),
        (not 1 <= states <= len(STATES), f"states = {states}: give 1 to {len(STATES)}"),
        (not 1 <= dates_per_state < 365, f"dates_per_state = {dates_per_state}: give 1 to 364"),
        (min(size) < _SMALLEST_PX, f"size = {size}: give at least {_SMALLEST_PX} px a side"),
        (not 0 <= stamps <= 1, f"stamps = {stamps}: give a share from 0 to 1"),
    ]
    for is_wrong, message in wrong:
        if is_wrong:
            raise UsageError(message)
