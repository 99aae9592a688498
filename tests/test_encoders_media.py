"""Every real clip through every encoder of sound and pictures, at tiny size.

Counts and times are written down here a second time, by plain arithmetic from the lengths that
ffprobe gives.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_decode_media import AUDIO, VIDEO
from tiny import tiny_options

from avzsl.decode import backend_pyav
from avzsl.decode.audio import read_audio
from avzsl.decode.videofile import VideoFile
from avzsl.encoders import AudioEncoder, VisualEncoder, encoders
from avzsl.types import Frames

CPU = torch.device("cpu")
pytestmark = pytest.mark.slow


def steps(length: float, rest: float | None = None, short: str = "pad") -> Any:
    """Windows one after the other; what is left gets one from ``rest`` seconds on."""

    def spans(seconds: float) -> list[tuple[float, float]]:
        full = math.floor(seconds / length + 1e-6)
        left = seconds - full * length
        count = full + (full > 0 and rest is not None and left >= rest - 1e-6)
        count = max(count, int(short == "pad"))
        return [(i * length, (i + 1) * length) for i in range(count)]

    return spans


def every(length: float, hop: float, short: str = "fail") -> Any:
    """Full windows that overlap or nearly touch."""

    def spans(seconds: float) -> list[tuple[float, float]]:
        count = math.floor((seconds - length) / hop + 1e-6) + 1 if seconds >= length else 0
        return [(i * hop, i * hop + length) for i in range(max(count, int(short == "pad")))]

    return spans


def five_spread(seconds: float) -> list[tuple[float, float]]:
    begins = [i * max(seconds - 2, 0) / 4 for i in range(5)]
    return [(begin, begin + 2) for begin in begins]


EXPECTED: dict[str, Any] = {
    "audiomae": steps(10.24, rest=1.0),
    "clap-audio": steps(10.0, rest=1.0),
    "imagebind-audio": steps(2.0, rest=0.5),
    "selavi-audio": steps(1.0, short="fail"),
    "signal-audio": every(0.96, 0.48),
    "vggish": every(0.975, 0.96),
    "c3d": steps(0.64, rest=0.02),
    "clip-frames": steps(0.625),
    "dino": steps(0.625),
    "imagebind-vision": five_spread,
    "selavi-video": steps(1.0, short="fail"),
    "signal-visual": every(0.96, 0.48, "pad"),
    "xclip-video": lambda seconds: [(0.0, seconds)],
}
"""Seconds -> begin and end of each window, with the default options."""


def kinds(modality: str) -> list[str]:
    base = {"audio": AudioEncoder, "visual": VisualEncoder}[modality]
    return [name for name in encoders.names() if issubclass(encoders.get(name), base)]


def loaded(kind: str) -> Any:
    """The encoder with its default windows and a tiny network."""
    tiny = tiny_options(kind)
    encoder = encoders.get(kind).from_dict({k: v for k, v in tiny.items() if k == "weights"})
    encoder.load(CPU)
    return encoder


def check(encoder: Any, windows: torch.Tensor, spans: np.ndarray, seconds: float) -> None:
    expected = EXPECTED[encoder.kind](seconds)
    assert len(spans) == len(expected), encoder.kind
    wanted = np.reshape(expected, (-1, 2))
    np.testing.assert_allclose(spans, wanted, atol=2e-3, err_msg=encoder.kind)
    if not expected:
        return  # too short for this encoder: the clip is a row of the failures
    with torch.inference_mode():
        features = torch.cat([encoder.encode(part) for part in windows.split(16)])
    assert features.shape == (len(spans), encoder.dim) and features.dtype == torch.float32
    assert torch.isfinite(features).all(), encoder.kind
    assert (features.abs().amax(1) > 0).all(), encoder.kind


def test_every_encoder_is_expected_to_do_something() -> None:
    assert set(EXPECTED) == {*kinds("audio"), *kinds("visual")}


@pytest.mark.parametrize("name", sorted(AUDIO))
def test_sound(media: Path, name: str) -> None:
    waveform = read_audio(str(media / name))
    seconds = waveform.duration_seconds
    for kind in kinds("audio"):
        encoder = loaded(kind)
        spans = encoder.windows.spans(seconds)
        with torch.inference_mode():
            windows = encoder.preprocess(waveform, spans)
        check(encoder, windows, spans, seconds)


@pytest.mark.parametrize("name", sorted(VIDEO))
def test_pictures(media: Path, name: str) -> None:
    with VideoFile(str(media / name)) as video:
        info = video.info
        all_rgb = backend_pyav.read(video, np.arange(len(info.pts_seconds)))
    width, height, *_ = VIDEO[name]
    assert all_rgb.shape[1:] == (height, width, 3)
    for kind in kinds("visual"):
        encoder = loaded(kind)
        plan = encoder.windows.plan(info.pts_seconds, info.duration_seconds)
        frames = Frames(rgb=all_rgb[plan.indices], plan=plan, info=info)
        with torch.inference_mode():
            windows = encoder.preprocess(frames)
        check(encoder, windows, plan.spans, info.duration_seconds)
