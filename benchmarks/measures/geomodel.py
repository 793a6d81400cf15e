"""Measures the BirdNET geomodel's own steps on a combined parquet; prints one JSON object.

    PYTHONPATH=CHECKOUT python geomodel.py prepare|train|validate PARQUET

Run by the Python of an environment that has its dependencies, in a process of its own: its
packages are named `model` and `utils`. Only its public functions are called, as its own training
script does.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

CAP = 2000
REPEATS = 4
"""The fastest of them counts, as with ours."""


class _Few:
    """The first batches of a loader."""

    def __init__(self, loader: Any, count: int) -> None:
        self.loader, self.count = loader, count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Any:
        return itertools.islice(iter(self.loader), self.count)


def main() -> None:
    """Runs one measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["prepare", "train", "validate"])
    parser.add_argument("table", type=Path)
    parser.add_argument("--scale", type=float, default=0.75)
    parser.add_argument("--batches", type=int, default=30)
    options = parser.parse_args()
    found = _measure(options)
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    from utils.data import H3DataLoader, H3DataPreprocessor, create_dataloaders

    whole = options.what == "prepare"
    began = time.perf_counter()
    loader = H3DataLoader(str(options.table))
    loader.load_data()
    lats, lons, weeks, lists, env = loader.flatten_to_samples(
        ocean_sample_rate=1.0, include_yearly=True
    )
    original = list(lists)
    if whole:
        lists = H3DataPreprocessor.propagate_env_labels(
            lats, lons, weeks, lists, env, k=20, max_radius_km=1000.0, min_obs_threshold=12,
            max_spread_factor=1.0, env_dist_max=5.0, range_cap_km=1500.0,
        )  # fmt: skip
    prepared = H3DataPreprocessor()
    inputs, targets = prepared.prepare_training_data(
        lats, lons, weeks, lists, env, fit=True,
        max_obs_per_species=CAP if whole else 0, min_obs_per_species=50, max_species=0,
    )  # fmt: skip
    weights = None
    if whole:
        weights = prepared.compute_species_freq_weights(
            original, lats=inputs["lat"], lons=inputs["lon"], min_weight=0.01, pct_lo=10, pct_hi=95
        )
    parts = prepared.split_data(
        inputs, targets, val_size=0.1, random_state=42, split_by_location=True
    )
    seconds = time.perf_counter() - began
    train_in, val_in, train_out, val_out = parts
    species = len(prepared.species_vocab)
    if whole:
        return {"seconds": seconds, "samples": len(train_in["lat"]), "species": species}
    loaders = create_dataloaders(
        train_in, train_out, val_in, val_out, batch_size=1024, num_workers=0, pin_memory=False,
        n_species=species, jitter_std=0.0, species_freq_weights=weights,
    )  # fmt: skip
    return _network(options, loaders, prepared, species)


def _network(
    options: argparse.Namespace, loaders: Any, prepared: Any, species: int
) -> dict[str, Any]:
    import torch
    from model.loss import MultiTaskLoss
    from model.model import create_model
    from train import WATCHLIST_SPECIES, Trainer

    model = create_model(
        n_species=species, n_env_features=len(prepared.env_feature_names),
        model_scale=options.scale, coord_harmonics=8, week_harmonics=8, habitat_head=False,
    )  # fmt: skip
    loss = MultiTaskLoss(species_weight=1.0, env_weight=0.1, species_loss="bce")
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-3)
    vocabulary = {
        "species_to_idx": prepared.species_to_idx,
        "idx_to_species": prepared.idx_to_species,
    }
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model, loss, optimiser, None, torch.device("cpu"), Path(folder), model_config={},
            species_vocab=vocabulary, watchlist=WATCHLIST_SPECIES,
        )  # fmt: skip
        trainer.current_epoch = 0
        run = trainer.train_epoch if options.what == "train" else trainer.validate
        loader = loaders[0] if options.what == "train" else loaders[1]
        times = []
        for count in (5, *[options.batches] * REPEATS):
            began = time.perf_counter()
            run(_Few(loader, count))
            times.append(time.perf_counter() - began)
    return {"samples_per_second": options.batches * 1024 / min(times[1:]), "species": species}


if __name__ == "__main__":
    main()
