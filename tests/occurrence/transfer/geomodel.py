"""The geomodel's network in numpy, double precision, written from its description."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import erf, expit

State = dict[str, NDArray[np.float64]]


def widths(scale: float) -> dict[str, int]:
    return {
        "encoder": max(64, round(512 * scale / 64) * 64),
        "bottleneck": max(32, round(128 * scale / 32) * 32),
        "environment": max(64, round(256 * scale / 64) * 64),
        "blocks": max(1, round(4 * scale)),
        "species_blocks": max(1, round(2 * scale)),
        "environment_blocks": max(1, round(scale)),
    }


def random_state(
    scale: float,
    species: int,
    environment: int,
    *,
    coord: int = 3,
    week: int = 2,
    habitat: bool = False,
    seed: int = 0,
) -> State:
    """Parameters with the geomodel's names, none of them zero or one."""
    rng, size, state = np.random.default_rng(seed), widths(scale), State()

    def linear(name: str, outputs: int, inputs: int) -> None:
        state[f"{name}.weight"] = rng.normal(0, inputs**-0.5, (outputs, inputs))
        state[f"{name}.bias"] = rng.normal(0, 0.3, outputs)

    def norm(name: str, width: int) -> None:
        state[f"{name}.weight"] = rng.uniform(0.5, 1.5, width)
        state[f"{name}.bias"] = rng.normal(0, 0.3, width)

    def blocks(name: str, count: int, width: int) -> None:
        for n in range(count):
            for layer in (0, 3):
                norm(f"{name}.{n}.block.{layer}", width)
            for layer in (2, 6):
                linear(f"{name}.{n}.block.{layer}", width, width)

    d, b, e = size["encoder"], size["bottleneck"], size["environment"]
    for name, count in (("lat", coord), ("lon", coord), ("week", week)):
        state[f"encoder.{name}_enc.harmonics"] = np.arange(1.0, count + 1)
    linear("encoder.input_proj", d, 4 * coord)
    blocks("encoder.blocks", size["blocks"], d)
    for n in range(size["blocks"]):
        linear(f"encoder.film_generators.{n}.0", d, 2 * week)
        linear(f"encoder.film_generators.{n}.2", 2 * d, d)
    norm("encoder.norm", d)
    blocks("species_head.blocks", size["species_blocks"], d)
    norm("species_head.head.0", d)
    linear("species_head.head.1", b, d)
    linear("species_head.head.3", species, b)
    if e != d:
        linear("env_head.proj", e, d)
    blocks("env_head.blocks", size["environment_blocks"], e)
    norm("env_head.head.0", e)
    linear("env_head.head.1", environment, e)
    if habitat:
        linear("habitat_species_head.proj", e, environment)
        blocks("habitat_species_head.blocks", size["environment_blocks"], e)
        norm("habitat_species_head.head.0", e)
        linear("habitat_species_head.head.1", b, e)
        linear("habitat_species_head.head.3", species, b)
        linear("species_gate", species, d)
    return state


def forward(
    state: State, lat: NDArray[np.float64], lon: NDArray[np.float64], week: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Species logits and the predicted environment."""

    def linear(name: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def norm(name: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
        centred = x - x.mean(axis=1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-4)
        return centred / spread * state[f"{name}.weight"] + state[f"{name}.bias"]

    def block(name: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
        inner = linear(f"{name}.block.2", gelu(norm(f"{name}.block.0", x)))
        return x + linear(f"{name}.block.6", gelu(norm(f"{name}.block.3", inner)))

    def blocks(name: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
        n = 0
        while f"{name}.{n}.block.0.weight" in state:
            x = block(f"{name}.{n}", x)
            n += 1
        return x

    def head(name: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
        inner = blocks(f"{name}.blocks", x)
        narrow = gelu(linear(f"{name}.head.1", norm(f"{name}.head.0", inner)))
        return linear(f"{name}.head.3", narrow)

    place = [encoded(state, "lat", np.radians(lat)), encoded(state, "lon", np.radians(lon))]
    season = encoded(state, "week", 2 * np.pi * (week - 1) / 48)
    x, n = linear("encoder.input_proj", np.concatenate(place, axis=1)), 0
    while f"encoder.film_generators.{n}.0.weight" in state:
        film = linear(
            f"encoder.film_generators.{n}.2",
            gelu(linear(f"encoder.film_generators.{n}.0", season)),
        )
        gamma, beta = np.split(film, 2, axis=1)
        x = block(f"encoder.blocks.{n}", x) * (1 + np.tanh(gamma)) + beta
        n += 1
    trunk = norm("encoder.norm", x)
    direct = head("species_head", trunk)
    inner = linear("env_head.proj", trunk) if "env_head.proj.weight" in state else trunk
    environment = linear(
        "env_head.head.1", norm("env_head.head.0", blocks("env_head.blocks", inner))
    )
    if "species_gate.weight" not in state:
        return direct, environment
    habitat = head("habitat_species_head", linear("habitat_species_head.proj", environment))
    gate = expit(linear("species_gate", trunk))
    return gate * direct + (1 - gate) * habitat, environment


def gelu(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x * 0.5 * (1 + erf(x / np.sqrt(2)))


def encoded(state: State, name: str, angle: NDArray[np.float64]) -> NDArray[np.float64]:
    angles = angle[:, None] * state[f"encoder.{name}_enc.harmonics"]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def write_checkpoint(path: Path, state: State, codes: list[Any], scale: float, **more: Any) -> Path:
    """A file as the geomodel's trainer writes it."""
    tensors = OrderedDict((name, torch.from_numpy(v).float()) for name, v in state.items())
    found = {
        "epoch": 6,
        "model_state_dict": tensors,
        "optimizer_state_dict": {"state": {}, "param_groups": []},
        "best_geoscore": 0.25,
        "history": {"lr": [1e-3, float("nan")]},
        "model_config": {"model_scale": scale, "n_species": len(codes), "habitat_head": False},
        "species_vocab": {
            "species_to_idx": {code: n for n, code in enumerate(codes)},
            "idx_to_species": dict(enumerate(codes)),
        },
        **more,
    }
    torch.save(found, path)
    return path
