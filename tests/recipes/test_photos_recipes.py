"""Every shipped recipe of the photos family is trained, small, on painted photos."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import polars as pl
import pytest

from quadrat.experiment import parse
from quadrat.photos import family
from quadrat.photos.schema import PhotosExperiment
from quadrat.recipes import recipe_names, recipe_summary, recipe_text
from quadrat.runs import Run
from quadrat.worlds.pasture import PastureWorld, make_pasture
from tests.recipes.beetles import make_beetles

SMALL = (
    "encoder.weights=none",
    "views.size=32",
    "split.folds=2",
    "optimiser.epochs=1",
    "optimiser.batch_size=8",
    "optimiser.precision=fp32",
    "optimiser.warmup_epochs=1",
    "score.bootstrap=20",
    "run.device=cpu",
)
VIT, CNN = "encoder.name=timm:test_vit", "encoder.name=timm:test_efficientnet"
NARROW = "fusion.hidden=24"
STAGED = ("optimiser.epochs=2", "curriculum.stages=2", "average.snapshots=2")
DEPTH = ("depth.model=tiny", "depth.weights=none", "depth.size=28", "depth.map_size=16")

PASTURE: dict[str, tuple[str, ...]] = {
    "biomass-depth": (CNN, *DEPTH),
    "biomass-dinov2": (VIT,),
    "biomass-dinov2-depth": (VIT, *DEPTH),
    "biomass-dinov3-mamba": (VIT, NARROW, "optimiser.epochs=2", "encoder.freeze_epochs=1"),
    "biomass-efficientnetv2": (CNN,),
    "biomass-perceiver": (CNN, NARROW, "fusion.latents=4", "fusion.layers=2", *STAGED),
    "biomass-starter": (CNN, *STAGED),
    "pasture": (VIT,),
    "pasture-frozen": (CNN,),
}
"""Recipe → what makes it small."""

BEETLES: dict[str, tuple[str, ...]] = {
    "beetles-bioclip2": (VIT,),
    "beetles-convnext": ("encoder.name=timm:test_convnext",),
    "specimen": (VIT,),
}
"""The same, for sets of photos."""


@pytest.fixture(scope="module")
def paddocks(tmp_path_factory: pytest.TempPathFactory) -> PastureWorld:
    """A pasture smaller than the common one."""
    return make_pasture(
        tmp_path_factory.mktemp("paddocks"),
        photos=16,
        test_photos=2,
        states=2,
        dates_per_state=4,
        size=(64, 32),
    )


def small(name: str, *overrides: str) -> PhotosExperiment:
    """A recipe, small."""
    experiment = parse(tomllib.loads(recipe_text(name)), [*SMALL, *overrides])
    assert isinstance(experiment, PhotosExperiment)
    return experiment


def trained(experiment: PhotosExperiment, folder: Path) -> Run:
    run = Run.create(folder, experiment)
    family.train(experiment, run, history=run.history())
    return run


def test_no_recipe_of_photos_is_left_out():
    kinds = {name: tomllib.loads(recipe_text(name))["family"] for name in recipe_names()}
    photos = {name for name, kind in kinds.items() if kind == "photos"}
    assert photos == {*PASTURE, *BEETLES, "beetle-parts"}


@pytest.mark.parametrize("name", [*PASTURE, *BEETLES])
def test_a_recipe_bears_its_own_name_and_says_what_it_is_for(name: str):
    assert tomllib.loads(recipe_text(name))["name"] == name
    assert 60 < len(recipe_summary(name)) < 130


def test_the_external_table_that_a_recipe_offers_is_legal():
    offered = parse(tomllib.loads(recipe_text("biomass-depth").replace("#: ", "")))
    assert isinstance(offered, PhotosExperiment)
    assert len(offered.external) == 1


@pytest.mark.parametrize("name", PASTURE)
def test_a_recipe_of_pasture_trains_and_answers_photos_alone(
    name: str, paddocks: PastureWorld, tmp_path: Path
):
    run = trained(small(name, f"data.table={paddocks.train}", *PASTURE[name]), tmp_path)
    assert math.isfinite(run.metrics()["scores"]["weighted_r2"])
    answers = family.load(run.folder).predict(paddocks.test).frame()
    masses = answers.pivot("target", index="sample", values="balanced")
    assert masses.height == 2
    assert answers["balanced"].min() >= 0  # type: ignore[operator]
    gap = masses["Dry_Total_g"] - masses["GDM_g"] - masses["Dry_Dead_g"]
    assert gap.abs().max() < 1e-6  # type: ignore[operator]


@pytest.mark.parametrize("name", BEETLES)
def test_a_recipe_of_beetles_trains_and_answers_for_unknown_species(name: str, tmp_path: Path):
    table = make_beetles(tmp_path)
    run = trained(small(name, f"data.table={table}", *BEETLES[name]), tmp_path / "runs")
    frame = pl.read_csv(table)
    sets = frame.select("eventID", "scientificName").n_unique()
    held_out = pl.read_parquet(run.path("oof.parquet"))
    assert held_out["sample"].n_unique() == sets < frame.height
    assert run.metrics()["scores"]["crps"] > 0
    new = frame.head(3).with_columns(
        scientificName=pl.lit("Pterostichus novus"), domainID=pl.lit(9), eventID=pl.lit("new")
    )
    new.drop("siteID", "SPEI_30d", "SPEI_1y", "SPEI_2y").write_csv(tmp_path / "new.csv")
    answers = family.load(run.folder).predict(tmp_path / "new.csv").frame()
    assert answers.height == 3
    assert (answers["sigma"] > 0).all()


@pytest.mark.parametrize("name", [name for name in PASTURE if name != "pasture-frozen"])
def test_a_recipe_of_pasture_fits_the_real_table(name: str, real_data: Path):
    table = real_data / "csiro_biomass" / "thumbs64" / "train.csv"
    overrides = [f"data.table={table}", "encoder.weights=none", "views.size=64"]
    overrides += PASTURE[name]
    experiment = parse(tomllib.loads(recipe_text(name)), overrides)
    assert isinstance(experiment, PhotosExperiment)
    report = family.check(experiment)
    assert not report.errors
    assert report.facts["table"] == "100 samples, 100 photos"
