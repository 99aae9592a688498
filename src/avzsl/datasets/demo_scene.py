"""What varies from clip to clip in the demo dataset, drawn from the seed and the id alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from avzsl.datasets.demo_plan import DemoClip

SIZES = ((128, 96), (160, 120), (120, 160), (176, 144))
"""Width and height in pixels."""
RATES = (
    Fraction(10),
    Fraction(25, 2),
    Fraction(15),
    Fraction(20),
    Fraction(24000, 1001),
    Fraction(25),
)
"""Frames per second."""
SAMPLE_RATES = {
    "mp4": (16_000, 22_050, 44_100, 48_000),
    "avi": (16_000, 32_000, 44_100, 48_000),
    "webm": (16_000, 24_000, 48_000),
}
"""Samples per second that the sound codec of each container takes."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The nuisances of one clip: everything that its class does not fix."""

    width: int
    height: int
    fps: Fraction
    frames: int
    sample_rate: int
    channels: int
    centre_x: float
    """Mean position of the figure, as a share of the width."""
    centre_y: float
    """Mean position of the figure, as a share of the height."""
    drift_x: float
    """Slow wandering, in shares of the shorter side per second."""
    drift_y: float
    radius: float
    """From the figure's centre to its corners, as a share of the shorter side."""
    angle: float
    """Tilt, in radians."""
    tempo: float
    """Bounces or pulses per second; turns take twice as long."""
    direction: int
    """-1 or 1: sense of rotation."""
    phase: float
    """Where in its cycle the motion begins, in [0, 1)."""
    hue_shift: float
    """Off the colour's own hue, in degrees."""
    saturation: float
    value: float
    """Brightness of the figure, in [0, 1]."""
    background: str
    """``gradient``, ``clouds`` or ``stripes``."""
    background_value: float
    background_contrast: float
    background_hue: float
    """In degrees."""
    background_saturation: float
    background_angle: float
    """In radians."""
    exposure: float
    """Factor on all brightness."""
    grain: float
    """Standard deviation of the camera's noise, in levels of 255."""
    detune: float
    """Octaves off the nominal pitch."""
    sound_tempo: float
    """Factor on the sound's own rhythm."""
    sound_phase: float
    """Where in its rhythm the sound begins, in [0, 1)."""
    loudness_db: float
    """Peak of the wanted sound, relative to full scale."""
    noise_db: float
    """Background noise, relative to the wanted sound."""
    pan: float
    """Balance of stereo clips, from -1 (left) to 1 (right)."""

    @property
    def duration_seconds(self) -> float:
        """Length of the pictures and of the sound."""
        return float(self.frames / self.fps)


def clip_rng(clip: DemoClip, purpose: str) -> np.random.Generator:
    """Return the random numbers of one clip for one purpose, the same on every run."""
    word = f"{clip.seed}/{clip.video_id}/{purpose}".encode()
    number = int.from_bytes(hashlib.blake2b(word, digest_size=16).digest(), "big")
    return np.random.Generator(np.random.PCG64(number))


def draw_scene(clip: DemoClip) -> Scene:
    """Return the nuisances of a clip."""
    rng = clip_rng(clip, "scene")
    width, height = SIZES[rng.integers(len(SIZES))]
    fps = RATES[rng.integers(len(RATES))]
    container = clip.path.rsplit(".", 1)[1]
    spins = clip.parts["motion"] == "spinning"
    return Scene(
        width=width,
        height=height,
        fps=fps,
        frames=round(rng.uniform(2.0, 3.0) * fps),
        sample_rate=int(rng.choice(SAMPLE_RATES[container])),
        channels=int(rng.integers(1, 3)),
        centre_x=rng.uniform(0.38, 0.62),
        centre_y=rng.uniform(0.42, 0.58),
        drift_x=rng.uniform(-0.04, 0.04),
        drift_y=rng.uniform(-0.04, 0.04),
        radius=rng.uniform(0.20, 0.32),
        angle=rng.uniform(-np.pi, np.pi) if spins else rng.uniform(-0.3, 0.3),
        tempo=rng.uniform(0.8, 1.5),
        direction=int(rng.choice((-1, 1))),
        phase=rng.uniform(0, 1),
        hue_shift=rng.uniform(-10, 10),
        saturation=rng.uniform(0.7, 1.0),
        value=rng.uniform(0.7, 1.0),
        background=str(rng.choice(("gradient", "clouds", "stripes"))),
        background_value=rng.uniform(0.25, 0.7),
        background_contrast=rng.uniform(0.05, 0.2),
        background_hue=rng.uniform(0, 360),
        background_saturation=rng.uniform(0.0, 0.2),
        background_angle=rng.uniform(0, np.pi),
        exposure=rng.uniform(0.75, 1.1),
        grain=rng.uniform(1.0, 6.0),
        detune=rng.uniform(-0.25, 0.25),
        sound_tempo=rng.uniform(0.75, 1.3),
        sound_phase=rng.uniform(0, 1),
        loudness_db=rng.uniform(-20, -3),
        noise_db=rng.uniform(-35, -15),
        pan=rng.uniform(-0.8, 0.8),
    )
