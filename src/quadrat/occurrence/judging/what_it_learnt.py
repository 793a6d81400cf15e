"""Tables that show what a network learnt besides species: labels, environment, what it leans on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from quadrat.occurrence.network.species_network import OccurrenceNetwork
from quadrat.occurrence.samples.environment import EncodedColumn, EnvironmentEncoder
from quadrat.occurrence.samples.prepared import OccurrenceData
from quadrat.occurrence.samples.sample_set import SampleSet
from quadrat.runtime.weeks import WEEKS
from quadrat.scoring import OccurrenceEvaluator
from quadrat.tables import write_table

SEASONS = (1, 13, 26, 39)
"""Weeks that stand for the year."""

CELLS = 500
"""Cells that importance is measured on: more would cost more than the digits are worth."""

REPEATS = 3
"""How often the values of a column are exchanged among the cells."""

_AT_ONCE = 8_000_000
"""Logits held at a time."""


def write_what_it_learnt(
    folder: Path, data: OccurrenceData, network: OccurrenceNetwork, seed: int
) -> None:
    """Writes each table into a run folder, where there is something to tell.

    Args:
        folder: The run folder.
        data: What the training needed.
        network: The trained network.
        seed: Of the importance.
    """
    judged = data.samples(data.partition.judged)
    tables = {
        "learnt_labels": learnt_labels(data),
        "expected_environment": expected_environment(network, data.encoder, data),
        "importance": permutation_importance(network, data.encoder, judged, seed=seed),
    }
    for name, table in tables.items():
        if table is not None:
            write_table(table, folder / f"{name}.parquet")


def learnt_labels(data: OccurrenceData) -> pl.DataFrame | None:
    """Species a week of each training cell, mean over the year, as recorded and as learnt.

    Returns:
        Columns ``cell``, ``lat``, ``lon``, ``recorded`` and ``learnt``; None where what is learnt
        is what was recorded.
    """
    samples = data.samples(data.partition.train)
    own, kept = samples.labels, data.training
    if np.array_equal(own.indptr, kept.indptr) and np.array_equal(own.indices, kept.indices):
        return None
    recorded, learnt = (m.lengths().reshape(-1, WEEKS).mean(axis=1) for m in (own, kept))
    place = {"cell": samples.cells, "lat": samples.lat, "lon": samples.lon}
    return pl.DataFrame({**place, "recorded": recorded, "learnt": learnt})


@torch.inference_mode()
def expected_environment(
    network: OccurrenceNetwork, encoder: EnvironmentEncoder, data: OccurrenceData
) -> pl.DataFrame | None:
    """The environment of the judged cells, as known and as the network expects it there.

    Returns:
        Columns ``cell``, ``lat``, ``lon``, ``known`` and ``expected`` (mean over four weeks of the
        year), in the units of the table, and ``column``: a row a cell and numeric column. None
        where the network has no environment head or there is no numeric column.
    """
    samples = data.samples(data.partition.judged)
    network.eval()
    device = next(network.parameters()).device
    position = torch.from_numpy(np.stack([samples.lat, samples.lon], axis=1)).float().to(device)
    seasons = []
    for week in SEASONS:
        weeks = torch.full((len(position),), week, device=device)
        found = network.expected_environment(position, weeks)
        if found is None:
            return None
        seasons.append(found.float().cpu().numpy())
    expected = np.asarray(np.mean(seasons, axis=0), np.float64)
    frames = []
    for column in encoder.columns:
        if column.kind != "class":
            (at,) = encoder.positions([column.name])
            frame = pl.DataFrame(
                {
                    "cell": samples.cells,
                    "lat": samples.lat,
                    "lon": samples.lon,
                    "known": _in_units(column, samples.environment[:, at]),
                    "expected": _in_units(column, expected[:, at]),
                }
            )
            frames.append(frame.with_columns(column=pl.lit(column.name)))
    return pl.concat(frames) if frames else None


def permutation_importance(
    network: OccurrenceNetwork, encoder: EnvironmentEncoder, samples: SampleSet, *, seed: int
) -> pl.DataFrame | None:
    """How much worse species are ranked when a column of the environment is that of another cell.

    The drop of the mean average precision when a column's values are exchanged among the cells,
    all weeks of a cell together (L. Breiman, "Random forests", Machine Learning 45, 2001), on four
    weeks of at most 500 cells.

    Args:
        network: The network.
        encoder: The environment's encoding.
        samples: All weeks of the judged cells.
        seed: Of the choice of cells and the exchanges.

    Returns:
        Columns ``column``, ``drop`` and ``sd`` over the repeats, the greatest drop first; None
        where the network does not read the environment.
    """
    if network.environment_input is None:
        return None
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(samples.cells))[:CELLS])
    whole = _precision(network, samples, chosen, samples.environment[chosen])
    rows = []
    for name in columns_read(network, encoder):
        at = encoder.positions([name])
        drops = []
        for _ in range(REPEATS):
            changed = samples.environment[chosen].copy()
            changed[:, at] = changed[rng.permutation(len(chosen))][:, at]
            drops.append(whole - _precision(network, samples, chosen, changed))
        rows.append((name, float(np.mean(drops)), float(np.std(drops, ddof=1))))
    frame = pl.DataFrame(rows, schema=["column", "drop", "sd"], orient="row")
    return frame.sort("drop", descending=True)


def columns_read(network: OccurrenceNetwork, encoder: EnvironmentEncoder) -> list[str]:
    """The columns of the environment that a network reads."""
    if network.environment_input is None:
        return []
    read = set(network.environment_input.positions.tolist())
    return [name for name in encoder.names if not read.isdisjoint(encoder.positions([name]))]


@torch.inference_mode()
def _precision(
    network: OccurrenceNetwork,
    samples: SampleSet,
    cells: NDArray[np.int64],
    environment: NDArray[np.float32],
) -> float:
    """The mean average precision of four weeks of some cells, given their environment."""
    network.eval()
    device = next(network.parameters()).device
    evaluator = OccurrenceEvaluator(samples.labels.columns)
    size = max(1, _AT_ONCE // samples.labels.columns)
    for week in SEASONS:
        for start in range(0, len(cells), size):
            part = cells[start : start + size]
            position = np.stack([samples.lat[part], samples.lon[part]], axis=1)
            features = network.features(
                torch.from_numpy(position).float().to(device),
                torch.full((len(part),), week, device=device),
                torch.from_numpy(environment[start : start + size]).to(device),
            )
            labels = samples.labels.rows(part * WEEKS + week - 1)
            evaluator.update_csr(
                network.logits(features).float(),
                torch.from_numpy(np.asarray(labels.indptr, np.int64)),
                torch.from_numpy(np.asarray(labels.indices, np.int64)),
            )
    return float(evaluator.compute()["map"])


def _in_units(column: EncodedColumn, encoded: NDArray[np.floating]) -> NDArray[np.float64]:
    """Encoded numbers in the units of the table."""
    values = encoded.astype(np.float64)
    return values * column.sd + column.mean if column.kind == "number" else values
