from __future__ import annotations

import gzip

import numpy as np
import polars as pl
import pytest

from quadrat.errors import DataError
from quadrat.tables import numeric_column, read_table, require_columns, write_table


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_text_tables_of_every_dialect(tmp_path, separator, bom):
    path = tmp_path / "t.csv"
    path.write_text(f"{bom}id{separator}mass_g\na{separator}1.5\nb{separator}2\n", encoding="utf-8")
    assert read_table(path).to_dict(as_series=False) == {"id": ["a", "b"], "mass_g": [1.5, 2.0]}


def test_compressed_and_parquet(tmp_path):
    with gzip.open(tmp_path / "t.csv.gz", "wt") as handle:
        handle.write("a,b\n1,x\n")
    frame = read_table(tmp_path / "t.csv.gz")
    write_table(frame, tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").equals(frame)


def test_a_late_text_makes_the_whole_column_text(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x\n" + "1\n" * 5000 + "many\n")
    assert read_table(path)["x"].dtype == pl.String


def test_ids_with_leading_zeros_stay_text(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,n\n0007,7\n0012,12\n")
    assert read_table(path).to_dict(as_series=False) == {"id": ["0007", "0012"], "n": [7, 12]}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.csv", None, "does not exist"),
        ("t.csv", b"", "is empty"),
        ("t.csv", b"a,b\n", "has no rows"),
        ("t.parquet", b"not parquet", "cannot be read"),
        ("t.xlsx", b"x", "unknown format"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_table(tmp_path / name)


def test_a_similar_file_is_offered(tmp_path):
    (tmp_path / "train.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"Did you mean 'train\.csv'"):
        read_table(tmp_path / "trian.csv")


def test_missing_columns_are_all_listed(tmp_path):
    frame = pl.DataFrame({"sample_id": [1], "target": [2.0]})
    with pytest.raises(DataError) as caught:
        require_columns(frame, ["sampleid", "image", "target"], "t.csv", key="data.id")
    message = str(caught.value)
    assert "Did you mean 'sample_id'?" in message
    assert "'image'" in message
    assert "data.id" in message


def test_numbers_with_blanks(tmp_path):
    frame = pl.DataFrame({"x": ["1", " 2.5 ", "", "NA", None, "nan"]})
    np.testing.assert_array_equal(
        numeric_column(frame, "x", "t.csv"), [1, 2.5, np.nan, np.nan, np.nan, np.nan]
    )


def test_text_among_numbers_names_the_rows(tmp_path):
    frame = pl.DataFrame({"x": ["1", "heavy", "3", "inf"]})
    with pytest.raises(DataError) as caught:
        numeric_column(frame, "x", "t.csv")
    assert "row 3: 'heavy' is not a number" in str(caught.value)
    assert "row 5: 'inf' is infinite" in str(caught.value)


def test_a_decimal_comma_is_told(tmp_path):
    with pytest.raises(DataError, match="row 2: '12,5' is not a number: its decimal comma"):
        numeric_column(pl.DataFrame({"x": ["12,5"]}), "x", "t.csv")


def test_an_infinite_number_is_told(tmp_path):
    with pytest.raises(DataError, match="row 3: -inf is infinite"):
        numeric_column(pl.DataFrame({"x": [1.0, -np.inf]}), "x", "t.csv")


def test_text_that_is_not_utf8_says_what_to_do(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("farm,x\nHöfe,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8") as caught:
        read_table(path)
    assert "save it again" in caught.value.fix


@pytest.mark.parametrize(
    ("name", "content"), [("t.csv", b"a,b\n1,2,3\n"), ("t.parquet", b"PAR1 and no more")]
)
def test_a_damaged_table_says_what_to_do(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="cannot be read") as caught:
        read_table(tmp_path / name)
    assert caught.value.fix


def test_columns_of_the_same_name_are_refused(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text('a;"b, c";a;;\n1;2;3;;\n')
    with pytest.raises(DataError, match="several columns of the same name") as caught:
        read_table(table)
    assert caught.value.problems == ("a: 2 columns",)
    table.write_text("a;b;;\n1;2;;\n")
    assert read_table(table)["b"].to_list() == [2]


def test_writing_to_an_unknown_format(tmp_path):
    with pytest.raises(DataError, match="suffix"):
        write_table(pl.DataFrame({"x": [1]}), tmp_path / "t.docx")
