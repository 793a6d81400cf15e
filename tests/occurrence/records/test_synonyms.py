import pytest

from quadrat.errors import DataError
from quadrat.occurrence.records.cells import read_cells
from quadrat.occurrence.records.synonyms import read_synonyms
from quadrat.occurrence.records.taxonomy import Species

from ..tables import columns, random_lists, write

TAXONOMY = {
    "carcro1": Species("carcro1", "Corvus corone", "Carrion Crow"),
    "hoocro1": Species("hoocro1", "Corvus cornix", "Hooded Crow"),
}


def synonyms(tmp_path, rows, taxonomy=None):
    path = tmp_path / "synonyms.csv"
    path.write_text("old,new\n" + "".join(f"{old},{new}\n" for old, new in rows))
    return read_synonyms(path, taxonomy)


def test_codes_names_and_chains(tmp_path):
    found = synonyms(tmp_path, [("a", "b"), ("b", "c"), ("x", "x")])
    assert found == {"a": "c", "b": "c"}
    named = synonyms(tmp_path, [("corvus CORNIX", "Carrion crow"), ("old", "carcro1")], TAXONOMY)
    assert named == {"corvus CORNIX": "carcro1", "hoocro1": "carcro1", "old": "carcro1"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "b"), ("a", "c")], "one new one"),
        ([("a", "b"), ("b", "a")], "circle"),
        ([("a", "")], "blank"),
    ],
)
def test_what_is_refused(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        synonyms(tmp_path, rows)


def test_records_of_the_old_species_count_for_the_new(tmp_path):
    lists = random_lists(20, ["a", "b", "c", "d"])
    merged = [
        [week and [{"b": "a", "d": "z"}.get(s, s) for s in week] for week in row] for row in lists
    ]
    table = read_cells(write(tmp_path / "t.parquet", columns(lists)), synonyms={"b": "a", "d": "z"})
    expected = read_cells(write(tmp_path / "m.parquet", columns(merged)))
    assert table.codes == expected.codes == ("a", "c", "z")
    assert (table.labels.indptr == expected.labels.indptr).all()
    assert (table.labels.indices == expected.labels.indices).all()
