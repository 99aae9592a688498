"""Pure arithmetic: from durations and frame times to windows, in seconds and in frame numbers.

A window of a video is cut into equal slots, one per picture that the encoder wants. A slot shows
the frame that is on display in its middle: the last frame that began before it. An example with
30 frames a second and 25 slots a second (a slot of 40 ms):

    frames  |0     |1     |2     |3     |4     |5     |6     |      33.3 ms each
    slots   |   0   |   1   |   2   |   3   |   4   |   5   |       40 ms each
    middle      x       x       x       x       x       x
    shows       0       1       2       4       5       6           frame 3 is dropped

This is exactly what ``ffmpeg -vf fps=25`` does at every rate, constant or not: that filter rounds
the time of each frame to the nearest slot and shows the last frame that landed at or before the
slot. It is also the usual "middle of each segment" of sparse sampling. The simpler rule
``floor(k * source_rate / rate + 1/2)`` agrees with it from 30 to 25 frames a second, but for one
frame in ten it does not from 29.97 to 25, nor for 60 % of the frames from 60 to 25.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from avzsl.types import FramePlan

TOLERANCE_SECONDS = 1e-6
"""Times closer than this are equal: far above the error of float64, far below a frame or sample."""


@dataclass(frozen=True, kw_only=True)
class AudioWindows:
    """Where the windows of a sound lie: full windows only, the rest is dropped."""

    length_seconds: float
    """Length of one window."""
    hop_seconds: float
    """From the begin of one window to the begin of the next."""
    short: Literal["fail", "pad"] = "fail"
    """A sound shorter than one window has no window (``fail``), or one that reaches beyond its
    end and that the encoder pads (``pad``)."""

    def __post_init__(self) -> None:
        _check_windows(self.length_seconds, self.hop_seconds, self.short)

    def spans(self, duration_seconds: float) -> NDArray[np.float64]:
        """Return [N, 2] begin and end of each window, in seconds from the clip's begin.

        Args:
            duration_seconds: Length of the sound.

        Returns:
            N rows; N is 0 where the sound is too short. A sound of exactly one window has one.
        """
        return _spans(self, duration_seconds)


@dataclass(frozen=True, kw_only=True)
class VideoWindows:
    """Which frames make up which window of a video: full windows only, the rest is dropped."""

    length_seconds: float
    """Length of one window."""
    hop_seconds: float
    """From the begin of one window to the begin of the next."""
    frames: int
    """Pictures per window, evenly spaced: one in the middle of each ``length_seconds / frames``."""
    short: Literal["fail", "pad"] = "fail"
    """A video shorter than one window has no window (``fail``), or one in which the last frame
    stands still until the window ends (``pad``)."""

    def __post_init__(self) -> None:
        _check_windows(self.length_seconds, self.hop_seconds, self.short)
        if self.frames < 1:
            raise ValueError(f"A window needs at least one frame, got {self.frames = }.")

    def plan(
        self,
        pts_seconds: NDArray[np.float64],
        duration_seconds: float,
        start_seconds: float = 0.0,
        end_seconds: float | None = None,
    ) -> FramePlan:
        """Choose the frames of every window of a clip.

        Args:
            pts_seconds: [F] presentation times of all frames of the file, ascending.
            duration_seconds: End of the last frame.
            start_seconds: Begin of the clip within the file.
            end_seconds: End of the clip within the file; None means the file's end.

        Returns:
            The plan; a frame that several windows use stands in ``indices`` once. It has no
            windows where the clip is too short or starts after the last frame's end.
        """
        end = duration_seconds if end_seconds is None else min(end_seconds, duration_seconds)
        spans_N2 = _spans(self, end - start_seconds if len(pts_seconds) else 0.0)
        middles_f = (np.arange(self.frames) + 0.5) * (self.length_seconds / self.frames)
        middles_Nf = start_seconds + spans_N2[:, :1] + middles_f
        # "left" leaves out a frame that begins in the very middle, as ffmpeg does.
        after_Nf = np.searchsorted(pts_seconds, middles_Nf - TOLERANCE_SECONDS, side="left")
        chosen_Nf = np.maximum(after_Nf - 1, 0)
        indices_F, rows = np.unique(chosen_Nf, return_inverse=True)
        return FramePlan(
            indices=indices_F.astype(np.int64),
            rows=rows.reshape(chosen_Nf.shape).astype(np.int64),
            spans=spans_N2,
        )


def _check_windows(length_seconds: float, hop_seconds: float, short: str) -> None:
    """Raise ValueError unless the values describe windows."""
    for name, value in (("length_seconds", length_seconds), ("hop_seconds", hop_seconds)):
        if not (math.isfinite(value) and value > TOLERANCE_SECONDS):
            raise ValueError(f"{name} must be a positive number of seconds, got {value!r}.")
    if short not in ("fail", "pad"):
        raise ValueError(f"short must be 'fail' or 'pad', got {short!r}.")


def _spans(windows: AudioWindows | VideoWindows, duration_seconds: float) -> NDArray[np.float64]:
    """Return [N, 2] begin and end of the windows that fit into ``duration_seconds``."""
    room = duration_seconds - windows.length_seconds + TOLERANCE_SECONDS
    if room >= 0:
        count = int(room // windows.hop_seconds) + 1
    else:
        count = int(windows.short == "pad" and duration_seconds > 0)
    begins_N = np.arange(count) * windows.hop_seconds
    return np.stack([begins_N, begins_N + windows.length_seconds], axis=1)
