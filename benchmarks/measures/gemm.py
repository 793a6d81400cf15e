"""The time of the bare matrix products of a training step, in bf16: what no code can beat here.

    python -m benchmarks.measures.gemm --scale 0.75 --species 1588 --environment 23

Every linear layer that sees a whole batch counts with its product forwards and its two backwards
(the first layer with one).
"""

from __future__ import annotations

import argparse
import json
import time

import torch
from torch import nn


def main() -> None:
    """Prints samples a second."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=0.75)
    parser.add_argument("--species", type=int, required=True)
    parser.add_argument("--environment", type=int, default=23)
    parser.add_argument("--batch", type=int, default=1024)
    options = parser.parse_args()
    shapes = layer_shapes(options.scale, options.species, options.environment)
    seconds = products_seconds(shapes, options.batch)
    print(json.dumps({"samples_per_second": options.batch / seconds}))


def layer_shapes(scale: float, species: int, environment: int) -> list[tuple[int, int]]:
    """Inputs and outputs of the network's linear layers that see a whole batch, in order."""
    from quadrat.occurrence.network.model import NetworkSpec

    spec = NetworkSpec("harmonic", 8, 8, scale, species, environment)
    network = spec.build()
    return [
        (module.in_features, module.out_features)
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and not name.startswith("modulations")
    ]


def products_seconds(shapes: list[tuple[int, int]], batch: int, repeats: int = 30) -> float:
    """The fastest of many passes over all products."""
    kind = torch.bfloat16
    inputs = [torch.randn(batch, width).to(kind) for width, _ in shapes]
    weights = [torch.randn(out, width).to(kind) for width, out in shapes]
    gradients = [torch.randn(batch, out).to(kind) for _, out in shapes]
    best = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        for number, (x, w, g) in enumerate(zip(inputs, weights, gradients, strict=True)):
            x @ w.T
            g.T @ x
            if number:
                g @ w
        best = min(best, time.perf_counter() - began)
    return best


if __name__ == "__main__":
    main()
