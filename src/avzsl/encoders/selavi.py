"""What ``selavi-audio`` and ``selavi-video`` share: one checkpoint of two networks, and windows.

Asano et al., "Labelling unlabelled videos from scratch with multi-modal self-supervision",
NeurIPS 2020. Code and weights: https://github.com/facebookresearch/selavi, CC-BY-NC 4.0.

A checkpoint holds ``video_network.base.*`` (R(2+1)D-18), ``audio_network.base.*`` (a ResNet of one
block a stage) and the heads of the clustering, ``mlp_v0`` ... ``mlp_a9``, which make no features.
The names may begin with ``module.``, which training on several GPUs puts there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from avzsl.decode.sampling import TOLERANCE_SECONDS, AudioWindows, VideoWindows, Windows
from avzsl.sources.checkpoint import Checkpoint

if TYPE_CHECKING:
    from torch import Tensor

Placement = Literal["uniform", "avca", "tcaf"]

SOURCES = ("selavi-vgg-sound", "selavi-kinetics", "selavi-kinetics-sound", "selavi-ave")
WINDOW_SECONDS = 1.0
PICTURES = 30
"""Pictures of a window."""
TIMESTAMP_SECONDS = 1e-3
"""Matroska and WebM round the time of a frame to this."""
STEP_TOLERANCE = 1e-6
"""In frames: what lies this little below a whole number is that number, rounded."""


@dataclass(frozen=True, kw_only=True)
class ResNetSizes:
    """How large a residual network is."""

    stem: tuple[int, ...]
    """Channels behind each convolution of the stem."""
    widths: tuple[int, ...]
    """Channels of each stage."""
    depths: tuple[int, ...]
    """Blocks of each stage."""


def placed_spans(
    windows: Windows, placement: Placement, duration_seconds: float
) -> NDArray[np.float64]:
    """Return [N, 2] the windows of one second as one of the released scripts places them.

    Those of AVCA and TCaF take a second less of a video, or all of it, and then begin window ``i``
    at ``i / (10 (n // 10 + 1))`` of what lies before the last second. With 10 s:

        avca   n =  9   0.0 0.9 1.8 2.7 3.6 4.5 5.4 6.3 7.2                  0 s to 8.2 s
        tcaf   n = 10   0.00 0.45 0.90 1.35 1.80 2.25 2.70 3.15 3.60 4.05    0 s to 5.05 s
    """
    count = int(duration_seconds + TOLERANCE_SECONDS) - (placement == "avca")
    if count < 1:
        # One window at the begin where short clips are padded, else none.
        return Windows.spans(windows, duration_seconds)[: windows.short == "pad"]
    room = duration_seconds - WINDOW_SECONDS
    begins_N = np.arange(count, dtype=np.float64) * (room / (10 * (count // 10 + 1)))
    return np.stack([begins_N, begins_N + WINDOW_SECONDS], axis=1)


@dataclass(frozen=True, kw_only=True)
class SelaviAudioWindows(AudioWindows):
    """Windows of one second, at equal steps or as released scripts place them."""

    placement: Placement = "uniform"

    def spans(self, duration_seconds: float) -> NDArray[np.float64]:
        """Return [N, 2] begin and end of each window, in seconds from the clip's begin."""
        if self.placement == "uniform":
            return super().spans(duration_seconds)
        return placed_spans(self, self.placement, duration_seconds)

    def __str__(self) -> str:
        return _placed(super().__str__(), self.placement)


@dataclass(frozen=True, kw_only=True)
class SelaviVideoWindows(VideoWindows):
    """Windows of one second, at equal steps or as released scripts place them, by frame numbers."""

    placement: Placement = "uniform"

    def spans(self, duration_seconds: float) -> NDArray[np.float64]:
        """Return [N, 2] begin and end of each window, in seconds from the clip's begin."""
        if self.placement == "uniform":
            return super().spans(duration_seconds)
        return placed_spans(self, self.placement, duration_seconds)

    def choose(
        self, pts_seconds: NDArray[np.float64], spans_N2: NDArray[np.float64], end_seconds: float
    ) -> NDArray[np.int64]:
        """Return [N, f] the index of each frame of each window, as SeLaVi's own loader counts them.

        With R frames a second, a window begins with a whole frame, and its pictures are at equal
        steps from its first frame to its R-th: 0, 0, 1, 2, 3, 4, 4, 5 ... 24 of 25 a second.

        Args:
            pts_seconds: [F] presentation times of all frames of the file, ascending.
            spans_N2: Begin and end of each window, in seconds of the file.
            end_seconds: End of the clip; the last frame of the file stands still behind its end.
        """
        last = len(pts_seconds) - 1
        rate = frame_rate(pts_seconds)
        begins_N = np.floor(spans_N2[:, 0] * rate + STEP_TOLERANCE) / rate
        first_N = np.searchsorted(pts_seconds, begins_N - TIMESTAMP_SECONDS, side="left")
        stop_N = np.searchsorted(
            pts_seconds, begins_N + WINDOW_SECONDS - 1 / rate + TIMESTAMP_SECONDS, side="right"
        )
        stride = max(rate - 1, 0.0) / (self.frames - 1)
        steps_f = np.floor(np.arange(self.frames) * stride + STEP_TOLERANCE)
        chosen_Nf = np.minimum(first_N[:, None] + steps_f, stop_N[:, None])
        return np.minimum(chosen_Nf, last).astype(np.int64)

    def __str__(self) -> str:
        return _placed(super().__str__(), self.placement)


def frame_rate(pts_seconds: NDArray[np.float64]) -> float:
    """Return the mean frames per second, without what the rounding of times adds to it.

    A whole rate, or 1000 / 1001 of one, is taken if the last frame's time is then off by no more
    than times are rounded. A single frame counts as one a second.
    """
    steps = len(pts_seconds) - 1
    length = float(pts_seconds[-1] - pts_seconds[0])
    if steps < 1 or length <= 0:
        return 1.0
    mean = steps / length
    usual = [rate for rate in (round(mean), round(mean * 1.001) / 1.001) if rate >= 1]
    nearest = min(usual, key=lambda rate: abs(rate - mean), default=mean)
    return nearest if abs(steps / nearest - length) <= TIMESTAMP_SECONDS else mean


def read_half(
    checkpoint: Checkpoint, pattern: str, half: Literal["audio", "video"], *, shapes_only: bool
) -> dict[str, Tensor]:
    """Return the tensors of one of the two networks, under torchvision's names.

    Args:
        checkpoint: The file of both networks.
        pattern: Under which the checkpoint's file was found.
        half: Which network.
        shapes_only: Return tensors on the meta device.

    Raises:
        ValueError: If the file holds no such network.
    """
    from avzsl.encoders.states import read_tensors, renamed

    other = "video" if half == "audio" else "audio"
    tensors = read_tensors(
        checkpoint.files[pattern], wrapped_in=("model",), shapes_only=shapes_only
    )
    prefix = rf"(?:module\.)?{half}_network\.base\."
    if not any(re.match(prefix, name) for name in tensors):
        raise ValueError(
            f"{checkpoint.label}: expected a checkpoint of SeLaVi with tensors "
            f"'{half}_network.base.*'; the file has {', '.join(list(tensors)[:3])}..."
        )
    dropped = (rf"(?:module\.)?{other}_network\..+", r"(?:module\.)?mlp_[av]\d*\..+")
    return renamed(tensors, [(rf"^{prefix}", "")], dropped=dropped)


def read_resnet_sizes(
    tensors: dict[str, Tensor], *, stem: tuple[str, ...], last_norm: str
) -> ResNetSizes:
    """Return how large a residual network of four stages is.

    Args:
        tensors: By torchvision's names.
        stem: Names of the weights of the stem's convolutions.
        last_norm: Name of the weight of a block's last norm, within the block.

    Raises:
        ValueError: If a stage or the stem is missing, so that this is another network.
    """
    from avzsl.encoders.states import depth_of

    depths = tuple(depth_of(tensors, rf"layer{stage}\.(\d+)\.") for stage in range(1, 5))
    wanted = (*stem, *(f"layer{stage}.0.{last_norm}" for stage in range(1, 5)))
    missing = [name for name in wanted if name not in tensors]
    if missing:
        raise ValueError(f"The checkpoint lacks {', '.join(missing)}; is it another model's?")
    channels = tuple(tensors[name].shape[0] for name in wanted)
    return ResNetSizes(stem=channels[: len(stem)], widths=channels[len(stem) :], depths=depths)


def _placed(text: str, placement: Placement) -> str:
    return text if placement == "uniform" else f"1 s, placed as in {placement.upper()}'s script"
