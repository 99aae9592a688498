"""Pure arithmetic: from durations and frame times to windows, in seconds and in frame numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from avzsl.types import FramePlan


@dataclass(frozen=True, kw_only=True)
class AudioWindows:
    """Where the windows of a sound lie."""

    length_seconds: float
    hop_seconds: float
    short: Literal["fail", "pad"] = "fail"

    def spans(self, duration_seconds: float) -> NDArray[np.float64]:
        """Return [N, 2]; N is 0 where the sound is too short."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class VideoWindows:
    """Which frames make up which window of a video."""

    length_seconds: float
    hop_seconds: float
    frames: int

    def plan(self, pts_seconds: NDArray[np.float64], duration_seconds: float) -> FramePlan:
        """Return the plan; it has no windows where the video is too short."""
        raise NotImplementedError
