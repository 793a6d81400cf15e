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
