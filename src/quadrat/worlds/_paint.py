"""The picture of a quadrat: soil, plant parts from the lowest to the highest, light, camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from quadrat.worlds._sward import QUADRAT_CM, Floats, Parts, Quadrat
from quadrat.worlds._visit import Camera, Colour

Pixels = NDArray[np.float32]

_CANVAS_PX = 800  # narrowest canvas that still shows a blade 3 mm wide
_ALONG = np.array([0.0, 0.35, 0.7, 1.0])  # where a blade's outline has its corners
_HALF_WIDTH = 0.5 * np.array([0.75, 1.0, 0.7, 0.0])  # its half width there, over its width
_LEAFLET = 0.92 * np.array(  # outline of a leaflet along and across its axis, over reach and width
    [(0.05, 0.0), (0.55, 0.5), (1.0, 0.42), (1.12, 0.15), (1.03, 0.0)]
)
_STAMP = (255, 140, 20)


@dataclass(frozen=True)
class _Layer:
    """Polygons of one kind with their colours and the height that orders them.

    Attributes:
        outlines: (N, 2 × corners) canvas pixels, x and y in turn.
        colours: (N, 3) in 0–1, before the shade of the canopy.
        height: (N,) cm.
    """

    outlines: Floats
    colours: Floats
    height: Floats


def paint(
    quadrat: Quadrat, size: tuple[int, int], rng: np.random.Generator, stamp: str = ""
) -> Image.Image:
    """Paint a quadrat as seen from above.

    Args:
        quadrat: What lies in the frame.
        size: Width and height of the picture in pixels; the frame fills it.
        rng: Source of soil texture, light and sensor noise.
        stamp: Text burnt into the lower right corner, as some cameras do; "" for none.
    """
    factor = max(2, -(-_CANVAS_PX // size[0]))
    canvas = _soil(quadrat.visit.soil, size, rng).resize(
        (size[0] * factor, size[1] * factor), Image.Resampling.BILINEAR
    )
    scale = np.array(canvas.size) / QUADRAT_CM
    shade = quadrat.closure * (1 - quadrat.visit.camera.depth)
    _draw(canvas, _layers(quadrat, scale, rng), shade)
    picture = canvas.reduce(factor)
    blur = quadrat.visit.camera.blur_px * size[0] / 480
    if blur > 0.2:
        picture = picture.filter(ImageFilter.GaussianBlur(blur))
    picture = _expose(picture, quadrat.visit.camera, rng)
    if stamp:
        _burn_in(picture, stamp)
    return picture


def _layers(quadrat: Quadrat, scale: Floats, rng: np.random.Generator) -> list[_Layer]:
    visit = quadrat.visit
    dark, light = np.asarray(visit.sward.dark), np.asarray(visit.sward.light)
    straw = np.asarray(visit.straw)
    leaf = np.array([0.95, 1.0, 0.8])  # clover is a little bluer and deeper than its grass
    return [
        *_blade_layers(quadrat.dead, 0.55 * straw, 1.12 * straw, visit.camera.sun, scale, rng),
        *_blade_layers(quadrat.green, dark, light, visit.camera.sun, scale, rng),
        *_clover_layers(quadrat.clover, leaf * dark * 1.1, leaf * light, scale, rng),
    ]


def _blade_layers(
    parts: Parts,
    dark: Floats,
    light: Floats,
    sun: float,
    scale: Floats,
    rng: np.random.Generator,
) -> list[_Layer]:
    """Each blade as two halves, of which the one that faces the sun is lighter."""
    if not len(parts):
        return []
    heading = np.stack([np.cos(parts.angle), np.sin(parts.angle)], axis=-1)[:, None]
    across = heading[..., ::-1] * (-1.0, 1.0)
    bow = (parts.bend * parts.reach)[:, None] * 4 * _ALONG * (1 - 0.5 * _ALONG)
    middle = (
        parts.base[:, None]
        + (parts.reach[:, None] * _ALONG)[..., None] * heading
        + bow[..., None] * across
    )
    half = (parts.width[:, None] * _HALF_WIDTH)[..., None] * across
    colours = _tinted(parts, dark, light, rng)
    facing = 0.22 * np.sin(parts.angle - sun)[:, None]
    whole = np.concatenate([middle - half, (middle + half)[:, -2::-1]], axis=1)
    right = np.concatenate([middle, (middle + half)[:, -2::-1]], axis=1)
    return [
        _Layer(_flat(whole, scale), colours * (1 - facing), parts.height),
        _Layer(_flat(right, scale), colours * (1 + facing), parts.height),
    ]


def _clover_layers(
    parts: Parts, dark: Floats, light: Floats, scale: Floats, rng: np.random.Generator
) -> list[_Layer]:
    """Three leaflets a leaf, each with the pale mark that white clover wears."""
    if not len(parts):
        return []
    colours = _tinted(parts, dark, light, rng)
    outline = np.concatenate([_LEAFLET, _LEAFLET[-2:0:-1] * (1, -1)])
    mark = np.array([(0.45, -0.4), (0.72, 0.0), (0.45, 0.4), (0.56, 0.0)])
    layers = []
    for third in range(3):
        angle = parts.angle + third * 2 * np.pi / 3
        facing = (1 + 0.12 * np.cos(angle))[:, None]
        shape = _placed(outline, parts, angle)
        layers.append(_Layer(_flat(shape, scale), colours * facing, parts.height))
        pale = 0.75 * colours * facing + 0.25 * np.array([0.8, 0.9, 0.7])
        layers.append(_Layer(_flat(_placed(mark, parts, angle), scale), pale, parts.height))
    return layers


def _placed(outline: Floats, parts: Parts, angle: Floats) -> Floats:
    """Turn an outline into each leaflet's direction: (N, corners, 2) cm."""
    along = outline[:, 0] * parts.reach[:, None]
    across = outline[:, 1] * parts.width[:, None]
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    turned = np.stack([along * cos - across * sin, along * sin + across * cos], axis=-1)
    return parts.base[:, None] + turned


def _tinted(parts: Parts, dark: Floats, light: Floats, rng: np.random.Generator) -> Floats:
    speckle = np.exp(rng.normal(0, 0.06, (len(parts), 3)))
    return (dark + parts.tint[:, None] * (light - dark)) * speckle


def _flat(points: Floats, scale: Floats) -> Floats:
    return (points * scale).reshape(len(points), -1)


def _draw(canvas: Image.Image, layers: list[_Layer], shade: float) -> None:
    """Draw all parts from the lowest to the highest, the lowest darkened by ``shade`` (0–1)."""
    if not layers:
        return
    outlines = [outline for layer in layers for outline in layer.outlines.tolist()]
    height = np.concatenate([layer.height for layer in layers])
    order = np.argsort(height, kind="stable")
    light = np.empty(len(order))
    light[order] = 1 - shade * np.linspace(1, 0, len(order))
    colours = np.concatenate([layer.colours for layer in layers]) * light[:, None]
    fills = [tuple(rgb) for rgb in _to_bytes(255 * colours).tolist()]
    draw = ImageDraw.Draw(canvas)
    for part in order.tolist():
        draw.polygon(outlines[part], fill=fills[part])


def _soil(colour: Colour, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Bare ground: crumbs, clods and damp patches."""
    texture = 1 + 0.14 * rng.standard_normal(size[::-1], dtype=np.float32)
    for cells, strength in ((160, 0.16), (70, 0.12), (24, 0.05), (4, 0.08)):
        texture += strength * _smooth(size, cells, rng)
    return Image.fromarray(_to_bytes(255 * texture[..., None] * np.asarray(colour, np.float32)))


def _expose(picture: Image.Image, camera: Camera, rng: np.random.Generator) -> Image.Image:
    """Sun and shadow on the scene, then the sensor and its processing."""
    size = picture.size
    light = 1 + 0.07 * _smooth(size, 3, rng)
    if rng.random() < 0.25:
        light *= _shadow_edge(size, rng)
    gains = np.asarray(camera.gains, np.float32) * np.float32(np.exp(rng.normal(0, 0.04)))
    pixels = np.asarray(picture, np.float32) * (light[..., None] * gains)
    grey = pixels @ np.array([0.3, 0.59, 0.11], np.float32)
    pixels = grey[..., None] + camera.saturation * (pixels - grey[..., None])
    pixels = 110 + camera.contrast * (pixels - 110)
    pixels += 3.0 * rng.standard_normal((*size[::-1], 1), dtype=np.float32)
    return Image.fromarray(_to_bytes(pixels))


def _shadow_edge(size: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """The soft straight edge of somebody's shadow: factors on brightness."""
    x, y = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in size))
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.9)
    distance = x * np.cos(angle) + y * np.sin(angle) - offset
    shade = 1 / (1 + np.exp(-np.clip(distance * 25, -30, 30)))
    return np.asarray(1 - rng.uniform(0.25, 0.5) * shade, np.float32)


def _smooth(size: tuple[int, int], cells: int, rng: np.random.Generator) -> Pixels:
    """Smooth noise of unit scale with about ``cells`` bumps across the picture."""
    rows = max(2, cells * size[1] // size[0])
    coarse = Image.fromarray(rng.standard_normal((rows, cells), dtype=np.float32))
    return np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.float32)


def _burn_in(picture: Image.Image, text: str) -> None:
    font = ImageFont.load_default(max(8, picture.height // 11))
    margin = picture.height // 12
    corner = (picture.width - margin // 2, picture.height - margin)
    stroke = picture.height // 400 + 1
    draw = ImageDraw.Draw(picture)
    draw.text(corner, text, fill=_STAMP, font=font, anchor="rs", stroke_width=stroke)


def _to_bytes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    clipped: NDArray[np.floating] = np.clip(np.rint(values), 0, 255)
    return clipped.astype(np.uint8)
