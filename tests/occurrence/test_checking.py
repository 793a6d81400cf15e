import pytest

from quadrat.errors import UsageError
from quadrat.experiment import CheckReport
from quadrat.occurrence.family import check
from quadrat.occurrence.findings import findings
from quadrat.occurrence.fitting import make_objective
from quadrat.occurrence.samples.dataset import prepare

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
    assert any("1 watch-list species is not learnt: nobody" in line for line in report.warnings)


def test_what_stops_training_is_an_error(experiment, tmp_path):
    table = write(tmp_path / "cells.parquet", columns(random_lists(40, ["a", "b"]), week_9=None))
    report = check(experiment(data={"table": str(table)}))
    assert not report.ok and "no column 'week_9'" in report.errors[0]
    report = check(experiment(score={"primary": "macro_auc"}))
    assert not report.ok and "macro_auc" in report.errors[0]
    report = check(experiment(score={"primary": "mapp"}))
    assert "Did you mean 'map'" in report.errors[0]


@pytest.mark.parametrize("primary", ["holdout_map", "list_ratio_10", "mapp"])
def test_only_scores_that_may_choose_are_offered(experiment, primary):
    made = experiment(score={"primary": primary}, data={"watchlist": ["nobody"]})
    with pytest.raises(UsageError) as caught:
        make_objective(made, prepare(made))
    offered = str(caught.value).rpartition(": ")[2].rstrip(".").split(", ")
    assert {"map", "geoscore", "f1_10"} <= set(offered)
    for name in offered:
        chosen = experiment(score={"primary": name}, data={"watchlist": ["nobody"]})
        assert make_objective(chosen, prepare(chosen)).primary == name


@pytest.mark.parametrize("primary", ["watchlist_map", "watchlist_ap_nobody"])
def test_scores_of_watched_species_need_one_that_is_learnt(experiment, primary):
    made = experiment(score={"primary": primary}, data={"watchlist": ["nobody"]})
    with pytest.raises(UsageError, match=r"of data\.watchlist, and no species .*of it is learnt"):
        make_objective(made, prepare(made))


def test_neighbours_of_training_cells_are_told(experiment):
    by_cell = check(experiment()).tables["distance to training cells"]
    assert [row["part"] for row in by_cell] == ["validation"]
    assert int(by_cell[0]["beside a training cell"].rstrip("%")) > 95
    split = {"kind": "spatial-block", "block_km": 4000.0, "test": 0.2}
    by_block = check(experiment(split=split)).tables["distance to training cells"]
    assert all(int(row["beside a training cell"].rstrip("%")) < 70 for row in by_block)
    assert by_block[0]["median km to the nearest"] > by_cell[0]["median km to the nearest"]


def test_tiny_blocks_do_not_escape(experiment):
    for block_km, many in ((0.001, True), (4000.0, False)):
        split = {"kind": "spatial-block", "block_km": block_km, "test": 0.2}
        warnings = check(experiment(split=split)).warnings
        told = [line for line in warnings if "split.block_km" in line]
        assert bool(told) == many
        if many:
            assert "100% of test" in told[0] and "flatters" in told[0]


def test_few_blocks_matter_to_intervals(experiment):
    split = {"kind": "spatial-block", "block_km": 6000.0}
    for resamples, told in ((0, False), (20, True)):
        found = check(experiment(split=split, score={"bootstrap": resamples}))
        assert any("intervals rest on" in line for line in found.warnings) == told
        assert ("resample" in found.facts["split"]) == told


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


@pytest.fixture
def told(experiment):
    """The findings about an experiment of these sections."""

    def look(**sections) -> CheckReport:
        made = experiment(**sections)
        return findings(made, prepare(made), None)

    return look


def only(report, words):
    found = [line for line in report.warnings if words in line]
    assert len(found) == 1, report.warnings
    return found[0]


def test_a_code_that_is_named_twice_is_watched_once(told, planet):
    code = planet.watchlist.read_text().split()[0]
    twice, once = (told(data={"watchlist": [code] * times}).warnings for times in (2, 1))
    assert twice == once


def test_synonyms_that_match_nothing_are_told(told, planet, tmp_path):
    codes = [row.split(",")[0] for row in planet.taxonomy.read_text().splitlines()[1:]]
    table = tmp_path / "synonyms.csv"
    rows = [("tpyo", codes[0]), ("older", "old"), (codes[1], "older"), (codes[2], "split")]
    table.write_text("old,new\n" + "".join(f"{old},{new}\n" for old, new in rows))
    report = told(data={"synonyms": str(table)})
    assert only(report, "data.synonyms").endswith(
        "1 of 4 rows does nothing, as the table has no such old species: 'tpyo' (row 2)"
    )
    changes = {row["key"]: row["number"] for row in report.tables["left out and added"]}
    assert changes["data.synonyms"] == 3
    table.write_text(f"old,new\n{codes[1]},older\n")
    assert "data.synonyms" not in str(told(data={"synonyms": str(table)}).warnings)


def test_keys_that_change_nothing_are_told(told):
    many = {"kind": "assume-negative", "neg_samples": 500}
    line = only(told(loss=many), "loss.neg_samples = 500 draws nothing")
    assert line.endswith("species are learnt: all are computed, as with 0")
    nothing = {"data": {"environment": []}}
    told_of = told(**nothing, network={"environment_weight": 0.5})
    assert "nothing: there is no environment to predict (data.environment = [])" in only(
        told_of, "network.environment_weight = 0.5"
    )
    few = {"kind": "assume-negative", "neg_samples": 4}
    usual = str(told(loss=few).warnings + told(**nothing).warnings)
    assert "nothing" not in usual
