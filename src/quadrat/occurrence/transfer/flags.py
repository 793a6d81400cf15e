"""The command line of the BirdNET geomodel in our words: the one table of flags and keys.

The documentation is tested against it.
"""

from __future__ import annotations

from quadrat.experiment.foreign import Flag, ForeignFlags

TRAIN: dict[str, Flag] = {
    "data_path": Flag("data.table"),
    "model_scale": Flag("network.scale"),
    "coord_harmonics": Flag("network.coord_harmonics"),
    "week_harmonics": Flag("network.week_harmonics"),
    "habitat_head": Flag("network.habitat_head"),
    "habitat_weight": Flag("network.habitat_weight"),
    "batch_size": Flag("optimiser.batch_size"),
    "num_epochs": Flag("optimiser.epochs"),
    "lr": Flag("optimiser.learning_rate"),
    "weight_decay": Flag("optimiser.weight_decay"),
    "species_weight": Flag("loss.species_weight"),
    "env_weight": Flag("network.environment_weight"),
    "species_loss": Flag(
        "loss.kind", "'an' is 'assume-negative' with loss.spatial_negatives = 'none'"
    ),
    "label_smoothing": Flag("loss.label_smoothing", "it holds for every loss"),
    "min_obs_per_species": Flag("labels.min_observations", "counted on training cells"),
    "no_yearly": Flag("data.yearly", "the other way round: false instead of the flag"),
    "lr_schedule": Flag("optimiser.schedule"),
    "lr_min": Flag("optimiser.learning_rate_min"),
    "lr_warmup": Flag("optimiser.warmup_epochs", "or warmup_steps"),
    "patience": Flag("optimiser.patience"),
    "val_size": Flag("split.validation"),
    "sample_fraction": Flag("data.sample_fraction"),
    "checkpoint_dir": Flag("", "use `quadrat train … --out FOLDER`; every run has its own folder"),
    "taxonomy": Flag("data.taxonomy"),
    "resume": Flag("", "use `quadrat train … --resume auto` or `--resume RUN`"),
    "save_every": Flag("run.save_every"),
    "no_cache": Flag("data.cache", "the other way round: false instead of the flag"),
    "data_cache_dir": Flag("", "set the environment variable QUADRAT_CACHE to a folder"),
    "device": Flag("run.device"),
    "num_workers": Flag("", "batches are made on the device; there are no workers to count"),
    "asl_gamma_pos": Flag("loss.asl_gamma_pos", "with loss.kind = 'asl'"),
    "asl_gamma_neg": Flag("loss.asl_gamma_neg", "with loss.kind = 'asl'"),
    "asl_clip": Flag("loss.asl_clip", "with loss.kind = 'asl'"),
    "focal_alpha": Flag("loss.focal_alpha", "with loss.kind = 'focal'"),
    "focal_gamma": Flag("loss.focal_gamma", "with loss.kind = 'focal'"),
    "pos_lambda": Flag("loss.pos_lambda", "with loss.kind = 'assume-negative'"),
    "neg_samples": Flag(
        "loss.neg_samples", "0 is all, the default; only the drawn species are computed"
    ),
    "max_obs_per_species": Flag("labels.max_observations", "of training samples only"),
    "max_species": Flag("labels.max_species", "the most frequent species, not random ones"),
    "ocean_sample_rate": Flag("data.ocean_rate", "by a land mask, which knows the open sea"),
    "jitter": Flag("augment.jitter"),
    "label_freq_weight": Flag("labels.frequency_weight.on"),
    "label_freq_weight_min": Flag("labels.frequency_weight.min"),
    "label_freq_weight_pct_lo": Flag("labels.frequency_weight.pct_low"),
    "label_freq_weight_pct_hi": Flag("labels.frequency_weight.pct_high"),
    "propagate_labels": Flag("labels.propagate.on", "in training samples only"),
    "propagate_k": Flag("labels.propagate.k", "of those within the limits"),
    "propagate_max_radius": Flag("labels.propagate.max_radius_km"),
    "propagate_min_obs": Flag("labels.propagate.min_observed"),
    "propagate_max_spread": Flag("labels.propagate.max_spread"),
    "propagate_env_dist_max": Flag("labels.propagate.max_environment_distance"),
    "propagate_range_cap": Flag("labels.propagate.range_cap_km"),
    "holdout_regions": Flag("split.regions", "out of validation too"),
    "autotune": Flag("", "use `quadrat tune EXPERIMENT`; `--only KEY,KEY` searches some keys"),
    "autotune_trials": Flag("", "use `quadrat tune EXPERIMENT --trials N`"),
    "autotune_epochs": Flag("", "use `quadrat tune EXPERIMENT --epochs N`"),
    "autotune_ranges": Flag(
        "", "use `quadrat tune EXPERIMENT --space FILE`; `--show-space` prints such a file"
    ),
}
"""Flags of ``train.py``, without their dashes."""

PREDICT: dict[str, Flag] = {
    "checkpoint": Flag(
        "", "give the run folder first; `quadrat import CHECKPOINT` makes one of a checkpoint"
    ),
    "top_k": Flag("", "use `quadrat species RUN --top N`"),
    "common_species": Flag("", "use `quadrat species RUN --places FILE --union --out FILE`"),
}
"""Flags of ``predict.py`` that have other names here."""

FLAGS = ForeignFlags(TRAIN, called="The geomodel's --{}")
"""What experiment files and options are advised by."""

ASKING = ForeignFlags(PREDICT, called="The geomodel's --{}")
"""The same for options only: no experiment file asks a model."""
