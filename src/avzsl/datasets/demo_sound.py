"""The sound of the demo dataset: a siren, beeps or a rattle, low or high, over soft noise.

Shapes: C channels, S samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avzsl.datasets.demo_plan import DemoClip
from avzsl.datasets.demo_scene import Scene, clip_rng

Array = NDArray[np.float64]

PITCH_HZ = {"low": 350.0, "high": 1600.0}
"""Nominal frequency; the highest overtone stays below 8 kHz, half the lowest sample rate."""


def render_sound(clip: DemoClip, scene: Scene) -> NDArray[np.float32]:
    """Return the sound of a clip, [C, S] in [-1, 1]."""
    rng = clip_rng(clip, "sound")
    seconds_S = np.arange(round(scene.duration_seconds * scene.sample_rate)) / scene.sample_rate
    hertz = PITCH_HZ[clip.parts["pitch"]] * 2**scene.detune
    make = {"siren": _siren, "beeps": _beeps, "rattle": _rattle}[clip.parts["sound"]]
    wanted_S = make(seconds_S, hertz, scene, rng)
    peak = 10 ** (scene.loudness_db / 20)
    wanted_S *= peak / np.abs(wanted_S).max()
    loud = np.sqrt(np.mean(wanted_S**2)) * 10 ** (scene.noise_db / 20)
    balance_C = np.array([1.0] if scene.channels == 1 else [1 - scene.pan, 1 + scene.pan])
    balance_C = balance_C / balance_C.max()
    noise_CS = loud * rng.standard_normal((scene.channels, len(seconds_S)))
    return np.clip(balance_C[:, None] * wanted_S + noise_CS, -1, 1).astype(np.float32)


def _tone(hertz_S: Array, rate: int, rng: np.random.Generator) -> Array:
    """Return a tone of changing frequency with two overtones of random strength."""
    turns_S = np.cumsum(hertz_S) / rate + rng.uniform()
    strength = (1.0, rng.uniform(0.2, 0.6), rng.uniform(0.1, 0.4))
    overtones = [a * np.sin(2 * np.pi * k * turns_S) for k, a in enumerate(strength, start=1)]
    return np.sum(overtones, axis=0)


def _siren(seconds_S: Array, hertz: float, scene: Scene, rng: np.random.Generator) -> Array:
    """A tone that wails up and down by 0.4 octaves, about once a second."""
    wail_S = np.sin(2 * np.pi * (1.1 * scene.sound_tempo * seconds_S + scene.sound_phase))
    return _tone(hertz * 2 ** (0.4 * wail_S), scene.sample_rate, rng)


def _beeps(seconds_S: Array, hertz: float, scene: Scene, rng: np.random.Generator) -> Array:
    """A steady tone that goes on and off about four times a second."""
    cycle_S = (4.0 * scene.sound_tempo * seconds_S + scene.sound_phase) % 1.0
    # On for about half of the cycle, with edges of a few milliseconds against clicks.
    gate_S = np.clip((0.25 - np.abs(cycle_S - 0.5)) * 30 + 0.5, 0, 1)
    return gate_S * _tone(np.full_like(seconds_S, hertz), scene.sample_rate, rng)


def _rattle(seconds_S: Array, hertz: float, scene: Scene, rng: np.random.Generator) -> Array:
    """Short bursts of noise one octave wide, about eleven a second, each dying away."""
    spectrum = np.fft.rfft(rng.standard_normal(len(seconds_S)))
    grid = np.fft.rfftfreq(len(seconds_S), 1 / scene.sample_rate)
    octaves = np.log2(np.maximum(grid, 1.0) / hertz)
    noise_S = np.fft.irfft(spectrum * np.exp(-0.5 * (octaves / 0.45) ** 2), len(seconds_S))
    cycle_S = (11.0 * scene.sound_tempo * seconds_S + scene.sound_phase) % 1.0
    burst = rng.uniform(0.5, 1.0, 64)[(np.cumsum(np.diff(cycle_S, prepend=0) < 0)) % 64]
    return noise_S * burst * np.exp(-5.0 * cycle_S)
