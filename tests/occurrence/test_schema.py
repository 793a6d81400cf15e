import subprocess
import sys
import tomllib

import pytest

from quadrat.errors import ExperimentError
from quadrat.experiment import load, parse
from quadrat.occurrence.schema import WATCHLIST
from quadrat.recipes import recipe_text

BASE = {"family": "occurrence", "data": {"table": "cells.parquet"}}


def test_defaults():
    made = parse(BASE)
    assert made.score.primary == "geoscore"
    assert (made.optimiser.batch_size, made.optimiser.warmup_steps) == (1024, 100)
    assert made.data.watchlist == WATCHLIST
    assert (made.network.scale, made.network.encoding) == (0.75, "spherical")
    assert (made.split.kind, made.split.validation, made.split.seed) == ("cell", 0.1, 42)


def test_warm_up_by_epochs_replaces_the_default():
    made = parse({**BASE, "optimiser": {"warmup_epochs": 0.5}})
    assert (made.optimiser.warmup_steps, made.optimiser.warmup_epochs) == (None, 0.5)


def test_assumed_absences_are_looked_for_elsewhere_by_default():
    def where(**keys):
        return parse({**BASE, "loss": keys}).loss.spatial_negatives

    assert where() == where(kind="asl") == "none"
    assert where(kind="assume-negative") == "sphere"
    assert where(kind="assume-negative", spatial_negatives="none") == "none"


def test_a_watch_list_is_codes_or_a_file(tmp_path):
    codes = parse({**BASE, "data": {"table": "t.parquet", "watchlist": ["iiwi"]}})
    assert codes.data.watchlist == ("iiwi",)
    file = parse({**BASE, "data": {"table": "t.parquet", "watchlist": "w.txt"}}, folder=tmp_path)
    assert file.data.watchlist == tmp_path / "w.txt"


def test_a_resolved_experiment_reads_back(tmp_path):
    path = tmp_path / "experiment.toml"
    made = parse(BASE, folder=tmp_path)
    path.write_text(made.to_toml())
    assert load(path).content() == made.content()


@pytest.mark.parametrize(
    ("section", "keys", "message"),
    [
        ("loss", {"kind": "mse"}, "loss.kind"),
        ("loss", {"kind": "focal", "asl_clip": 0.1}, "asl_clip belongs to kind = 'asl'"),
        ("loss", {"neg_samples": 64}, "neg_samples belongs to kind = 'assume-negative'"),
        ("loss", {"kind": "assume-negative", "spatial_negatives": "land"}, "spatial_negatives"),
        ("network", {"scal": 1}, "Did you mean 'scale'"),
        ("split", {"validation": 0.6, "test": 0.5}, "must leave cells for training"),
        ("split", {"validation": 0.0}, "split.validation"),
        ("score", {"weights": {"iiwi": 1.0}}, "no targets to weigh"),
        ("data", {"table": "t", "sample_fraction": 0.0}, "data.sample_fraction"),
        (
            "labels",
            {"propagate": {"k": 1}},
            r"k does nothing yet: set labels\.propagate\.on = true",
        ),
        (
            "labels",
            {"frequency_weight": {"min": 0.5, "pct_low": 1.0}},
            r"min, pct_low do nothing yet: set labels\.frequency_weight\.on = true",
        ),
    ],
)
def test_what_is_refused(section, keys, message):
    with pytest.raises(ExperimentError, match=message):
        parse({**BASE, section: keys})


def test_keys_of_a_switch_may_be_put_aside_with_it_or_be_at_their_defaults():
    switched = {"frequency_weight": {"min": 0.01}, "propagate": {"on": False, "k": 1}}
    made = parse({**BASE, "labels": switched}).labels
    assert (made.frequency_weight.min, made.propagate.k) == (0.01, 1)
    on = parse({**BASE, "labels": {"propagate": {"k": 1}}}, ["labels.propagate.on=true"])
    assert on.labels.propagate.k == 1


def test_zero_is_no_limit():
    limits = {"max_spread": 0, "max_environment_distance": 0, "range_cap_km": 0}
    made = parse({**BASE, "labels": {"max_species": 0, "propagate": {"on": True, **limits}}})
    assert made.labels.max_species == made.labels.propagate.range_cap_km == 0


def test_the_recipe_is_an_experiment(tmp_path):
    path = tmp_path / "species.toml"
    path.write_text(recipe_text("species"))
    assert load(path).name == "species"


def test_the_package_alone_is_light():
    program = (
        "import sys, quadrat.occurrence, quadrat.occurrence.schema\n"
        "heavy = {'torch', 'polars', 'pyarrow', 'h3'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_recipe_of_the_geomodel_writes_every_key_out():
    experiment = parse(tomllib.loads(recipe_text("geomodel")))
    for name in ("labels", "loss", "network"):
        section = getattr(experiment, name)
        unset = {"environment_input", "environment_dropout"}
        assert set(type(section).model_fields) - section.model_fields_set <= unset, name


def test_unknown_environment_must_not_come_to_mean_absent(experiment):
    reads = {"environment_input": ["elevation_m"]}
    with pytest.raises(ExperimentError, match="unknown would come to mean absent"):
        experiment(network=reads, loss={"kind": "assume-negative"})
    loss = {"kind": "assume-negative", "spatial_negatives": "cells"}
    assert experiment(network=reads, loss=loss).network.environment_input
