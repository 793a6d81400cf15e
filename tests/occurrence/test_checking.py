from quadrat.occurrence.family import check

from .tables import columns, random_lists, write


def test_facts_of_a_sound_experiment(experiment, planet):
    report = check(experiment())
    assert report.ok
    assert report.facts["cells"] == "842 of H3 resolution 1"
    assert report.facts["samples"].startswith("40,416 (cell and week)")
    assert "steps, about" in report.facts["training"]
    assert report.tables["parts"][0]["part"] == "train"
    assert sum(row["cells"] for row in report.tables["parts"]) == 842
    assert any("flatters" in line for line in report.warnings)


def test_names_that_are_missing_are_told(experiment, tmp_path):
    taxonomy = tmp_path / "taxonomy.csv"
    taxonomy.write_text("species_code,sci_name,com_name\nnobody,Nemo nemo,Nobody\n")
    report = check(experiment(data={"taxonomy": str(taxonomy), "watchlist": ["nobody"]}))
    assert any("not in the taxonomy" in line for line in report.warnings)
    assert any("1 watch-list species are not learnt: nobody" in line for line in report.warnings)


def test_what_stops_training_is_an_error(experiment, tmp_path):
    table = write(tmp_path / "cells.parquet", columns(random_lists(40, ["a", "b"]), week_9=None))
    report = check(experiment(data={"table": str(table)}))
    assert not report.ok and "no column 'week_9'" in report.errors[0]
    report = check(experiment(score={"primary": "macro_auc"}))
    assert not report.ok and "macro_auc" in report.errors[0]
    report = check(experiment(score={"primary": "mapp"}))
    assert "Did you mean 'map'" in report.errors[0]


def test_neighbours_of_training_cells_are_told(experiment):
    by_cell = check(experiment()).tables["distance to training cells"]
    assert [row["part"] for row in by_cell] == ["validation"]
    assert int(by_cell[0]["beside a training cell"].rstrip("%")) > 95
    split = {"kind": "spatial-block", "block_km": 4000.0, "test": 0.2}
    by_block = check(experiment(split=split)).tables["distance to training cells"]
    assert all(int(row["beside a training cell"].rstrip("%")) < 70 for row in by_block)
    assert by_block[0]["median km to the nearest"] > by_cell[0]["median km to the nearest"]


def test_what_each_key_left_out(experiment):
    report = check(
        experiment(
            data={"ocean_rate": 0.0},
            labels={"max_observations": 100, "max_species": 20, "min_observations": 60},
        )
    )
    rows = {
        row["key"].partition(" = ")[0]: row["number"] for row in report.tables["left out and added"]
    }
    assert rows["data.sample_fraction, data.ocean_rate"] > 300
    assert rows["labels.max_species"] > 5
    assert rows["labels.max_observations"] > 1000


def test_watched_species_without_records_in_a_part(experiment, planet):
    codes = planet.watchlist.read_text().split()
    report = check(experiment(data={"watchlist": codes, "sample_fraction": 0.05}))
    assert any("watch-list species have no record in validation" in w for w in report.warnings)
