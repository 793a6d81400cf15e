"""Random forests, one a species, kept as plain arrays: no file that is loaded can run code.

With presence-only records every tree is grown on as many background points as presences
(down-sampling: Valavi et al. 2021, "Modelling species presence-only data with random forests",
Ecography 44, 1731-1742).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from quadrat.occurrence.points.encoding import Inputs
from quadrat.occurrence.points.sites import Labels

MOST_PRESENCES = 1000
"""Presences that one tree is grown on at most: more make trees larger, hardly better."""

_CHUNK = 200_000
"""Pairs of site and tree that are followed at a time."""

_LEAF = -1


@dataclass(frozen=True)
class Forests:
    """The trees of all species, node after node.

    Args:
        roots: First node of every tree ``(T,)``.
        trees: Trees before each species, ``(S + 1,)``.
        feature: Input that a node looks at, −1 in a leaf ``(K,)``.
        number: Inputs up to it go left; in a leaf, the share of presences ``(K,)``.
        left: Node to the left ``(K,)``.
        right: Node to the right ``(K,)``.
    """

    roots: NDArray[np.int64]
    trees: NDArray[np.int64]
    feature: NDArray[np.integer]
    number: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]

    def answers(self, inputs: Inputs) -> NDArray[np.float32]:
        """The mean over a species' trees ``(N, S)``; one half for a species without trees."""
        found = np.full((len(inputs), len(self.trees) - 1), 0.5, dtype=np.float32)
        for species, (first, last) in enumerate(zip(self.trees, self.trees[1:], strict=False)):
            if last > first:
                found[:, species] = self._mean_over(self.roots[first:last], inputs)
        return found

    def of_species(self, columns: Sequence[int]) -> Forests:
        """The trees of some species, in the order that is asked for."""
        spans = [np.arange(*self.trees[column : column + 2]) for column in columns]
        trees = np.cumsum([0, *map(len, spans)], dtype=np.int64)
        return replace(self, roots=self.roots[np.concatenate(spans)], trees=trees)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All arrays by name."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Forests:
        """The inverse of `arrays`; runs of earlier versions have thresholds and shares apart."""
        fields = dict(arrays)
        if "threshold" in fields:
            fields["number"] = _numbers(
                fields["feature"] == _LEAF, fields.pop("threshold"), fields.pop("value")
            )
        return cls(**fields)  # type: ignore[arg-type]

    def _mean_over(self, roots: NDArray[np.int64], inputs: Inputs) -> NDArray[np.float32]:
        rows = max(1, _CHUNK // len(roots))
        parts = [
            self._leaves(roots, inputs[start : start + rows])
            for start in range(0, len(inputs), rows)
        ]
        return np.concatenate([self.number[part].mean(axis=1) for part in parts])

    def _leaves(self, roots: NDArray[np.int64], inputs: Inputs) -> NDArray[np.int64]:
        """The leaf of every site in every tree ``(N, trees)``."""
        nodes = np.tile(roots, len(inputs))
        site = np.repeat(np.arange(len(inputs)), len(roots))
        under_way = np.flatnonzero(self.feature[nodes] != _LEAF)
        while len(under_way):
            node = nodes[under_way]
            values = inputs[site[under_way], self.feature[node]]
            node = np.where(values <= self.number[node], self.left[node], self.right[node])
            nodes[under_way] = node
            under_way = under_way[self.feature[node] != _LEAF]
        return nodes.reshape(len(inputs), len(roots))


def grow(inputs: Inputs, labels: Labels, *, trees: int, balanced: bool, seed: int) -> Forests:
    """Grows a forest for every species, on the sites where its label is known.

    Args:
        inputs: Encoded covariates ``(N, D)``.
        labels: 1, 0, or NaN where unknown ``(N, S)``.
        trees: Trees of a species.
        balanced: Every tree sees as many absences as presences; otherwise a bootstrap sample.
        seed: Of the samples and of the inputs that a node may look at.
    """
    forests: list[list[DecisionTreeClassifier]] = []
    for column in range(labels.shape[1]):
        rng = np.random.default_rng((seed, column))
        known = np.flatnonzero(~np.isnan(labels[:, column]))
        truth = labels[known, column] > 0
        if truth.all() or not truth.any():
            forests.append([])
            continue
        parts = (known[truth], known[~truth])
        draws = (_drawn(parts, balanced, rng) for _ in range(trees))
        forests.append([_tree(inputs[rows], labels[rows, column], rng) for rows in draws])
    return _joined(forests, inputs.shape[1])


def _drawn(
    parts: tuple[NDArray[np.int64], NDArray[np.int64]], balanced: bool, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The sites of one tree, drawn with replacement."""
    if not balanced:
        everything = np.concatenate(parts)
        return rng.choice(everything, len(everything))
    count = min(len(parts[0]), MOST_PRESENCES)
    return np.concatenate([rng.choice(part, count) for part in parts])


def _tree(inputs: Inputs, labels: Labels, rng: np.random.Generator) -> DecisionTreeClassifier:
    seed = int(rng.integers(2**31))
    return DecisionTreeClassifier(max_features="sqrt", random_state=seed).fit(inputs, labels > 0)


def _joined(forests: list[list[DecisionTreeClassifier]], inputs: int) -> Forests:
    grown = [tree for forest in forests for tree in forest]
    sizes = np.array([tree.tree_.node_count for tree in grown], dtype=np.int64)
    roots = np.cumsum(sizes) - sizes
    kinds: dict[str, Any] = {
        "feature": np.int16 if inputs < 2**15 else np.int32,
        "number": np.float32,
        "left": np.int32,
        "right": np.int32,
    }
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in kinds}
    for root, tree in zip(roots, grown, strict=True):
        leaf = tree.tree_.children_left == _LEAF
        shares = _share_of_presences(tree)
        columns["feature"].append(np.where(leaf, _LEAF, tree.tree_.feature))
        columns["number"].append(_numbers(leaf, tree.tree_.threshold, shares))
        columns["left"].append(np.where(leaf, _LEAF, tree.tree_.children_left + root))
        columns["right"].append(np.where(leaf, _LEAF, tree.tree_.children_right + root))
    joined: dict[str, Any] = {
        name: np.concatenate(parts).astype(kinds[name]) if parts else np.empty(0, kinds[name])
        for name, parts in columns.items()
    }
    trees = np.concatenate([[0], np.cumsum([len(forest) for forest in forests])]).astype(np.int64)
    return Forests(roots=roots, trees=trees, **joined)


def _numbers(
    leaf: NDArray[np.bool_], threshold: NDArray[Any], share: NDArray[Any]
) -> NDArray[np.float32]:
    """Shares of presences in leaves, elsewhere thresholds.

    Inputs are float32, so the largest float32 up to a threshold parts them just as it does.
    """
    near = threshold.astype(np.float32)
    below = np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)
    return np.where(leaf, share, below).astype(np.float32)


def _share_of_presences(tree: DecisionTreeClassifier) -> NDArray[np.float64]:
    """In every node; a tree that saw one class only knows no other."""
    values = tree.tree_.value[:, 0, :]
    classes = tree.classes_.tolist()
    if True not in classes:
        return np.zeros(len(values))
    shares: NDArray[np.float64] = values[:, classes.index(True)] / values.sum(axis=1)
    return shares
