"""Videos as PyAV gives them to SeLaVi's own loader, for ``make_selavi.py``."""

from __future__ import annotations

import types
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import av
import numpy as np

from avzsl.decode.choice import DecoderChoice
from avzsl.decode.sampling import VideoWindows
from avzsl.decode.video import read_frames


class Picture:
    """A frame as PyAV gives it to the reference."""

    def __init__(self, pts: int, rgb_HW3: np.ndarray) -> None:
        self.pts = pts
        self._rgb_HW3 = rgb_HW3

    def to_rgb(self) -> Picture:
        return self

    def to_ndarray(self) -> np.ndarray:
        return self._rgb_HW3


class Container:
    """A video as PyAV gives it to the reference.

    Args:
        rate: Frames per second.
        pts: Time of each frame, in some unit.
        duration: Length of the video in the same unit.
        rgb: Its frames.
    """

    def __init__(
        self, rate: Fraction, pts: np.ndarray, duration: int, rgb: Iterable[np.ndarray]
    ) -> None:
        self._pictures = [Picture(*pair) for pair in zip(pts.tolist(), rgb, strict=True)]
        stream = types.SimpleNamespace(average_rate=rate, frames=len(pts), duration=duration)
        self.streams = types.SimpleNamespace(video=[stream])

    @classmethod
    def of_file(cls, path: str) -> Container:
        """A real video, with the frames of our decoder."""
        with av.open(path) as container:
            stream = container.streams.video[0]
            packets = [p for p in container.demux(stream) if p.pts is not None and p.size]
            rate, duration = stream.average_rate, stream.duration
        pts = np.sort([p.pts for p in packets])
        every = _Every(length_seconds=1.0, hop_seconds=1.0, frames=len(pts))
        rgb = read_frames(path, every, decoder=DecoderChoice(name="pyav")).rgb
        # AVI numbers the frames of this codec from 1; ours count from the first frame.
        return cls(rate, pts - pts[0], duration, rgb)

    @classmethod
    def of_numbers(cls, rate: Fraction, count: int) -> Container:
        """A video that shows the number of each frame, in red and green."""
        numbers = np.arange(count)
        rgb = np.zeros((count, 112, 112, 3), np.uint8)
        rgb[..., 0], rgb[..., 1] = (part[:, None, None] for part in np.divmod(numbers, 256))
        ticks = rate.denominator
        return cls(rate, numbers * ticks, count * ticks, rgb)

    def seek(self, *_: Any, **__: Any) -> None:
        """The reference begins before its window and skips; so does this."""

    def decode(self, **_: Any) -> list[Picture]:
        return self._pictures

    def close(self) -> None:
        pass


class _Every(VideoWindows):
    """One window of all frames of a file."""

    def spans(self, duration_seconds: float) -> np.ndarray:
        return np.array([[0.0, duration_seconds]])

    def choose(self, pts_seconds: np.ndarray, *_: Any) -> np.ndarray:
        return np.arange(len(pts_seconds))[None]
