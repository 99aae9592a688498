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
class Windows:
    """Where the windows of a clip lie. An encoder may override ``spans`` in a class of its own.

    There are three ways: windows of one length at equal steps (``length_seconds`` and
    ``hop_seconds``); a fixed number of them spread from the clip's begin to its end
    (``length_seconds`` and ``count``); or the clip cut into equal parts (``count`` alone).
    """

    length_seconds: float | None = None
    """Length of one window; None cuts the clip into ``count`` parts."""
    hop_seconds: float | None = None
    """From the begin of one window to the begin of the next."""
    count: int | None = None
    """Number of windows, in place of ``hop_seconds``."""
    short: Literal["fail", "pad"] = "fail"
    """A clip shorter than one window has no window (``fail``), or one (or ``count``) that reaches
    beyond its end (``pad``): there the last picture stands still, and the encoder pads sound."""
    rest_seconds: float | None = None
    """What is left behind the last full window has a window of its own, which reaches beyond the
    clip's end, if it is at least this long. None drops it."""

    def __post_init__(self) -> None:
        if (self.hop_seconds is None) == (self.count is None):
            raise ValueError(
                f"Windows need a step or a number, got {self.hop_seconds = }, {self.count = }."
            )
        if self.length_seconds is None and self.count is None:
            raise ValueError("Windows at equal steps need length_seconds, got None.")
        for name in ("length_seconds", "hop_seconds", "rest_seconds"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > TOLERANCE_SECONDS):
                raise ValueError(f"{name} must be a positive number of seconds, got {value!r}.")
        if self.count is not None and self.count < 1:
            raise ValueError(f"There must be at least one window, got {self.count = }.")
        if self.short not in ("fail", "pad"):
            raise ValueError(f"short must be 'fail' or 'pad', got {self.short!r}.")

    def spans(self, duration_seconds: float) -> NDArray[np.float64]:
        """Return [N, 2] begin and end of each window, in seconds from the clip's begin.

        Args:
            duration_seconds: Length of the clip.

        Returns:
            N rows; N is 0 where the clip is too short. A clip of exactly one window has one.
        """
        length = duration_seconds if self.length_seconds is None else self.length_seconds
        room = duration_seconds - length + TOLERANCE_SECONDS
        if duration_seconds <= 0 or (room < 0 and self.short == "fail"):
            return np.zeros((0, 2))
        begins_N: NDArray[np.float64]
        if self.count is None:
            begins_N = self._steps(duration_seconds, length, room)
        elif self.length_seconds is None:
            length = duration_seconds / self.count
            begins_N = np.arange(self.count, dtype=np.float64) * length
        else:
            begins_N = np.arange(self.count, dtype=np.float64) * (
                max(duration_seconds - length, 0.0) / max(self.count - 1, 1)
            )
        return np.stack([begins_N, begins_N + length], axis=1)

    def __str__(self) -> str:
        """Say where the windows lie, in one line."""
        if self.length_seconds is None:
            return "the whole clip" if self.count == 1 else f"{self.count} equal parts of the clip"
        length = f"{self.length_seconds:g} s"
        if self.count is not None:
            return f"{self.count} x {length}, spread over the clip"
        return f"{length} every {self.hop_seconds:g} s"

    def _steps(self, duration: float, length: float, room: float) -> NDArray[np.float64]:
        """Return the begins of windows at equal steps."""
        assert self.hop_seconds is not None
        count = int(room // self.hop_seconds) + 1 if room >= 0 else 1
        if self.rest_seconds is not None and room >= 0:
            covered = max((count - 1) * self.hop_seconds + length, count * self.hop_seconds)
            count += duration - covered >= self.rest_seconds - TOLERANCE_SECONDS
        steps_N: NDArray[np.float64] = np.arange(count, dtype=np.float64) * self.hop_seconds
        return steps_N


@dataclass(frozen=True, kw_only=True)
class AudioWindows(Windows):
    """Where the windows of a sound lie."""


@dataclass(frozen=True, kw_only=True)
class VideoWindows(Windows):
    """Which frames make up which window of a video; where the windows lie is as with sound."""

    frames: int
    """Pictures per window, evenly spaced: one in the middle of each ``frames``-th of it."""
    beyond: Literal["hold", "blank"] = "hold"
    """A picture due after the clip's end is the last one again (``hold``) or none (``blank``: its
    place in ``FramePlan.rows`` is -1, and the encoder fills it)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames < 1:
            raise ValueError(f"A window needs at least one frame, got {self.frames = }.")
        if self.beyond not in ("hold", "blank"):
            raise ValueError(f"beyond must be 'hold' or 'blank', got {self.beyond!r}.")

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
        spans_N2 = self.spans(end - start_seconds if len(pts_seconds) else 0.0)
        chosen_Nf = self.choose(pts_seconds, start_seconds + spans_N2, end)
        rows_Nf = np.full(chosen_Nf.shape, -1, np.int64)
        shown_Nf = chosen_Nf >= 0
        indices_F, rows_Nf[shown_Nf] = np.unique(chosen_Nf[shown_Nf], return_inverse=True)
        return FramePlan(
            indices=indices_F.astype(np.int64), rows=rows_Nf, spans=self.merged(spans_N2)
        )

    def choose(
        self, pts_seconds: NDArray[np.float64], spans_N2: NDArray[np.float64], end_seconds: float
    ) -> NDArray[np.int64]:
        """Return [N, f] the index of each frame of each window, or -1 for none.

        Args:
            pts_seconds: [F] presentation times of all frames of the file, ascending.
            spans_N2: Begin and end of each window, in seconds of the file.
            end_seconds: End of the clip, in seconds of the file.
        """
        middles_f = (np.arange(self.frames) + 0.5) / self.frames
        middles_Nf = spans_N2[:, :1] + middles_f * (spans_N2[:, 1:] - spans_N2[:, :1])
        # "left" leaves out a frame that begins in the very middle, as ffmpeg does.
        after_Nf = np.searchsorted(pts_seconds, middles_Nf - TOLERANCE_SECONDS, side="left")
        chosen_Nf = np.maximum(after_Nf - 1, 0).astype(np.int64)
        if self.beyond == "blank":
            chosen_Nf[middles_Nf > end_seconds + TOLERANCE_SECONDS] = -1
        return chosen_Nf

    def merged(self, spans_N2: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the spans that the plan reports; an encoder that joins windows overrides it."""
        return spans_N2
