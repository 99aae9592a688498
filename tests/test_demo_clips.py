"""The demo dataset's pictures and sounds show and sound what their class says."""

from __future__ import annotations

import colorsys
import itertools
from dataclasses import replace

import numpy as np
import pytest

from avzsl.datasets.demo_pictures import hsv_to_rgb, render_pictures
from avzsl.datasets.demo_plan import CLASSES, PARTS, DemoOptions, demo_plan
from avzsl.datasets.demo_scene import draw_scene
from avzsl.datasets.demo_sound import render_sound


def clip_of(name, number=1, seed=0):
    plan = demo_plan(DemoOptions(seed=seed, clips_per_class=max(number + 1, 2)))
    return [clip for clip in plan if clip.class_name == name and not clip.damage][number]


def clean(scene):
    """The scene without what hides the figure."""
    return replace(
        scene, background_contrast=0.0, background_saturation=0.0, grain=0.0, exposure=1.0
    )


def masks(clip, scene):
    """Where the figure is, [F, H, W] in [0, 1], from the rendered pictures."""
    pictures = render_pictures(clip, clean(scene)).astype(float)
    away = np.abs(pictures - pictures[0, 0, 0]).sum(3)
    return away / away.max()


def test_hsv_is_the_standard_one():
    for h, s, v in itertools.product((0, 33, 120, 200, 359, -10), (0, 0.3, 1), (0, 0.6, 1)):
        expected = colorsys.hsv_to_rgb(h / 360 % 1, s, v)
        np.testing.assert_allclose(hsv_to_rgb(h, s, v), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "area"),
    [("square", 2.0), ("triangle", 3 * 3**0.5 / 4), ("star", 1.12257)],
)
def test_area_of_the_figures(shape, area):
    """Areas of the square, the triangle and the pentagram with corners on the unit circle."""
    name = next(n for n in CLASSES["train"] if shape in n)
    clip = clip_of(name)
    scene = replace(draw_scene(clip), radius=0.25, centre_x=0.5, centre_y=0.5)
    got = masks(clip, scene)[0].sum()
    if "pulsing" in name:
        got /= (1 + 0.4 * np.sin(2 * np.pi * scene.phase)) ** 2
    assert got == pytest.approx(area * (0.25 * min(scene.width, scene.height)) ** 2, rel=0.03)


@pytest.mark.parametrize("motion", PARTS["motion"])
def test_motions_differ_in_what_changes(motion):
    name = next(n for n in CLASSES["train"] if motion in n)
    clip = clip_of(name)
    scene = replace(draw_scene(clip), drift_x=0.0, drift_y=0.0, centre_x=0.5, centre_y=0.5)
    got = masks(clip, scene)
    rows, columns = np.indices(got.shape[1:])
    area = got.sum((1, 2))
    x, y = ((got * axis).sum((1, 2)) / area for axis in (columns, rows))
    assert np.ptp(x) < 2
    assert (np.ptp(y) > 0.2 * scene.height) == (motion == "bouncing")
    assert (np.ptp(area) > 0.5 * area.mean()) == (motion == "pulsing")
    turned = np.abs(got[1:] - got[0]).sum((1, 2)).max() / area[0]
    assert turned > 0.1 or motion != "spinning"


@pytest.mark.parametrize("sound", PARTS["sound"])
@pytest.mark.parametrize("pitch", PARTS["pitch"])
def test_sounds_have_their_pitch_and_rhythm(pitch, sound):
    name = next(n for names in CLASSES.values() for n in names if f"{pitch} {sound}" in n)
    clip = clip_of(name)
    scene = replace(draw_scene(clip), noise_db=-60.0, detune=0.0, sample_rate=16_000)
    samples = render_sound(clip, scene)
    assert samples.shape == (scene.channels, round(scene.duration_seconds * 16_000))
    assert 0.5 * 10 ** (scene.loudness_db / 20) < np.abs(samples).max() <= 1
    mono = samples[0]
    power = np.abs(np.fft.rfft(mono)) ** 2
    hertz = np.fft.rfftfreq(len(mono), 1 / 16_000)
    nominal = {"low": 350, "high": 1_600}[pitch]
    inside = power[(hertz > nominal / 2) & (hertz < nominal * 2)].sum() / power.sum()
    assert inside > 0.6
    envelope = np.abs(mono[: len(mono) // 160 * 160]).reshape(-1, 160).max(1)
    off = (envelope < 0.2 * envelope.max()).mean()
    assert (off > 0.25) == (sound != "siren")
