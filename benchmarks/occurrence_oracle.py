"""What the best model could reach on the made-up planet: scores of those who know its rules.

    python $DATA/synthetic_world/make_world.py --res 2 --species 2000 --out world.parquet \
        --truth truth.npz
    python -m benchmarks.occurrence_oracle world.parquet truth.npz

One oracle knows every species' true range, abundance and season, and how long observers looked in
every cell. The other knows the same of species, but of observers only what a model can know: their
effort in the training cells, from which a Gaussian process foretells it elsewhere; its answers
are the expectation over what it does not know. Both are judged on the cells that the recipe
`species` holds out.
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import NamedTuple

import h3
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from quadrat.experiment import parse
from quadrat.geo import unit_vectors
from quadrat.occurrence.samples.dataset import OccurrenceData, prepare
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.recipes import recipe_text
from quadrat.scoring import OccurrenceEvaluator

SCORES = ("map", "f1_10", "f1_25", "list_ratio_10", "brier")
_WEEKS = 48
_DRAWS = 15
"""Points of the quadrature over the logarithm of an effort that is not known."""

Floats = NDArray[np.float64]


class World(NamedTuple):
    """The rules of a planet of N cells, for S species.

    Attributes:
        position: Latitude and longitude of the cells, degrees ``(N, 2)``.
        suitability: ``(N, S)``.
        season: Share of the abundance that is there, by week ``(S, 48)``.
        abundance: ``(S,)``.
        effort: Of the observers in each cell ``(N,)``; sightings in a week are a Poisson number
            with the mean effort × abundance × suitability × season.
    """

    position: Floats
    suitability: csr_matrix
    season: Floats
    abundance: Floats
    effort: Floats

    @classmethod
    def read(cls, path: Path, codes: tuple[str, ...]) -> World:
        """The rules for some species, from what ``make_world.py --truth`` wrote."""
        with np.load(path, allow_pickle=False) as truth:
            cells = truth["cells"].astype(str)
            begins = np.append(truth["indptr"], len(truth["indices"]))[: len(cells) + 1]
            shape = (len(cells), len(truth["abund"]))
            suitability = csr_matrix(
                (truth["suit"].astype(np.float64), truth["indices"], begins), shape=shape
            )
            place = {code: column for column, code in enumerate(truth["codes"].astype(str))}
            columns = np.array([place[code] for code in codes])
            return cls(
                np.array([h3.cell_to_latlng(cell) for cell in cells]),
                suitability[:, columns],
                truth["phen"][columns].astype(np.float64),
                truth["abund"][columns],
                truth["effort"],
            )

    def find(self, position: Floats) -> NDArray[np.int64]:
        """The cells at some positions ``(K, 2)``."""
        nearest = unit_vectors(position[:, 0], position[:, 1]) @ self._vectors().T
        return np.asarray(nearest.argmax(axis=1))

    def foretold(self, known: NDArray[np.int64], asked: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the log effort of cells, from that of other cells."""
        observed = known[self.effort[known] > self.effort.min()]  # the open sea is one constant
        vectors, logs = self._vectors(), np.log(self.effort)
        kernel = ConstantKernel(1.0) * RBF(0.2) + WhiteKernel(0.3)
        process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
        process.fit(vectors[observed], logs[observed])
        mean, spread = process.predict(vectors[asked], return_std=True)
        return np.asarray(mean), np.asarray(spread)

    def rates(self, cell: int) -> Floats:
        """Expected sightings of a cell for an effort of one ``(48, S)``."""
        here = self.suitability[cell].toarray()[0] * self.abundance
        return np.asarray(here * self.season.T)

    def _vectors(self) -> Floats:
        return np.asarray(unit_vectors(self.position[:, 0], self.position[:, 1]))


def main() -> None:
    """Prints the scores of both oracles."""
    parser = argparse.ArgumentParser(description="What the best model could reach.")
    parser.add_argument("table", type=Path, help="combined parquet")
    parser.add_argument("truth", type=Path, help="the rules, from make_world.py --truth")
    options = parser.parse_args()
    data = prepare(_experiment(options.table))
    world = World.read(options.truth, data.vocabulary.codes)
    learnt, asked = (_cells(world, data, part) for part in ("train", "validation"))
    effort = world.effort[asked]
    print(f"{'the oracle knows':<44}" + "".join(f"{name:>15}" for name in SCORES))
    exact = _scores(world, data, asked, np.log(effort)[:, None], np.ones(1))
    _print("species and the effort in every cell", exact)
    mean, spread = world.foretold(learnt, asked)
    nodes, weights = np.polynomial.hermite_e.hermegauss(_DRAWS)
    logs = mean[:, None] + spread[:, None] * nodes
    logs[effort == world.effort.min()] = np.log(world.effort.min())
    foretold = _scores(world, data, asked, logs, weights / weights.sum())
    _print("species and the effort in training cells", foretold)


def _experiment(table: Path) -> OccurrenceExperiment:
    document = tomllib.loads(recipe_text("species"))
    document["data"]["table"] = str(table.resolve())
    experiment = parse(document)
    assert isinstance(experiment, OccurrenceExperiment)
    return experiment


def _cells(world: World, data: OccurrenceData, part: str) -> NDArray[np.int64]:
    samples = data.samples(getattr(data.partition, part))
    return world.find(np.column_stack([samples.lat, samples.lon]).astype(np.float64))


def _scores(
    world: World, data: OccurrenceData, cells: NDArray[np.int64], logs: Floats, weights: Floats
) -> dict[str, float]:
    """Scores of the held-out cells, given possible logarithms of their efforts ``(K, draws)``."""
    labels = data.samples(data.partition.validation).labels
    evaluator = OccurrenceEvaluator(len(data.vocabulary.codes))
    for number, cell in enumerate(cells):
        sightings = world.rates(int(cell))
        expected = [
            w * -np.expm1(-np.exp(e) * sightings)
            for w, e in zip(weights, logs[number], strict=True)
        ]
        chance = torch.from_numpy(np.sum(expected, axis=0)).clamp(1e-12, 1 - 1e-12)
        begins = labels.indptr[number * _WEEKS : (number + 1) * _WEEKS + 1]
        columns = labels.indices[begins[0] : begins[-1]]
        rows = np.repeat(np.arange(_WEEKS), np.diff(begins))
        evaluator.update(
            chance.logit().float(), torch.from_numpy(rows), torch.from_numpy(columns).long()
        )
    return evaluator.compute()


def _print(name: str, scores: dict[str, float]) -> None:
    print(f"{name:<44}" + "".join(f"{scores[score]:>15.4f}" for score in SCORES))


if __name__ == "__main__":
    main()
