from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from quadrat.errors import ExperimentError
from quadrat.experiment import parse
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.occurrence.transfer.flags import ASKING, FLAGS, PREDICT, TRAIN
from tests.keys import key_exists

DOCS = Path(__file__).parents[3] / "docs" / "coming-from-geomodel.md"

EVERY = """
data_path model_scale coord_harmonics week_harmonics habitat_head habitat_weight batch_size
num_epochs lr weight_decay species_weight env_weight species_loss asl_gamma_pos asl_gamma_neg
asl_clip focal_alpha focal_gamma pos_lambda neg_samples label_smoothing max_obs_per_species
min_obs_per_species max_species ocean_sample_rate no_yearly jitter label_freq_weight
label_freq_weight_min label_freq_weight_pct_lo label_freq_weight_pct_hi propagate_labels
propagate_k propagate_max_radius propagate_min_obs propagate_max_spread propagate_env_dist_max
propagate_range_cap lr_schedule lr_min lr_warmup patience val_size sample_fraction holdout_regions
checkpoint_dir taxonomy resume save_every no_cache data_cache_dir device num_workers autotune
autotune_trials autotune_epochs autotune_ranges
"""
"""Every flag of the geomodel's train.py."""


def test_every_flag_is_known():
    assert set(TRAIN) == set(EVERY.split())


@pytest.mark.parametrize("name", TRAIN)
def test_it_leads_to_a_key_or_to_words(name):
    flag = TRAIN[name]
    assert flag.note if not flag.key else key_exists(OccurrenceExperiment, flag.key), flag


@pytest.mark.parametrize("name", TRAIN)
def test_the_documentation_says_the_same(name):
    lines = [line for line in DOCS.read_text().splitlines() if line.startswith(f"| `--{name}` ")]
    assert len(lines) == 1, "one row of the table"
    assert not TRAIN[name].key or f"`{TRAIN[name].key}`" in lines[0]
    assert TRAIN[name].note in lines[0]


@pytest.mark.parametrize("name", PREDICT)
def test_flags_of_asking_are_documented_and_no_keys(name):
    assert f"--{name}" in DOCS.read_text()
    assert "quadrat " in ASKING.advice(name) and not FLAGS.advice(name)


def test_no_advice_for_other_names():
    assert FLAGS.advice("leaning_rate") == "" and FLAGS.advice("learning-rate") == ""
    assert "'optimiser.learning_rate'" in FLAGS.advice("--lr")
    words = "'labels.min_observations' (counted on training cells) here"
    assert words in FLAGS.advice("min-obs-per-species")


@pytest.mark.parametrize("place", ["{}", "optimiser.{}", "--{}", "labels.{}"])
@pytest.mark.parametrize("name", ["lr", "min_obs_per_species", "species_loss"])
def test_an_old_name_anywhere_names_the_key(place, name):
    document = {"family": "occurrence", "data": {"table": "t.parquet"}}
    with pytest.raises(ExperimentError, match=TRAIN[name].key.replace(".", r"\.")):
        parse(document, [f"{place.format(name)}=1"])


def test_other_families_have_other_names():
    document = {"family": "photos", "data": {"table": "t.csv", "targets": ["a_g"]}, "lr": 1}
    with pytest.raises(ExperimentError) as caught:
        parse(document)
    assert "geomodel" not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["train", "species", "--lr", "0.1"], "--set optimiser.learning_rate=VALUE"),
        (["species", "run", "--top_k", "5"], "quadrat species RUN --top N"),
        (["species", "--checkpoint", "best.pt"], "quadrat import CHECKPOINT"),
    ],
)
def test_an_old_option_of_the_command_line(command, said):
    command = [sys.executable, "-m", "quadrat", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert said in done.stderr
