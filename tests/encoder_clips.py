"""Made-up clips of many forms, and what an encoder makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from avzsl.encoders import AudioEncoder, Encoder, VisualEncoder
from avzsl.types import Frames, VideoInfo, Waveform

CLIPS = {
    "audio": [
        {"kind": kind, "rate": rate, "channels": channels}
        for kind in ("noise", "tone", "silence", "clipped", "offset")
        for rate, channels in ((8_000, 1), (16_000, 2), (22_050, 1), (44_100, 6), (48_000, 2))
    ],
    "visual": [
        {"kind": kind, "size": size, "fps": fps}
        for kind in ("noise", "black", "white", "ramp")
        for size, fps in (((8, 8), 25), ((48, 64), 10), ((90, 51), 29.97), ((240, 426), 5))
    ],
}
"""Clips of many forms, by modality."""


def sound(
    seconds: float, *, rate: int = 16_000, channels: int = 1, kind: str = "noise", seed: int = 0
) -> Waveform:
    times = np.arange(round(seconds * rate)) / rate
    rng = np.random.default_rng(seed)
    samples = {
        "noise": 0.1 * rng.standard_normal((channels, len(times))),
        "tone": 0.5 * np.sin(2 * np.pi * 440 * times)[None].repeat(channels, 0),
        "silence": np.zeros((channels, len(times))),
        "clipped": np.sign(rng.standard_normal((channels, len(times)))),
        "offset": np.full((channels, len(times)), 0.5),
    }[kind]
    return Waveform(samples=samples.astype(np.float32), sample_rate=rate)


def pictures(
    encoder: VisualEncoder,
    seconds: float,
    *,
    size: tuple[int, int] = (48, 64),
    fps: float = 12.5,
    kind: str = "noise",
    seed: int = 0,
) -> Frames:
    count = round(seconds * fps)
    shape = (count, *size, 3)
    pts = np.arange(count) / fps
    plan = encoder.windows.plan(pts, count / fps)
    rgb = {
        "noise": np.random.default_rng(seed).integers(0, 256, shape, np.uint8),
        "black": np.zeros(shape, np.uint8),
        "white": np.full(shape, 255, np.uint8),
        "ramp": np.broadcast_to(np.linspace(0, 255, size[1])[:, None], shape).astype(np.uint8),
    }[kind]
    info = VideoInfo(
        width=size[1],
        height=size[0],
        rotation=0,
        fps=fps,
        pts_seconds=pts,
        duration_seconds=count / fps,
    )
    return Frames(rgb=rgb[plan.indices], plan=plan, info=info)


def windows_of(encoder: Encoder, *, seconds_more: float = 1.3, **clip: Any) -> torch.Tensor:
    """The windows of one clip of an audio or a visual encoder."""
    assert isinstance(encoder, (AudioEncoder, VisualEncoder))
    seconds = least_seconds(encoder) + seconds_more
    if isinstance(encoder, AudioEncoder):
        waveform = sound(seconds, **clip)
        return encoder.preprocess(waveform, encoder.windows.spans(waveform.duration_seconds))
    return encoder.preprocess(pictures(encoder, seconds, **clip))


def least_seconds(encoder: Any) -> float:
    """Length of the shortest clip that has a full window."""
    return encoder.windows.length_seconds or 1.0


def encode_one(encoder: Any, **clip: Any) -> torch.Tensor:
    with torch.inference_mode():
        return encoder.encode(windows_of(encoder, **clip))
