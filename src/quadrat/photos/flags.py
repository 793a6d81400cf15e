"""Flags and settings of four public systems in our words: the one table of names and keys.

The documentation is tested against it.
"""

from __future__ import annotations

from quadrat.experiment.foreign import Flag, ForeignFlags

_TABLE = Flag("data.table")
_OUT = Flag("", "use `quadrat train … --out FOLDER`; every run has its own folder")
_ENCODER = Flag("encoder.name", "'timm:MODEL' or 'open_clip:MODEL'")
_SIZE = Flag("views.size")
_BATCH = Flag("optimiser.batch_size")
_EPOCHS = Flag("optimiser.epochs")
_RATE = Flag("optimiser.learning_rate", "the encoder's is encoder.learning_rate")
_HEAD_RATE = Flag("optimiser.learning_rate", "or head.learning_rate")
_ENCODER_RATE = Flag("encoder.learning_rate")
_DECAY = Flag("optimiser.weight_decay", "not of biases and norms")
_WARMUP = Flag("optimiser.warmup_epochs", "the rate rises at every step")
_ACCUMULATE = Flag("optimiser.accumulate")
_CLIP = Flag("optimiser.clip")
_EMA = Flag("average.ema", "its beginning is warmed up")
_FOLDS = Flag("split.folds", "with split.by, the columns of the group")
_WORKERS = Flag("run.workers", "threads")
_LEADERBOARD = Flag("", "there is no leaderboard tool yet")
_BOOSTING = Flag("", "boosted trees on frozen vectors are not here yet")

STARTER: dict[str, Flag] = {
    "mode": Flag("", "one training loop does what 'baseline' and 'advanced' do"),
    "train_csv": _TABLE,
    "image_dir": Flag("data.image_root"),
    "test_csv": Flag("data.test"),
    "sample_submission": Flag("data.sample_submission"),
    "fractal_csv": Flag("curriculum.kind", "'fractal' computes the dimensions itself"),
    "image_column": Flag("data.image"),
    "id_column": Flag("data.id"),
    "target_name_column": Flag("data.target_name"),
    "target_value_column": Flag("data.target_value"),
    "batch_size": _BATCH,
    "val_fraction": Flag("split.inner", "for early stopping; the held-out part is split.folds"),
    "epochs": _EPOCHS,
    "learning_rate": _RATE,
    "weight_decay": _DECAY,
    "num_workers": _WORKERS,
    "scheduler_t_max": Flag("optimiser.schedule", "'cosine' ends with the last epoch"),
    "ema_decay": _EMA,
    "warmup_epochs": _WARMUP,
    "no_scheduler": Flag("optimiser.schedule", "'none'"),
    "max_train_samples": Flag("", "give a smaller table"),
    "max_val_samples": Flag("", "give a smaller table"),
    "n_folds": _FOLDS,
    "cv_group_column": Flag("split.by", "a list of columns; there one, and none by default"),
    "tta": Flag("tta.kind", "'flips', 'd4' or 'crops'"),
    "save_oof": Flag("", "every run keeps its held-out predictions in oof.parquet"),
    "model": _ENCODER,
    "dropout": Flag("fusion.dropout", "of fusion and head"),
    "backbone_dropout": Flag("fusion.dropout", "of fusion and head; the encoder has none"),
    "no_pretrained": Flag("encoder.weights", "'none'"),
    "device": Flag("run.device"),
    "seed": Flag("seed"),
    "constraint_tolerance": Flag(
        "balance_method.tolerance", "of tables; predictions obey the identities exactly"
    ),
    "use_physics_loss": Flag("head.kind", "'parts' obeys the identities by construction"),
    "advanced_grad_clip": _CLIP,
    "mc_dropout_samples": Flag("head.distribution", "'gaussian' learns the spread"),
    "no_metadata": Flag("data.numeric", "leave it and data.categorical out"),
    "curriculum_target": Flag("curriculum.target", "with curriculum.kind = 'fractal'"),
    "no_curriculum": Flag("curriculum.kind", "'none', the default"),
    "snapshot_count": Flag("average.snapshots"),
    "mixup_alpha": Flag("augment.mixup"),
    "mixup_prob": Flag("augment.mixup", "every batch is mixed; a small value mixes little"),
    "image_size": _SIZE,
    "aug_policy": Flag("augment.policy", "'standard' is nearest to 'gentle'"),
    "augmentation_policy": Flag("augment.policy", "'standard' is nearest to 'gentle'"),
    "randaugment_num_ops": Flag("augment.policy", "'randaugment' takes two"),
    "randaugment_magnitude": Flag("augment.policy", "'randaugment' has one magnitude"),
    "trivial_magnitude_bins": Flag("augment.policy", "there is no 'trivialaugment'"),
    "tab_hidden_dims": Flag("fusion.hidden", "numbers are standardised, categories embedded"),
    "fusion_hidden_dims": Flag("fusion.hidden", "and head.hidden for the layers after it"),
    "fusion_dropout": Flag("fusion.dropout"),
    "no_tab_layernorm": Flag("fusion.kind", "metadata have no norm of their own to leave out"),
    "fusion_type": Flag("fusion.kind"),
    "perceiver_latents": Flag("fusion.latents", "with fusion.kind = 'perceiver'"),
    "perceiver_layers": Flag("fusion.layers", "with fusion.kind = 'perceiver'"),
    "perceiver_heads": Flag("fusion.heads", "fusion.hidden must be a multiple"),
    "perceiver_dropout": Flag("fusion.dropout"),
    "output_dir": _OUT,
    "leaderboard_competition": _LEADERBOARD,
    "leaderboard_team": _LEADERBOARD,
    "leaderboard_top_k": _LEADERBOARD,
    "leaderboard_metrics": _LEADERBOARD,
    "leaderboard_distribution": _LEADERBOARD,
    "compare_leaderboard": _LEADERBOARD,
    "wandb_project": Flag("", "there is no tracking elsewhere yet; history.jsonl has all numbers"),
    "wandb_entity": Flag("", "there is no tracking elsewhere yet"),
    "wandb_run_name": Flag("name", "the first part of the run folder's name"),
}
"""Flags of the CSIRO starter kit's training program, without their dashes."""

DEPTH: dict[str, Flag] = {
    "use_external": Flag("external.table", "[[external]] with their columns and units"),
    "model_type": Flag("depth.fusion", "there is no four-channel network ('rgbd')"),
    "fusion_type": Flag("depth.fusion"),
    "depth_model": Flag("depth.model", "Depth Anything V2 of any size; no MiDaS"),
    "backbone": _ENCODER,
    "n_folds": _FOLDS,
    "epochs": _EPOCHS,
    "batch_size": _BATCH,
    "lr": _HEAD_RATE,
    "image_size": _SIZE,
    "seed": Flag("seed"),
    "use_depth": Flag("depth.model", "the section [depth] turns it on"),
    "freeze_backbone": Flag("encoder.train", "'head', the default"),
    "backbone_lr_scale": Flag("encoder.learning_rate", "a rate, not a share"),
    "warmup_epochs": _WARMUP,
    "gradient_accumulation": _ACCUMULATE,
    "max_grad_norm": _CLIP,
    "checkpoint_dir": _OUT,
    "start_fold": Flag("", "use `quadrat train … --resume RUN`; finished folds are kept"),
    "resume": Flag("", "use `quadrat train … --resume auto` or `--resume RUN`"),
    "resume_all": Flag("", "use `quadrat train … --resume RUN`; finished folds are kept"),
    "group_kfold": Flag("split.kind", "'group', the default"),
    "no_group_kfold": Flag("split.kind", "'random', which flatters"),
}
"""Flags of the training programs of Image2Biomass with depth."""

DINOV3: dict[str, Flag] = {
    "base_path": Flag("data.image_root"),
    "train_csv": _TABLE,
    "train_image_dir": Flag("data.image_root"),
    "test_image_dir": Flag("data.image_root"),
    "test_csv": Flag("data.test"),
    "output_dir": _OUT,
    "model_name": _ENCODER,
    "backbone_path": Flag("encoder.weights", "a file; safetensors or a state dict"),
    "dino_grad_checkpointing": Flag("encoder.checkpointing"),
    "seed": Flag("seed"),
    "n_folds": _FOLDS,
    "folds_to_train": Flag("", "all folds are trained; a run is judged on every sample"),
    "img_size": _SIZE,
    "batch_size": _BATCH,
    "grad_acc": _ACCUMULATE,
    "num_workers": _WORKERS,
    "epochs": _EPOCHS,
    "freeze_epochs": Flag("encoder.freeze_epochs"),
    "warmup_epochs": _WARMUP,
    "lr_backbone": _ENCODER_RATE,
    "lr_head": _HEAD_RATE,
    "weight_decay": _DECAY,
    "clip_grad_norm": _CLIP,
    "ema_decay": _EMA,
    "patience": Flag("optimiser.patience"),
    "target_cols": Flag("data.targets"),
    "loss_weights": Flag("loss.weights", "by default those of the score"),
    "r2_weights": Flag("score.weights"),
    "tta_steps": Flag("tta.kind", "'flips' is four"),
    "dinov3_model_dir": Flag("", "`quadrat predict RUN`; a run holds all that it needs"),
    "siglip_submission": Flag("", "`quadrat ensemble` combines runs, not submissions"),
    "w_dinov3": Flag("", "member.weight of an ensemble, for each target"),
    "w_siglip": Flag("", "member.weight of an ensemble, for each target"),
    "siglip_path": _BOOSTING,
    "split_path": Flag("split.column", "with split.kind = 'column'"),
    "patch_size": Flag("views.tiles", "how many tiles, with views.kind = 'tiles'"),
    "overlap": Flag("views.kind", "tiles do not overlap"),
    "target_max": Flag("", "targets are standardised on training rows"),
}
"""Settings of Image2Biomass with DINOv3, which are constants in its programs."""

BEETLES: dict[str, Flag] = {
    "dataset_path": Flag("data.table", "a CSV or parquet table with paths of photos"),
    "save_dir": _OUT,
    "img_size": _SIZE,
    "batch_size": _BATCH,
    "epochs": _EPOCHS,
    "lr": _RATE,
    "lr_head": _HEAD_RATE,
    "lr_backbone": _ENCODER_RATE,
    "unfreeze_layers": Flag("encoder.train_last_blocks"),
    "n_last_trainable_resblocks": Flag("encoder.train_last_blocks"),
    "k_folds": _FOLDS,
    "num_workers": _WORKERS,
    "mapping_path": Flag("data.categorical", "each run keeps its own categories"),
    "model_name": _ENCODER,
    "hidden_size": Flag("fusion.hidden", "and head.hidden for the layers after it"),
    "species_emb_dim": Flag("fusion.embedding", "column → width"),
    "domain_emb_dim": Flag("fusion.embedding", "column → width"),
}
"""Settings of the beetles regressor, which are constants in its programs."""

FLAGS = ForeignFlags(STARTER, DEPTH, DINOV3, BEETLES, called="What other programs call '{}'")
