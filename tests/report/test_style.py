from __future__ import annotations

import itertools
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from quadrat.report.style import OCCURRENCE, PALETTE, RICHNESS, new_figure, span, styled, to_svg

# Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB.
SIGHT = {
    "usual": np.eye(3),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def linear(colour: str) -> np.ndarray:
    c = np.array(to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    matrix = np.array(
        [[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]]
    )
    xyz = matrix @ rgb / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
def test_palette_stays_apart_for_every_sight(sight: str) -> None:
    seen = [lab(np.clip(SIGHT[sight] @ linear(colour), 0, 1)) for colour in PALETTE]
    nearest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))
    assert nearest > 12


@pytest.mark.parametrize("ramp", [RICHNESS, OCCURRENCE])
def test_ramps_only_get_darker(ramp: matplotlib.colors.Colormap) -> None:
    lightness = [lab(linear(ramp(v)))[0] for v in np.linspace(0, 1, 40)]
    assert np.all(np.diff(lightness) < 0)


def test_settings_do_not_outlive_the_drawing() -> None:
    before = dict(matplotlib.rcParams)
    with styled():
        assert matplotlib.rcParams["svg.hashsalt"] == "quadrat"
        figure = new_figure(2, 2)
        figure.add_subplot().plot([0, 1], [0, 1])
    to_svg(figure)
    assert dict(matplotlib.rcParams) == before


def test_no_pyplot_and_no_backend_is_chosen() -> None:
    code = (
        "import sys, quadrat.report.style as s; s.to_svg(s.new_figure(1, 1));"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, quadrat.report;"
        "assert not {'torch', 'polars', 'pydantic', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_span() -> None:
    assert span([np.array([np.nan])]) == (0.0, 1.0)
    low, high = span([np.array([2.0, 2.0])])
    assert low < 2 < high
    assert span([np.array([0.0]), np.array([10.0])], pad=0.1) == (-1.0, 11.0)


def test_svg_has_text_and_no_date() -> None:
    @styled()
    def draw() -> str:
        figure = new_figure(2, 2)
        axes = figure.add_subplot()
        axes.set_title("price in $ and <b>")
        axes.plot([0, 1], [0, 1])
        return to_svg(figure)

    drawn = draw()
    assert "price in $ and &lt;b&gt;" in drawn
    assert "<metadata" not in drawn
    assert drawn == draw()
