"""What the cache of a frozen prefix saves, what decoding costs, and how far training is from bare.

    python -m benchmarks.photos cache --encoder lite0      # frozen; at least 10 times faster
    python -m benchmarks.photos cache --encoder dinov2     # two of twelve blocks learn; at least 2
    python -m benchmarks.photos decode                     # at most 12 ms a photo, one core
    python -m benchmarks.photos bare                       # at least 85 % of bare steps

``cache`` trains the same folds twice on a generated pasture, once with what is frozen computed once
and once anew in every epoch; filling the cache counts. ``bare`` compares training from JPEG files
with forward and backward passes of the same network over batches that lie ready. Every command
prints its numbers and its ratio, and leaves with 1 below the limit.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

LIMITS = {"lite0": 10.0, "dinov2": 2.0}


def main() -> int:
    """Runs one of the comparisons."""
    options = _options()
    with tempfile.TemporaryDirectory() as name:
        os.environ["QUADRAT_CACHE"] = f"{name}/cache"
        chosen: dict[str, Callable[[argparse.Namespace, Path], int]] = {
            "cache": _cache,
            "decode": _decode,
            "bare": _bare,
        }
        return chosen[options.what](options, Path(name))


def _cache(options: argparse.Namespace, folder: Path) -> int:
    from quadrat.worlds.pasture import make_pasture

    world = make_pasture(
        folder / "data", photos=options.photos, test_photos=0, states=2, dates_per_state=5
    )
    keys = [
        f"data.table={world.train}",
        f"split.folds={options.folds}",
        f"optimiser.epochs={options.epochs}",
        "augment.policy=none",
        "augment.metadata_dropout=0.0",
        *_encoder(options.encoder, folder),
    ]
    once = ["split.folds=2", "optimiser.epochs=1", "encoder.cache=false"]
    _train([*keys, *once], folder / "imports")  # so that neither way pays for them
    found = {}
    for label, cache in (("kept", "true"), ("anew", "false")):
        began = time.perf_counter()
        metrics = _train([*keys, f"encoder.cache={cache}"], folder / label)
        found[label] = time.perf_counter() - began, metrics["scores"]["weighted_r2"]
        print(f"{label}: {found[label][0]:8.1f} s   weighted R² {found[label][1]:.4f}", flush=True)
    ratio = found["anew"][0] / found["kept"][0]
    limit = LIMITS[options.encoder]
    print(f"anew / kept: {ratio:.1f} (at least {limit:.0f})")
    return int(ratio < limit)


def _encoder(name: str, folder: Path) -> list[str]:
    if name == "lite0":
        return ["encoder.name=timm:tf_efficientnet_lite0", "encoder.weights=bundled"]
    from benchmarks.measures import dinov2

    dinov2.write_weights(folder / "dinov2.safetensors")
    return [
        f"encoder.name={dinov2.NAME}",
        f"encoder.weights={folder / 'dinov2.safetensors'}",
        "encoder.train_last_blocks=2",
        "views.size=224",
    ]


def _train(keys: list[str], out: Path) -> dict[str, Any]:
    from quadrat.experiment import parse
    from quadrat.predictors import family_of
    from quadrat.recipes import recipe_text
    from quadrat.runs import Run

    document = tomllib.loads(recipe_text("pasture-frozen"))
    experiment = parse(document, [*keys, "run.device=cpu", "score.bootstrap=0"])
    run = Run.create(out, experiment)
    return family_of(experiment).train(run.experiment(), run, history=run.history())


def _decode(options: argparse.Namespace, folder: Path) -> int:
    from quadrat.runtime.images import ImagePreprocessing, load_view

    file = _jpeg(folder)
    preprocessing = ImagePreprocessing(size=(options.size, options.size))

    def ours() -> None:
        load_view(io.BytesIO(file), preprocessing)

    def full() -> None:
        with Image.open(io.BytesIO(file)) as image:
            image.convert("RGB").resize((options.size, options.size), Image.Resampling.BICUBIC)

    best = {one.__name__: min(_timed(one) for _ in range(30)) for one in (full, ours)}
    print(f"2000 × 1000 JPEG to {options.size}: full decode {1e3 * best['full']:.1f} ms")
    print(f"as quadrat reads it, normalised:  {1e3 * best['ours']:.1f} ms (at most 12)")
    return int(best["ours"] > 0.012)


def _jpeg(folder: Path) -> bytes:
    """A rendered pasture of 2000 × 1000 pixels, as a camera would write it."""
    from quadrat.worlds.pasture import make_pasture

    size = (2000, 1000)
    make_pasture(folder, photos=1, test_photos=0, states=1, dates_per_state=1, size=size)
    (path,) = folder.rglob("*.jpg")
    file = io.BytesIO()
    with Image.open(path) as photo:
        photo.save(file, "JPEG", quality=90)
    return file.getvalue()


def _timed(what: Callable[[], None]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def _bare(options: argparse.Namespace, folder: Path) -> int:
    import polars as pl
    import timm
    import torch

    from quadrat.runs import Run
    from quadrat.worlds.pasture import make_pasture

    batch, epochs = 16, 3
    world = make_pasture(
        folder / "data", photos=options.photos, test_photos=0, states=2, dates_per_state=5
    )
    keys = [
        f"data.table={world.train}",
        "encoder.train=all",
        f"views.size={options.size}",
        f"optimiser.batch_size={batch}",
        f"optimiser.epochs={epochs}",
        "split.folds=2",
        "split.inner=0.0",
        "augment.policy=none",
    ]
    _train(keys, folder / "run")
    (folder_of_run,) = (folder / "run").iterdir()
    run = Run.open(folder_of_run)
    oof = pl.read_parquet(run.path("oof.parquet"))
    held_out = oof.filter(pl.col("fold") == 0)["sample"].n_unique()
    records = [record for record in run.history().records() if record["fold"] == 0]
    seconds = min(record["seconds"] for record in records if record["epoch"] > 0)
    ours = (options.photos - held_out) / seconds
    network = timm.create_model("tf_efficientnet_lite0", num_classes=5).train()
    network = network.to(memory_format=torch.channels_last)
    views = torch.randn(batch, 3, options.size, options.size)
    views = views.to(memory_format=torch.channels_last)

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = network(views).float().square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        network.zero_grad(set_to_none=True)

    step()
    bare = batch / min(_timed(step) for _ in range(8))
    print(f"bare steps {bare:.1f} photos/s, training from files {ours:.1f} photos/s")
    print(f"ours / bare: {ours / bare:.2f} (at least 0.85)")
    return int(ours < 0.85 * bare)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["cache", "decode", "bare"])
    parser.add_argument("--encoder", choices=list(LIMITS), default="lite0")
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--size", type=int, default=448)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
