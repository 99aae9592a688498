"""The pictures of the demo dataset: one moving figure before a background.

Shapes: F frames, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from avzsl.datasets.demo_plan import DemoClip
from avzsl.datasets.demo_scene import Scene, clip_rng

Array = NDArray[np.float32]

HUES = {"red": 0.0, "yellow": 55.0, "green": 120.0, "blue": 225.0}
"""Degrees on the colour circle."""


def render_pictures(clip: DemoClip, scene: Scene) -> NDArray[np.uint8]:
    """Return the pictures of a clip, RGB [F, H, W, 3]."""
    parts = clip.parts
    rng = clip_rng(clip, "pictures")
    mask_FHW = _figure_mask(parts["shape"], parts["motion"], scene)
    background_HW3 = _background(scene, rng)
    figure_3 = hsv_to_rgb(HUES[parts["colour"]] + scene.hue_shift, scene.saturation, scene.value)
    # Grain moves all three channels alike, as noise of brightness does; 0.5 is for rounding.
    grain_FHW = rng.standard_normal(mask_FHW.shape, dtype=np.float32)
    grain_FHW *= np.float32(scene.grain)
    grain_FHW += np.float32(0.5)
    rgb_FHW3 = np.empty((*mask_FHW.shape, 3), np.uint8)
    # One channel at a time: numpy is slow along an axis of length three.
    for channel in range(3):
        behind_HW = background_HW3[..., channel]
        light_FHW = mask_FHW * (figure_3[channel] - behind_HW)
        light_FHW += behind_HW
        light_FHW *= np.float32(255 * scene.exposure)
        light_FHW += grain_FHW
        rgb_FHW3[..., channel] = np.clip(light_FHW, 0, 255, out=light_FHW)
    return rgb_FHW3


def hsv_to_rgb(hue: float, saturation: float, value: float) -> Array:
    """Return [3] in [0, 1] for a hue in degrees, saturation and value in [0, 1].

    Smith, "Color Gamut Transform Pairs", SIGGRAPH 1978, in closed form.
    """
    sector = (np.array([5.0, 3.0, 1.0]) + hue / 60.0) % 6.0
    rgb = value - value * saturation * np.clip(np.minimum(sector, 4.0 - sector), 0.0, 1.0)
    return rgb.astype(np.float32)


def _figure_mask(shape: str, motion: str, scene: Scene) -> Array:
    """Return how much of each pixel the figure covers, [F, H, W] in [0, 1]."""
    side = min(scene.width, scene.height)
    seconds_F = np.arange(scene.frames) / float(scene.fps)
    cycle_F = scene.tempo * seconds_F + scene.phase
    x_F = scene.centre_x * scene.width + side * scene.drift_x * (seconds_F - seconds_F.mean())
    y_F = scene.centre_y * scene.height + side * scene.drift_y * (seconds_F - seconds_F.mean())
    radius_F = np.full(scene.frames, scene.radius * side)
    angle_F = np.full(scene.frames, scene.angle)
    if motion == "spinning":
        angle_F = angle_F + scene.direction * np.pi * cycle_F
    elif motion == "bouncing":
        # A parabola between two touches of the ground, as a ball flies.
        fall_F = 1.0 - (2.0 * (cycle_F % 1.0) - 1.0) ** 2
        y_F = y_F + 0.36 * scene.height * (0.5 - fall_F)
    else:
        assert motion == "pulsing", motion
        radius_F = radius_F * (1.0 + 0.4 * np.sin(2 * np.pi * cycle_F))
    return _cover(shape, scene, *(a.astype(np.float32) for a in (x_F, y_F, radius_F, angle_F)))


def _cover(
    shape: str, scene: Scene, x_F: Array, y_F: Array, radius_F: Array, angle_F: Array
) -> Array:
    """Return the anti-aliased mask of a figure at given places, [F, H, W]."""
    left, right = _extent(x_F, radius_F, scene.width)
    top, bottom = _extent(y_F, radius_F, scene.height)
    dx_F1W = np.arange(left, right, dtype=np.float32) + np.float32(0.5) - x_F[:, None, None]
    dy_FH1 = (np.arange(top, bottom, dtype=np.float32) + np.float32(0.5) - y_F[:, None])[..., None]
    radius_F11 = radius_F[:, None, None]

    def along(degrees: float) -> Array:
        """Distance from the figure's centre in a direction that turns with the figure."""
        turn_F11 = angle_F[:, None, None] + np.float32(np.radians(degrees))
        product: Array = np.cos(turn_F11) * dx_F1W + np.sin(turn_F11) * dy_FH1
        return product

    # Signed distance to the outline: the half planes of the figure's edges, combined.
    if shape == "square":
        reach = np.maximum(np.abs(along(0)), np.abs(along(90))) - radius_F11 * np.float32(0.5**0.5)
    elif shape == "triangle":
        reach = np.maximum(np.maximum(along(90), along(210)), along(330))
        reach -= radius_F11 * np.float32(0.5)
    else:
        assert shape == "star", shape
        reach = _second_largest(along(90 + 72 * k) for k in range(5))
        reach -= radius_F11 * np.float32(np.cos(np.radians(72)))
    mask_FHW = np.zeros((scene.frames, scene.height, scene.width), np.float32)
    np.clip(np.float32(0.5) - reach, 0, 1, out=mask_FHW[:, top:bottom, left:right])
    return mask_FHW


def _extent(place_F: Array, radius_F: Array, length: int) -> tuple[int, int]:
    """Return the range of pixels that the figure may touch, clipped to the picture."""
    first = int(np.floor((place_F - radius_F).min())) - 1
    last = int(np.ceil((place_F + radius_F).max())) + 1
    return max(first, 0), min(last, length)


def _second_largest(fields: Iterable[Array]) -> Array:
    """Return the second largest value at each place.

    A pentagram is where at least four of its five lines leave a point on the inner side.
    """
    largest: Array = np.array(-np.inf, np.float32)
    second = largest
    for field in fields:
        second = np.maximum(second, np.minimum(largest, field))
        largest = np.maximum(largest, field)
    return second


def _background(scene: Scene, rng: np.random.Generator) -> Array:
    """Return a still background [H, W, 3] of little colour."""
    rows_H1 = np.linspace(-1, 1, scene.height, dtype=np.float32)[:, None]
    columns_1W = np.linspace(-1, 1, scene.width, dtype=np.float32)[None]
    ramp_HW = np.cos(scene.background_angle) * columns_1W + np.sin(scene.background_angle) * rows_H1
    if scene.background == "gradient":
        pattern_HW = ramp_HW
    elif scene.background == "stripes":
        pattern_HW = np.sin(ramp_HW * rng.uniform(6, 20) + rng.uniform(0, 2 * np.pi))
    else:
        assert scene.background == "clouds", scene.background
        pattern_HW = _clouds(scene.height, scene.width, rng)
    value_HW = scene.background_value + scene.background_contrast * pattern_HW
    tint_3 = hsv_to_rgb(scene.background_hue, scene.background_saturation, 1.0)
    return (np.clip(value_HW, 0, 1)[..., None] * tint_3).astype(np.float32)


def _clouds(height: int, width: int, rng: np.random.Generator) -> Array:
    """Return smooth noise [H, W], about in [-1, 1]: a few random values, joined by cosines."""

    def weights(length: int, knots: int) -> Array:
        place = np.linspace(0, knots - 1, length)[:, None] - np.arange(knots)[None]
        bumps: Array = (0.5 + 0.5 * np.cos(np.pi * np.clip(place, -1, 1))).astype(np.float32)
        return bumps

    knots = rng.uniform(-1, 1, (9, 12)).astype(np.float32)
    return (weights(height, 9) @ knots @ weights(width, 12).T).astype(np.float32)
