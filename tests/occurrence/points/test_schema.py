from __future__ import annotations

import pytest

from quadrat.errors import ExperimentError
from quadrat.experiment import load, parse
from quadrat.recipes import recipe_text

BASE = {
    "family": "occurrence",
    "data": {"points": "records.csv"},
    "points": {"covariates": ["rain"]},
}


def test_small_tables_have_their_own_defaults():
    made = parse(BASE)
    assert made.score.primary == "macro_auc"
    assert (made.optimiser.epochs, made.optimiser.batch_size, made.optimiser.patience) == (
        20,
        64,
        5,
    )
    assert made.points.coordinates == ("lon", "lat") and made.points.geographic
    given = parse({**BASE, "optimiser": {"epochs": 3, "warmup_epochs": 1.0}})
    assert (given.optimiser.epochs, given.optimiser.batch_size) == (3, 64)
    assert given.optimiser.warmup_steps is None


def test_cells_have_none_of_it():
    made = parse({"family": "occurrence", "data": {"table": "cells.parquet"}})
    assert made.points is None and made.optimiser.batch_size == 1024
    assert "points" not in made.content()


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"x": "e", "y": "n", "background": "random", "background_table": "b.csv"},
        {"kind": "presence-absence", "species_columns": ["a", "b"]},
        {"covariates": ["lat", "lon"], "background": "random", "background_points": 50},
    ],
)
def test_a_resolved_experiment_reads_back(tmp_path, keys):
    made = parse({**BASE, "points": {**BASE["points"], **keys}}, folder=tmp_path)
    path = tmp_path / "experiment.toml"
    path.write_text(made.to_toml())
    assert load(path).content() == made.content()


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"data": {"points": "p.csv", "table": "c.parquet"}}, "either table .cells. or points"),
        ({"data": {"points": "p.csv", "yearly": True}}, "yearly is for cells"),
        ({"data": {"table": "c.parquet"}}, "belong together"),
        ({"labels": {"min_observations": 3}}, r"\[labels\] is for cells"),
        ({"split": {"validation": 0.2}}, r"\[split\] is for cells"),
        ({"average": {"snapshots": 3}}, "learns from all points"),
        ({"points": {}}, "name at least one column"),
        ({"points": {"covariates": ["a"], "categorical": ["a"]}}, "both name a"),
        ({"points": {"covariates": ["a"], "x": "x"}}, "both x and y"),
        ({"points": {"covariates": ["a"], "x": "x", "y": "y", "lat": "l"}}, "not both"),
        ({"points": {"covariates": ["a"], "occurrence": "o"}}, "occurrence needs kind"),
        ({"points": {"covariates": ["a"], "background": "random"}}, "needs background_table"),
        ({"points": {"covariates": ["a"], "background": "table"}}, "needs background_table"),
        ({"points": {"covariates": ["a"], "background_table": "b"}}, "does not read"),
        ({"points": {"covariates": ["a"], "background_points": 5}}, "background_points needs"),
        ({"points": {"covariates": ["a"], "models": ["network", "network"]}}, "a kind twice"),
        ({"points": {"covariates": ["a"], "kind": "presence-absence"}}, "either occurrence"),
        (
            {"points": {"covariates": ["a"], "kind": "presence-absence", "group": "g"}},
            "group needs kind",
        ),
        (
            {
                "points": {
                    "covariates": ["a"],
                    "kind": "presence-absence",
                    "species_columns": ["s"],
                    "species": "name",
                }
            },
            "remove species",
        ),
    ],
)
def test_what_is_refused(sections, message):
    with pytest.raises(ExperimentError, match=message):
        parse({**BASE, **sections})


def test_the_recipe_is_an_experiment(tmp_path):
    path = tmp_path / "points.toml"
    path.write_text(recipe_text("points"))
    assert load(path).points.models == ("network", "forest")
