"""Points instead of cells: which columns mean what, what absence is, and what learns from it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from quadrat.experiment import FilePath, Section

ModelKind = Literal["network", "forest", "logistic"]

POINT_DEFAULTS: dict[str, dict[str, object]] = {
    "optimiser": {
        "epochs": 20,
        "batch_size": 64,
        "warmup_steps": 50,
        "patience": 5,
        "schedule": "none",
    },
    "average": {"ema": 0.998},
    "score": {"primary": "macro_auc"},
}
"""Defaults of the shared sections where points are given: tables are small, samples few."""


class PointsSection(Section):
    """What the columns of ``data.points`` mean, and what learns from them."""

    kind: Literal["presence-only", "presence-absence"] = Field(
        "presence-only",
        description="presence-only: one row a record of a species, absence is not known; "
        "presence-absence: surveys that say what was not there.",
    )
    lat: str = Field("lat", description="Column of latitudes in degrees.")
    lon: str = Field("lon", description="Column of longitudes in degrees.")
    x: str | None = Field(
        None,
        description="Column of projected coordinates to the east; with y, instead of lat, lon.",
    )
    y: str | None = Field(None, description="Column of projected coordinates to the north.")
    species: str = Field("species", description="Column of the species' codes or names.")
    occurrence: str | None = Field(
        None, description="presence-absence in long form: column of 1 (seen) and 0 (not seen)."
    )
    species_columns: tuple[str, ...] = Field(
        (),
        description="presence-absence in wide form: one column a species, 1, 0, or blank where "
        "the survey did not look for it.",
    )
    group: str | None = Field(
        None,
        description="Column of the species' group (birds, plants): target-group background takes "
        "sites of the same group; one group where the key is missing.",
    )
    covariates: tuple[str, ...] = Field(
        (), description="Columns of numbers to predict from; coordinates may be among them."
    )
    categorical: tuple[str, ...] = Field((), description="Columns of categories to predict from.")
    min_records: int = Field(
        1, ge=1, description="Leave out species with fewer sites where they were seen."
    )
    background: Literal["target-group", "random", "table"] = Field(
        "target-group",
        description="What presences are compared with. target-group: sites with any record of the "
        "same group, less the species' own, which share the observers' habits; random: "
        "background_points drawn from background_table, or evenly from the points' bounding box "
        "where only coordinates are covariates; table: all points of background_table.",
    )
    background_table: FilePath | None = Field(
        None, description="Table of background points with the same columns of covariates."
    )
    background_points: int = Field(
        10_000, ge=1, description="How many background points are drawn (random)."
    )
    folds: int = Field(
        5, ge=2, description="Parts of the spatial cross-validation that stops and judges."
    )
    block: float | None = Field(
        None,
        gt=0.0,
        description="Side of a spatial block, in km for lat and lon, else in units of x and y; "
        "a tenth of the longer side of the points' extent where the key is missing.",
    )
    models: tuple[ModelKind, ...] = Field(
        ("network", "forest"),
        min_length=1,
        description="Kinds of model whose answers are averaged. network: one for all species; "
        "forest: one each; logistic: a regression with quadratic terms each.",
    )
    members: int = Field(5, ge=1, le=100, description="Networks with different beginnings.")
    width: int = Field(256, ge=1, description="Units of a hidden layer of the network.")
    depth: int = Field(2, ge=0, description="Hidden layers; 0: a linear model.")
    dropout: float = Field(0.5, ge=0.0, lt=1.0, description="Share of units left out in training.")
    pieces: int = Field(
        8,
        ge=0,
        description="Pieces between quantiles of the training sites into which the network cuts "
        "each number, beside the number itself (Gorishniy et al. 2022); 0: none.",
    )
    trees: int = Field(100, ge=1, description="Trees of a species' forest.")

    @property
    def coordinates(self) -> tuple[str, str]:
        """The columns that say where a point is, the one to the east first."""
        return (self.x, self.y) if self.x and self.y else (self.lon, self.lat)

    @property
    def geographic(self) -> bool:
        """Whether coordinates are longitude and latitude in degrees."""
        return self.x is None

    @model_validator(mode="after")
    def _consistent(self) -> PointsSection:
        if (self.x is None) != (self.y is None):
            raise ValueError("give both x and y, or neither")
        if self.x is not None and self._changed("lat", "lon"):
            raise ValueError("give x and y, or lat and lon, not both")
        if not self.covariates and not self.categorical:
            raise ValueError("name at least one column in covariates or categorical")
        twice = {*self.covariates} & {*self.categorical}
        if twice:
            raise ValueError(f"covariates and categorical both name {', '.join(sorted(twice))}")
        if len(set(self.models)) < len(self.models):
            raise ValueError("models names a kind twice")
        (self._presence_only if self.kind == "presence-only" else self._presence_absence)()
        return self

    def _changed(self, *keys: str) -> list[str]:
        """Those of some keys that have another value than their default."""
        fields = type(self).model_fields
        return [key for key in keys if getattr(self, key) != fields[key].default]

    def _presence_only(self) -> None:
        useless = self._changed("occurrence", "species_columns")
        if useless:
            raise ValueError(f"{useless[0]} needs kind = 'presence-absence'")
        places = {*self.covariates, *self.categorical} <= set(self.coordinates)
        if self.background == "table" and self.background_table is None:
            raise ValueError("background = 'table' needs background_table")
        if self.background == "random" and self.background_table is None and not places:
            raise ValueError(
                "background = 'random' needs background_table: covariates of other places than "
                "the given points are not known"
            )
        if self.background == "target-group" and self.background_table is not None:
            raise ValueError("background = 'target-group' does not read background_table")
        if self.background != "random" and self._changed("background_points"):
            raise ValueError("background_points needs background = 'random'")

    def _presence_absence(self) -> None:
        useless = self._changed("background", "background_table", "background_points", "group")
        if useless:
            raise ValueError(f"{useless[0]} needs kind = 'presence-only'")
        if (self.occurrence is None) == (not self.species_columns):
            raise ValueError("give either occurrence (long form) or species_columns (wide form)")
        if self.species_columns and self._changed("species"):
            raise ValueError("species_columns name the species; remove species")
