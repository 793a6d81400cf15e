"""What can be known of an experiment with points before any training."""

from __future__ import annotations

from typing import Any

import numpy as np

from quadrat.errors import QuadratError, counted
from quadrat.experiment import CheckReport
from quadrat.occurrence.points.data import PointData, prepare, section_of
from quadrat.occurrence.points.objective import PointObjective
from quadrat.occurrence.schema import OccurrenceExperiment, PointsSection

_FEW_BLOCKS = 20
_FEW_SITES = 5
_SHOWN = 10


def check(experiment: OccurrenceExperiment) -> CheckReport:
    """Reads the points of an experiment and reports what training would meet."""
    try:
        PointObjective(experiment.score.primary)
        data = prepare(experiment)
    except QuadratError as error:
        return CheckReport(errors=[str(error)])
    return findings(experiment, data)


def findings(experiment: OccurrenceExperiment, data: PointData) -> CheckReport:
    """What a user should know of the points, before or after training."""
    _, section = section_of(experiment)
    return CheckReport(
        warnings=_warnings(section, data), facts=_facts(section, data), tables=_tables(data)
    )


def _facts(section: PointsSection, data: PointData) -> dict[str, str]:
    counts, unit = data.counts, " km" if section.geographic else ""
    blocks = len(np.unique(data.folds.blocks))
    background = f", {section.background} background" if section.kind == "presence-only" else ""
    return {
        "sites": f"{len(data.sites):,} ({section.kind}{background})",
        "species": f"{counted(len(data.vocabulary), 'is', 'are')} learnt, seen at "
        f"{counts.min():,} to {counts.max():,} sites, median {np.median(counts):,.0f}; "
        f"{counted(len(data.too_rare), 'has', 'have')} fewer than {section.min_records}",
        "covariates": f"{counted(len(section.covariates), 'number', 'numbers')}, "
        f"{counted(len(section.categorical), 'category', 'categories')}",
        "split": f"{blocks} spatial blocks with sides of {data.folds.side:g}{unit} in "
        f"{data.folds.count} folds",
        "models": ", ".join(
            {
                "network": counted(section.members, "network", "networks"),
                "forest": f"{counted(section.trees, 'tree', 'trees')} a species",
                "logistic": "a regression a species",
            }[kind]
            for kind in section.models
        ),
    }


def _warnings(section: PointsSection, data: PointData) -> list[str]:
    found = []
    blocks = len(np.unique(data.folds.blocks))
    if blocks < _FEW_BLOCKS:
        told = counted(blocks, "spatial block", "spatial blocks")
        found.append(f"cross-validation rests on {told} only: it is rough")
    rare = [c for c, n in zip(data.vocabulary.codes, data.counts, strict=True) if n < _FEW_SITES]
    if rare:
        more = f" and {len(rare) - _SHOWN} more" if len(rare) > _SHOWN else ""
        found.append(
            f"{counted(len(rare), 'species was', 'species were')} seen at fewer than "
            f"{_FEW_SITES} sites: "
            f"{', '.join(rare[:_SHOWN])}{more}"
        )
    if data.unnamed:
        verb = "is" if len(data.unnamed) == 1 else "are"
        found.append(
            f"{len(data.unnamed)} species {verb} not in the taxonomy; the code stands for the names"
        )
    if section.kind == "presence-only" and section.background != "target-group":
        found.append(
            f"background = '{section.background}' takes the habits of observers for the "
            "species' own; 'target-group' does not, where other species were recorded too"
        )
    unknown = np.isnan(data.sites.covariates.numbers).mean(axis=0)
    for name, share in zip(section.covariates, unknown.tolist(), strict=True):
        if share > 0:
            found.append(f"the covariate {name} is blank at {share:.1%} of the sites")
    return found


def _tables(data: PointData) -> dict[str, list[dict[str, Any]]]:
    labels = data.sites.labels
    return {
        "folds": [
            {
                "fold": number + 1,
                "sites": int((data.folds.fold == number).sum()),
                "presences": int((labels[data.folds.fold == number] > 0).sum()),
                "species seen": int((labels[data.folds.fold == number] > 0).any(axis=0).sum()),
            }
            for number in range(data.folds.count)
        ]
    }
