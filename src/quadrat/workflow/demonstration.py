"""A complete small run on generated data: a pasture whose masses are known, a planet of species."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quadrat.engine import current_progress
from quadrat.errors import UsageError, closest
from quadrat.predictors import Run
from quadrat.workflow.training import train


@dataclass(frozen=True)
class DemoResult:
    """What a demo made, and what to look at.

    Args:
        title: One line that says what was shown.
        about: What the generated data are.
        run: The run.
        next_steps: Commands to try.
    """

    title: str
    about: str
    run: Run
    next_steps: tuple[str, ...]


def demo(family: str, *, out: Path | str = "quadrat-demo", seed: int = 0) -> DemoResult:
    """Trains, judges and reports on generated data, with no network, in about a minute.

    Args:
        family: ``"photos"`` or ``"occurrence"``.
        out: Folder for data and runs.
        seed: Seed of the generated world.

    Raises:
        UsageError: There is no such family.
    """
    demos: dict[str, Callable[[Path, int], DemoResult]] = {
        "occurrence": _occurrence,
        "photos": _photos,
    }
    if family not in demos:
        raise UsageError(f"no demo of '{family}'.{closest(family, demos)}")
    return demos[family](Path(out), seed)


def _photos(out: Path, seed: int) -> DemoResult:
    from quadrat.worlds.pasture import make_pasture

    current_progress().note("rendering a pasture whose masses are known")
    folder = out / "pasture"
    world = make_pasture(folder, photos=160, seed=seed)
    run = train(
        "pasture-frozen",
        out=out / "runs",
        overrides=[
            "name=pasture-demo",
            f"data.table={world.train}",
            f"data.test={world.test}",
            f"data.sample_submission={world.sample_submission}",
        ],
    )
    return DemoResult(
        "Pasture biomass from photos, with frozen EfficientNet-Lite0 features",
        "160 rendered photos of 70 × 30 cm quadrats; grass, clover and litter are drawn blade by "
        "blade, so that every mass is known.",
        run,
        (
            f"quadrat predict {run.folder} --data {world.test} --out predictions.csv",
            f"quadrat submit {run.folder} --test {world.test} --like {world.sample_submission}",
            "quadrat recipes pasture-frozen",
        ),
    )


def _occurrence(out: Path, seed: int) -> DemoResult:
    from quadrat.worlds.planet import make_planet

    current_progress().note("making a planet of species whose true ranges are known")
    world = make_planet(out / "planet", resolution=2, species=150, seed=seed)
    run = train(
        "species",
        out=out / "runs",
        overrides=[
            "name=planet-demo",
            f"data.table={world.table}",
            f"data.taxonomy={world.taxonomy}",
            "optimiser.epochs=2",
        ],
    )
    lat, lon, species = _example(run)
    return DemoResult(
        "Species by place and week, on a planet of 150 invented species",
        "5,882 cells with climate, seasons and observers who favour some places; ranges, phenology "
        "and effort are drawn, so that the truth is known.",
        run,
        (
            f"quadrat species {run.folder} --lat {lat:.1f} --lon {lon:.1f} --week 20",
            f"quadrat map {run.folder} --species {species} --week 20",
            "quadrat recipes species",
        ),
    )


def _example(run: Run) -> tuple[float, float, str]:
    """A place with many records and a species with many, to try the verbs on."""
    from quadrat.tables import read_table

    place = read_table(run.path("cells.parquet")).sort("n", descending=True).row(0, named=True)
    species = read_table(run.path("species.parquet")).sort("n", descending=True).row(0, named=True)
    return float(place["lat"]), float(place["lon"]), str(species["code"])
