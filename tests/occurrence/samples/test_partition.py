from dataclasses import replace

import numpy as np
import pytest

from quadrat.errors import DataError
from quadrat.occurrence.records.cells import read_cells
from quadrat.occurrence.samples.dataset import sample_rows
from quadrat.occurrence.samples.partition import make_partition
from quadrat.occurrence.samples.selection import is_ocean, used_cells
from quadrat.occurrence.schema import DataSection, SplitSection


def data(**keys):
    return DataSection(table="cells.parquet", **keys)


@pytest.fixture(scope="module")
def table(planet):
    return read_cells(planet.table)


@pytest.mark.parametrize("kind", ["cell", "spatial-block"])
@pytest.mark.parametrize("test", [0.0, 0.2])
@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_no_cell_crosses(table, kind, test, fraction):
    parts = make_partition(
        table, SplitSection(kind=kind, test=test), data(sample_fraction=fraction)
    )
    together = np.concatenate([parts.train, parts.validation, parts.test])
    assert len(np.unique(together)) == len(together) == round(fraction * len(table))
    assert len(parts.validation) / len(together) == pytest.approx(0.1, abs=0.03)
    assert len(parts.test) / len(together) == pytest.approx(test, abs=0.03)
    for part in (parts.train, parts.validation, parts.test):
        assert (np.diff(part) > 0).all()


def test_no_block_crosses(table):
    parts = make_partition(table, SplitSection(kind="spatial-block", test=0.2))
    blocks = [set(parts.blocks[part]) for part in (parts.train, parts.validation, parts.test)]
    assert not (blocks[0] & blocks[1] or blocks[0] & blocks[2] or blocks[1] & blocks[2])


def test_cells_at_random_do_cross_blocks(table):
    """So that the test above can fail."""
    parts = make_partition(table, SplitSection(kind="cell"))
    assert set(parts.blocks[parts.train]) & set(parts.blocks[parts.validation])


def test_the_seed_draws_the_parts(table):
    first = make_partition(table, SplitSection(seed=1))
    assert (make_partition(table, SplitSection(seed=1)).validation == first.validation).all()
    other = make_partition(table, SplitSection(seed=2)).validation
    assert len(np.intersect1d(other, first.validation)) < len(other) / 2


def test_test_cells_are_judged_where_there_are_any(table):
    split = SplitSection(test=0.2)
    parts = make_partition(table, split)
    assert parts.judged is parts.test
    assert parts.protocol(split)["judged"] == "test"
    alone = make_partition(table, SplitSection())
    assert alone.judged is alone.validation
    protocol = alone.protocol(SplitSection())
    assert protocol["judged"] == "validation" and "flatters" in protocol["words"]
    assert protocol["groups"] == len(np.unique(alone.blocks[alone.validation]))


def test_too_few_blocks(table):
    with pytest.raises(DataError, match="cannot be divided"):
        make_partition(
            table,
            SplitSection(kind="spatial-block", block_km=10_000, test=0.3),
            data(sample_fraction=0.002),
        )


def test_regions_leave_training_and_validation(table):
    split = SplitSection(kind="spatial-block", regions=("japan", (170.0, -60.0, -150.0, 10.0)))
    parts = make_partition(table, split)
    lat, lon = table.lat[parts.holdout], table.lon[parts.holdout]
    japan = (lat >= 30) & (lat <= 45.5) & (lon >= 129.5) & (lon <= 145.8)
    pacific = (lat >= -60) & (lat <= 10) & ((lon >= 170) | (lon <= -150))
    assert (japan | pacific).all() and japan.any() and pacific.any()
    assert len(pacific) > 20
    together = np.concatenate(list(parts.parts().values()))
    assert len(np.unique(together)) == len(together) == len(table)
    protocol = parts.protocol(split)
    assert protocol["holdout_cells"] == len(parts.holdout)
    assert "japan" in protocol["words"]


@pytest.mark.parametrize("kind", ["cell", "spatial-block"])
def test_regions_that_leave_nothing_are_blamed(table, kind):
    split = SplitSection(kind=kind, regions=((-180.0, -90.0, 180.0, 90.0),))
    with pytest.raises(DataError, match=r"split\.regions hold out 842 cells") as caught:
        make_partition(table, split)
    assert "smaller split.regions" in str(caught.value)


def test_words_tell_of_resamples_where_there_are_any(table):
    parts = make_partition(table, SplitSection())
    assert "intervals resample" in parts.protocol(SplitSection())["words"]
    told = parts.protocol(SplitSection(), intervals=False)
    assert told["words"].endswith("whole cells were held out.") and told["groups"] > 1


def test_a_region_without_cells(table):
    with pytest.raises(DataError, match="no cell lies in these regions"):
        make_partition(table, SplitSection(regions=((0.0, 0.0, 0.01, 0.01),)))


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_ocean_cells_go_and_land_stays(table, rate):
    sea = is_ocean(table)
    assert 300 < sea.sum() < 700
    used = used_cells(table, 42, ocean_rate=rate)
    assert sea[used].mean() == pytest.approx(rate * sea.sum() / len(used), abs=0.05)
    assert set(np.flatnonzero(~sea)) <= set(used)
    again = used_cells(table, 42, ocean_rate=rate)
    np.testing.assert_array_equal(used, again)


def test_islands_are_not_ocean(table):
    """Off the outline of the land, but some of the cell is known to be dry."""
    sea = int(np.flatnonzero(is_ocean(table))[0])
    for water, ocean in ((np.nan, True), (1.0, True), (0.98, False)):
        known = table.water.copy()
        known[sea] = water
        assert is_ocean(replace(table, water=known))[sea] == ocean


def with_years(table, years=(2019, 2020, 2021, 2022)):
    """The table once for every year."""
    cells = np.tile(np.arange(len(table)), len(years))
    rows = sample_rows(cells)
    return replace(
        table,
        cells=table.cells[cells],
        lat=table.lat[cells],
        lon=table.lon[cells],
        environment=table.environment[cells],
        labels=table.labels.rows(rows),
        water=table.water[cells],
        years=np.repeat(np.array(years), len(table)),
    )


def test_the_newest_years_are_held_out(table):
    several = with_years(table)
    parts = make_partition(several, SplitSection(kind="year", test=0.2, validation=0.3))
    assert set(several.years[parts.test]) == {2022}
    assert set(several.years[parts.validation]) == {2020, 2021}
    assert set(several.years[parts.train]) == {2019}
    assert set(several.lat[parts.train]) & set(several.lat[parts.test])


def test_years_by_name(table):
    several = with_years(table)
    split = SplitSection(kind="year", validation_years=(2019,), test_years=(2021,))
    parts = make_partition(several, split)
    assert set(several.years[parts.validation]) == {2019}
    assert set(several.years[parts.test]) == {2021}
    assert set(several.years[parts.train]) == {2020, 2022}
    assert parts.protocol(split)["judged"] == "test"
    told = parts.protocol(split)
    assert "whole years were held out" in told["words"]
    assert told["train_years"] == [2020, 2022] and told["test_years"] == [2021]
    assert "train_years" not in parts.protocol(SplitSection())


def test_years_need_years(table):
    with pytest.raises(DataError, match="no column 'year'"):
        make_partition(table, SplitSection(kind="year"))
    with pytest.raises(DataError, match="do not leave cells"):
        make_partition(with_years(table, (2020,)), SplitSection(kind="year"))


@pytest.mark.parametrize("fraction", [1.0, 0.4])
def test_all_years_of_a_cell_stay_together(table, fraction):
    several = with_years(table, (2019, 2020))
    keys = data(sample_fraction=fraction, ocean_rate=0.5)
    parts = make_partition(several, SplitSection(test=0.2), keys)
    places = [set(several.places()[cells]) for cells in parts.parts().values()]
    assert not (places[0] & places[1] or places[0] & places[2] or places[1] & places[2])
    for cells in parts.parts().values():
        assert (np.unique(several.places()[cells], return_counts=True)[1] == 2).all()


def test_names_tell_the_year(table):
    several = with_years(table, (2019, 2020))
    assert several.names([0, len(table)]) == [f"{table.names([0])[0]} {y}" for y in (2019, 2020)]
