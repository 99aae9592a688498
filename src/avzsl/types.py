"""Records that travel between the stages: checked, frozen, and free of torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Modality = Literal["audio", "visual", "text"]
Subset = Literal["train", "val_seen", "val_unseen", "test_seen", "test_unseen"]

_ONE_LINE = frozenset("\t\r\n")
"""Characters that would end a field or a row of a manifest."""

SUBSETS: tuple[Subset, ...] = ("train", "val_seen", "val_unseen", "test_seen", "test_unseen")
"""What a clip is used for; stage 2 trains on the first three (Mercea et al., CVPR 2022)."""


@dataclass(frozen=True, kw_only=True)
class ClipRef:
    """One clip as it lies on disk: what a decoder needs and what tells that it changed."""

    video_id: str
    """Unique within the dataset; may begin with ``-`` and hold any text without tab or newline."""
    path: str
    """The video file, absolute or relative to the working directory."""
    start_seconds: float | None = None
    """Begin of the segment within the file; None means the file's begin."""
    end_seconds: float | None = None
    """End of the segment; None means the file's end."""
    stamp: str = ""
    """Changes when the content does (size and time of the file); ``missing`` without a file."""

    def __post_init__(self) -> None:
        if not self.video_id or not _ONE_LINE.isdisjoint(self.video_id):
            raise ValueError(f"A video_id is text without tabs or newlines, got {self.video_id!r}.")
        start, end = self.start_seconds or 0.0, self.end_seconds
        if start < 0 or (end is not None and end <= start):
            raise ValueError(
                f"{self.video_id}: a segment needs 0 <= start < end, "
                f"got {start = }, {end = } seconds."
            )


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What is known of a video stream before its frames are decoded."""

    width: int
    """Pixels, as displayed (after rotation)."""
    height: int
    """Pixels, as displayed (after rotation)."""
    rotation: int
    """Degrees counter-clockwise that were applied for display: 0, 90, 180 or 270."""
    fps: float
    """Mean frames per second."""
    pts_seconds: NDArray[np.float64]
    """[F] presentation time of each frame, ascending, the first frame of the stream at 0."""
    duration_seconds: float
    """From the first frame's begin to the last frame's end."""
    codec: str = ""
    """FFmpeg's name of the codec."""


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Decoded pictures of one clip."""

    rgb: NDArray[np.uint8]
    """[F, H, W, 3] the distinct frames that the plan asked for, in order of time."""
    plan: FramePlan
    """Which window uses which of them."""
    info: VideoInfo


@dataclass(frozen=True, kw_only=True)
class FramePlan:
    """Which frames of a video make up which window."""

    indices: NDArray[np.int64]
    """[F] ascending, distinct indices of the source frames to decode."""
    rows: NDArray[np.int64]
    """[N, f] row in ``indices`` of each frame of each window; -1 where a window has no picture."""
    spans: NDArray[np.float64]
    """[N, 2] begin and end of each window, in seconds from the clip's begin."""

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or self.spans.shape != (len(self.rows), 2):
            raise ValueError(
                f"A plan needs rows [N, f] and spans [N, 2], "
                f"got {self.rows.shape = }, {self.spans.shape = }."
            )


@dataclass(frozen=True, kw_only=True)
class Waveform:
    """Decoded sound of one clip at its native rate."""

    samples: NDArray[np.float32]
    """[C, S] in [-1, 1], one row a channel."""
    sample_rate: int
    """Samples per second."""
    codec: str = ""

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.sample_rate <= 0:
            raise ValueError(
                f"A waveform needs samples [C, S] at a positive rate, "
                f"got {self.samples.shape = }, {self.sample_rate = }."
            )

    @property
    def duration_seconds(self) -> float:
        """Length in seconds."""
        return self.samples.shape[1] / self.sample_rate


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a clip has no features: a row of the shard, never a silent gap."""

    video_id: str
    stage: Literal["missing", "no-stream", "decode", "timeout", "crash", "too-short", "encode"]
    """``missing`` (no file) and ``no-stream`` (no sound track, no picture) are absences and do
    not count against ``max_failure_rate``; all others are failures and do."""
    reason: str
    """One line for a person."""

    @property
    def is_absence(self) -> bool:
        """True where the clip lacks the modality, as opposed to a clip that should have worked."""
        return self.stage in ("missing", "no-stream")


@dataclass(frozen=True, kw_only=True)
class ClipFeatures:
    """Encoded windows of one clip."""

    video_id: str
    stamp: str
    features: NDArray[np.float32]
    """[T, D]"""
    times: NDArray[np.float64]
    """[T, 2] begin and end of each window, in seconds from the clip's begin."""

    def __post_init__(self) -> None:
        count = len(self.times)
        if self.features.ndim != 2 or self.times.shape != (len(self.features), 2) or not count:
            raise ValueError(
                f"{self.video_id}: expected features [T, D] and times [T, 2] with T > 0, "
                f"got {self.features.shape = }, {self.times.shape = }."
            )


@dataclass(frozen=True, kw_only=True)
class ClassEmbeddings:
    """One vector per class name."""

    names: tuple[str, ...]
    """[K] in the order of the rows."""
    vectors: NDArray[np.float32]
    """[K, W]"""
    notes: tuple[str, ...] = ()
    """What a reader of any result made with them must know."""
    lengths: NDArray[np.float64] | None = None
    """[K] L2 lengths of the vectors as the text encoder gave them; None where that is not known."""

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.names):
            raise ValueError(
                f"Expected one vector per class, got {self.vectors.shape = }, {len(self.names) = }."
            )
        if len(set(self.names)) != len(self.names):
            raise ValueError("Class names must be distinct.")

    def raw(self) -> ClassEmbeddings:
        """Return the vectors in the lengths that the text encoder gave them.

        Raises:
            ValueError: If these are not known: optimised embeddings have length 1.
        """
        if self.lengths is None:
            raise ValueError("These class embeddings do not hold their original lengths.")
        vectors = self.vectors * self.lengths[:, None]
        return replace(self, vectors=vectors.astype(np.float32), lengths=None)
