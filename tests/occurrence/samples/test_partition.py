import numpy as np
import pytest

from quadrat.errors import DataError
from quadrat.occurrence.records.cells import read_cells
from quadrat.occurrence.samples.partition import make_partition
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
