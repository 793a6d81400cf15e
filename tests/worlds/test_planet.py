"""The invented planet: the combined format, and records that follow from the known truth."""

from __future__ import annotations

from pathlib import Path

import h3
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quadrat.errors import DataError, UnknownNameError, UsageError
from quadrat.worlds import PlanetTruth, PlanetWorld, make_planet, read_truth

ENVIRONMENT = [
    "water_fraction",
    "elevation_m",
    "precipitation_mm",
    "temperature_c",
    "urban_fraction",
    "landcover_class",
    "canopy_height_m",
]
WEEKS = [f"week_{week}" for week in range(1, 49)]


@pytest.fixture(scope="module")
def truth(earth: PlanetWorld) -> PlanetTruth:
    return earth.truth


@pytest.fixture(scope="module")
def recorded(earth: PlanetWorld, truth: PlanetTruth) -> np.ndarray:
    """Dense records (N, 48, S) of the small planet, read back from its table."""
    row_of = {code: row for row, code in enumerate(truth.species.tolist())}
    table = pl.read_parquet(earth.table, columns=WEEKS)
    dense = np.zeros((table.height, 48, len(row_of)), bool)
    for week, column in enumerate(table.iter_columns()):
        for cell, codes in enumerate(column.to_list()):
            dense[cell, week, [row_of[code] for code in codes]] = True
    return dense


def test_table_has_the_combined_format(earth: PlanetWorld) -> None:
    schema = pq.read_schema(earth.table)
    assert schema.names == ["h3_index", *ENVIRONMENT, "target_km", "h3_resolution", *WEEKS]
    assert pa.types.is_string(schema.field("h3_index").type)
    for name in ENVIRONMENT:
        assert schema.field(name).type == pa.float64()
    for name in ("target_km", "h3_resolution"):
        assert schema.field(name).type == pa.int64()
    for name in WEEKS:
        kind = schema.field(name).type
        assert pa.types.is_list(kind)
        assert pa.types.is_string(kind.value_type)


def test_cells_are_all_cells_of_the_real_grid(earth: PlanetWorld, truth: PlanetTruth) -> None:
    table = pl.read_parquet(earth.table, columns=["h3_index", "target_km", "h3_resolution"])
    assert table.height == h3.get_num_cells(1) == 842
    assert table["h3_index"].n_unique() == 842
    assert table["h3_index"].to_list() == truth.cells.tolist()
    assert all(h3.get_resolution(cell) == 1 for cell in table["h3_index"])
    assert table["target_km"].unique().to_list() == [950]
    assert table["h3_resolution"].unique().to_list() == [1]
    lat, lon = h3.cell_to_latlng(truth.cells[17])
    assert (truth.lat[17], truth.lon[17]) == (lat, lon)


def test_environment_is_missing_over_the_sea_only(earth: PlanetWorld, truth: PlanetTruth) -> None:
    table = pl.read_parquet(earth.table, columns=ENVIRONMENT)
    for column in table.iter_columns():
        assert (column.is_null().to_numpy() == ~truth.land).all()
    assert 0.25 < truth.land.mean() < 0.35
    land = table.drop_nulls()
    assert land["water_fraction"].is_between(0, 1).all()
    assert land["urban_fraction"].is_between(0, 1).all()
    assert land["temperature_c"].is_between(-60, 40).all()
    assert land["landcover_class"].is_between(1, 17).all()
    assert land["landcover_class"].n_unique() > 4


def test_climate_is_cold_towards_the_poles(earth: PlanetWorld, truth: PlanetTruth) -> None:
    temperature = pl.read_parquet(earth.table)["temperature_c"].to_numpy()[truth.land]
    assert np.corrcoef(temperature, np.abs(truth.lat[truth.land]))[0, 1] < -0.7


def test_taxonomy_names_every_species_once(earth: PlanetWorld, truth: PlanetTruth) -> None:
    taxonomy = pl.read_csv(earth.taxonomy)
    assert taxonomy.columns == ["species_code", "sci_name", "com_name", "class_name"]
    assert taxonomy["species_code"].to_list() == truth.species.tolist()
    for column in ("species_code", "sci_name", "com_name"):
        assert taxonomy[column].n_unique() == 120
    assert set(taxonomy["class_name"]) == {"aves", "mammalia", "amphibia"}


def test_lists_hold_known_codes_once_and_on_land_first(
    earth: PlanetWorld, truth: PlanetTruth, recorded: np.ndarray
) -> None:
    table = pl.read_parquet(earth.table, columns=WEEKS)
    lengths = np.stack([column.list.len().to_numpy() for column in table.iter_columns()], axis=1)
    assert (lengths == recorded.sum(-1)).all(), "a code stands twice in a list"
    assert not lengths[~truth.land].any()
    assert 1 < lengths[truth.land].mean() < 20


def test_records_follow_the_oracle(truth: PlanetTruth, recorded: np.ndarray) -> None:
    """In every class of stated probability the share of records is that probability."""
    rows = np.flatnonzero(truth.land)
    stated = np.stack([truth.oracle_probability(rows, week) for week in range(1, 49)], axis=1)
    found = recorded[rows]
    for low, high in ((0, 1e-3), (1e-3, 0.02), (0.02, 0.1), (0.1, 0.4), (0.4, 0.8), (0.8, 1)):
        within = (stated > low) & (stated <= high)
        expected = stated[within].sum(dtype=float)
        spread = np.sqrt((stated[within] * (1 - stated[within])).sum(dtype=float))
        assert within.sum() > 100
        assert abs(found[within].sum() - expected) < 4 * spread + 1
    assert not found[stated == 0].any()


def test_oracle_of_the_year_is_one_minus_never(truth: PlanetTruth) -> None:
    rows = np.flatnonzero(truth.land)[::40]
    never = np.ones((len(rows), len(truth.species)))
    for week in range(1, 49):
        never *= 1 - truth.oracle_probability(rows, week)
    np.testing.assert_allclose(truth.oracle_probability(rows, 0), 1 - never, atol=1e-5)


def test_oracle_is_made_of_occupancy_and_effort(truth: PlanetTruth) -> None:
    rows, weeks = np.arange(842), np.arange(842) % 48 + 1
    batch = truth.oracle_probability(rows, weeks)
    assert batch.shape == (842, 120)
    for row, code in enumerate(truth.species[:5].tolist()):
        occupied = np.array([truth.occupancy(code, week) for week in range(1, 49)])
        share = occupied[weeks - 1, rows]
        expected = 1 - np.exp(-truth.effort * truth.abundance[row] * share)
        np.testing.assert_allclose(batch[:, row], expected, rtol=1e-4, atol=1e-6)


def test_ranges_are_on_land_and_connected_in_space(truth: PlanetTruth) -> None:
    phi, theta = np.radians(truth.lat), np.radians(truth.lon)
    xyz = np.stack([np.cos(phi) * np.cos(theta), np.cos(phi) * np.sin(theta), np.sin(phi)], -1)
    for code in truth.species.tolist():
        occupied = truth.occupancy(code, 0)
        assert not occupied[~truth.land].any()
        assert 0 < occupied.max() <= 1
        from_best = 6371 * np.arccos(np.clip(xyz @ xyz[occupied.argmax()], -1, 1))
        assert from_best[occupied > 0].max() < 2 * 2.1 * 6000


def test_seasons_are_those_of_the_hemisphere(truth: PlanetTruth) -> None:
    """Visitors that come for the summer peak half a year apart north and south."""
    ends = truth.indptr[1:] - 1
    best = np.array(
        [
            truth.rows[start + truth.suitability[start : end + 1].argmax()]
            for start, end in zip(truth.indptr[:-1], ends, strict=True)
        ]
    )
    weeks = np.arange(48)
    share = truth.phenology
    resident = (share == 1).all(1)
    assert 0.3 < resident.mean() < 0.9
    midyear, newyear = share[:, 22:27].mean(1), share[:, [46, 47, 0, 1, 2]].mean(1)
    summer = ~resident & (np.abs(midyear - newyear) > 0.9)
    northern = midyear > newyear
    peaks = share[summer & northern] @ weeks / share[summer & northern].sum(1)
    assert ((peaks > 20) & (peaks < 28)).all()
    assert truth.lat[best[summer & northern]].mean() > truth.lat[best[summer & ~northern]].mean()
    passage = ~resident & (midyear < 0.05) & (newyear < 0.05)
    assert passage.any()
    assert (share[passage].max(1) > 0.9).all()
    assert (share.min() >= 0) and (share.max() <= 1)


def test_effort_is_biased_and_makes_records(truth: PlanetTruth, recorded: np.ndarray) -> None:
    effort = truth.effort[truth.land]
    assert np.median(effort) == pytest.approx(1.0)
    assert effort.max() / np.median(effort) > 5
    found = recorded[truth.land].sum((1, 2))
    assert np.corrcoef(np.log(effort), np.log1p(found))[0, 1] > 0.4


def test_watchlist_holds_narrow_recorded_species(
    earth: PlanetWorld, truth: PlanetTruth, recorded: np.ndarray
) -> None:
    watched = earth.watchlist.read_text(encoding="utf-8").split()
    assert len(watched) == 15
    rows = [truth.species.tolist().index(code) for code in watched]
    assert recorded.any((0, 1))[rows].all()
    cells = np.diff(truth.indptr)
    assert np.median(cells[rows]) < np.median(cells)


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    def made(name: str, seed: int) -> dict[str, bytes]:
        world = make_planet(tmp_path / name, resolution=0, species=12, seed=seed)
        return {path.name: path.read_bytes() for path in world.folder.iterdir()}

    first = made("first", 4)
    assert set(first) == {"combined.parquet", "taxonomy.csv", "watchlist.txt", "truth.npz"}
    assert first == made("again", 4)
    other = made("other", 5)
    assert first["combined.parquet"] != other["combined.parquet"]
    assert first["taxonomy.csv"] != other["taxonomy.csv"]


def test_continents_do_not_move_with_the_resolution(earth: PlanetWorld, tmp_path: Path) -> None:
    fine = make_planet(tmp_path, resolution=2, species=5, seed=3).truth
    land = dict(zip(earth.truth.cells.tolist(), earth.truth.land.tolist(), strict=True))
    parents = [land[h3.cell_to_parent(cell, 1)] for cell in fine.cells.tolist()]
    assert (np.array(parents) == fine.land).mean() > 0.9


def test_many_cells_are_written_in_several_row_groups(tmp_path: Path) -> None:
    world = make_planet(tmp_path, resolution=3, species=3, seed=2)
    file = pq.ParquetFile(world.table)
    assert file.metadata.num_rows == 41162
    assert file.metadata.num_row_groups == 6
    codes = set(world.truth.species.tolist())
    week = pl.read_parquet(world.table, columns=["week_24"])["week_24"]
    assert set(week.explode().drop_nulls()) <= codes
    expected = sum(
        float(world.truth.oracle_probability(rows, 24).sum())
        for rows in np.array_split(np.arange(41162), 8)
    )
    assert week.list.len().sum() == pytest.approx(expected, rel=0.1)


def test_truth_survives_the_file(earth: PlanetWorld) -> None:
    again = read_truth(earth.truth_file)
    code = str(again.species[3])
    assert (again.occupancy(code, 20) == earth.truth.occupancy(code, 20)).all()


def test_misuse_says_what_to_do(earth: PlanetWorld, tmp_path: Path) -> None:
    truth = earth.truth
    code = str(truth.species[0])
    with pytest.raises(UnknownNameError, match=f"Did you mean '{code}'"):
        truth.occupancy(code + "x", 1)
    with pytest.raises(UsageError, match="week = 49: give 1 to 48, or 0"):
        truth.occupancy(code, 49)
    with pytest.raises(UsageError, match="week = -1"):
        truth.oracle_probability([0], -1)
    with pytest.raises(UsageError, match="0 to 841"):
        truth.oracle_probability([842], 1)
    (tmp_path / "truth.npz").write_bytes(b"not an archive")
    with pytest.raises(DataError, match="cannot be read as the truth of a planet"):
        read_truth(tmp_path / "truth.npz")
    with pytest.raises(DataError, match="make_planet"):
        read_truth(tmp_path / "absent.npz")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"resolution": 5}, "resolution = 5: give 0 to 4"),
        ({"species": 0}, "species = 0"),
        ({"radius_km": 0}, "radius_km = 0"),
        ({"effort": float("inf")}, "effort = inf"),
    ],
)
def test_impossible_planets_are_refused(
    tmp_path: Path, wrong: dict[str, float], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        make_planet(tmp_path / "none", **wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "none").exists()
