"""A tiny encoder and clips that need no file: what the extraction tests share."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from avzsl.decode.ahead import Decoded, Sound
from avzsl.decode.sampling import AudioWindows
from avzsl.encoders.base import AudioEncoder, EncoderSpec
from avzsl.extraction import engine
from avzsl.extraction.report import ExtractionReport
from avzsl.extraction.settings import ExtractionSettings
from avzsl.options import options
from avzsl.types import ClipRef, Failure, Waveform

DIM = 5
RATE = 100
WINDOW = 50
"""Samples a window."""


@options
class SpyOptions:
    scale: float = 1.0
    """Changes the features and the fingerprint."""


class SpyEncoder(AudioEncoder):
    """A matrix product, whose bits depend on the batch as those of a real encoder do."""

    kind = "spy"
    spec = EncoderSpec(revision=1, summary="spy", paper="none", licence="none needed")
    Options = SpyOptions

    def __init__(self, options: Any = None) -> None:
        super().__init__(options or SpyOptions())
        self.loads = 0
        self.preprocessed: list[float] = []
        self.batches: list[torch.Tensor] = []

    @property
    def dim(self) -> int:
        return DIM

    @property
    def windows(self) -> AudioWindows:
        return AudioWindows(length_seconds=WINDOW / RATE, hop_seconds=WINDOW / RATE)

    def load(self, device: torch.device) -> None:
        self.loads += 1
        generator = torch.Generator().manual_seed(0)
        self._weights = torch.randn(WINDOW, DIM, generator=generator) * self.options.scale

    def preprocess(self, waveform: Waveform, spans: np.ndarray) -> torch.Tensor:
        self.preprocessed.append(float(waveform.samples[0, 0]))
        if waveform.codec == "unreadable":
            raise RuntimeError("cannot make sense of this sound")
        return torch.from_numpy(waveform.samples[0, : len(spans) * WINDOW].reshape(-1, WINDOW))

    def encode(self, windows: torch.Tensor) -> torch.Tensor:
        assert torch.is_inference_mode_enabled()
        self.batches.append(windows)
        return windows @ self._weights


def make_clips(count: int, *, stamp: str = "1") -> list[ClipRef]:
    """Clips in no order, with awkward ids."""
    ids = [f"-{'é' if i % 3 else 'x y'}{i * 7919 % 1000:04d}" for i in range(count)]
    return [ClipRef(video_id=video_id, path=f"/no/{video_id}", stamp=stamp) for video_id in ids]


def make_sound(clip: ClipRef) -> Sound:
    """Sound that follows from id and stamp: 1 to 9 windows."""
    word = hashlib.sha256(f"{clip.video_id} {clip.stamp}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(word[:8], "big"))
    count = int(random.integers(1, 10))
    samples = random.standard_normal((1, count * WINDOW)).astype(np.float32)
    starts = np.arange(count) * WINDOW / RATE
    return Sound(
        waveform=Waveform(samples=samples, sample_rate=RATE),
        spans=np.stack([starts, starts + WINDOW / RATE], axis=1),
    )


class FakeAhead:
    """Stands where ``DecodeAhead`` stands, decodes nothing and starts no process."""

    fail: dict[str, Failure]
    """Clips that cannot be decoded."""
    sounds: dict[str, Sound]
    """Clips that sound otherwise than ``make_sound`` says."""
    asked: list[str]
    """Ids of the clips that were to be decoded."""
    delay_seconds = 0.0

    def __init__(self, clips: Sequence[ClipRef], task: object, **_: object) -> None:
        self._clips = clips

    def __enter__(self) -> FakeAhead:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Decoded]:
        for clip in self._clips:
            self.asked.append(clip.video_id)
            time.sleep(self.delay_seconds)
            if failure := self.fail.get(clip.video_id):
                yield Decoded(clip=clip, failure=failure)
            else:
                sound = self.sounds.get(clip.video_id) or make_sound(clip)
                yield Decoded(clip=clip, payload=sound)


def fake_ahead() -> type[FakeAhead]:
    """A fresh class, so that tests do not see each other's failures."""

    class Fresh(FakeAhead):
        fail: dict[str, Failure] = {}  # noqa: RUF012
        sounds: dict[str, Sound] = {}  # noqa: RUF012
        asked: list[str] = []  # noqa: RUF012

    return Fresh


def run(
    clips: Sequence[ClipRef],
    out: Path,
    *,
    encoder: AudioEncoder | None = None,
    reuse: Path | None = None,
    lock_seconds: float = 0.0,
    **settings: Any,
) -> ExtractionReport:
    """Extract on the CPU, with small batches unless told otherwise."""
    return engine.extract(
        clips,
        encoder or SpyEncoder(),
        out,
        dataset="demo",
        encoder_name="spy",
        members_id="members",
        settings=ExtractionSettings(**{"batch_windows": 16, **settings}),
        device=torch.device("cpu"),
        reuse=reuse,
        lock_seconds=lock_seconds,
    )


def bits(path: Path) -> dict[str, bytes]:
    """Everything in a shard but timings and origin."""
    with h5py.File(path) as file:
        return {name: file[name][:].tobytes() for name in ("features", "times", "offsets")} | {
            "ids": "\n".join(file["video_id"].asstr()[:]).encode(),
            "stamps": "\n".join(file["stamp"].asstr()[:]).encode(),
        }


def lose(clip: ClipRef, stage: str = "decode", reason: str = "broken") -> Failure:
    return Failure(video_id=clip.video_id, stage=stage, reason=reason)  # type: ignore[arg-type]
