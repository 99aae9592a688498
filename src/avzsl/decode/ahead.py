"""Decoding ahead of the encoder (first, importable version: decodes in this process)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from avzsl.decode.choice import DecoderChoice
from avzsl.decode.sampling import AudioWindows, VideoWindows
from avzsl.types import ClipRef, Failure, Frames, Waveform


@dataclass(frozen=True, kw_only=True)
class Sound:
    """Decoded sound of one clip and where its windows lie."""

    waveform: Waveform
    spans: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DecodeTask:
    """What to decode from every clip."""

    modality: Literal["audio", "visual"]
    windows: AudioWindows | VideoWindows
    decoder: DecoderChoice
    read: Callable[[ClipRef, DecodeTask], Frames | Sound] | None = None


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """What became of one clip: exactly one of ``payload`` and ``failure`` is set."""

    clip: ClipRef
    payload: Frames | Sound | None = None
    failure: Failure | None = None


@dataclass
class DecodeStatistics:
    """Where the time went."""

    wait_seconds: float = 0.0
    decode_seconds: float = 0.0
    payload_bytes: int = 0
    clips: int = 0
    failures: int = 0
    restarts: int = 0


class DecodeAhead:
    """Decode clips in worker processes, in the order of ``clips``."""

    def __init__(
        self,
        clips: Sequence[ClipRef],
        task: DecodeTask,
        *,
        workers: int = 1,
        timeout_seconds: float = 120.0,
        ahead_bytes: int = 1 << 30,
    ) -> None:
        self.statistics = DecodeStatistics()
        self._clips = clips
        self._task = task

    def __enter__(self) -> DecodeAhead:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Decoded]:
        for clip in self._clips:
            yield Decoded(
                clip=clip,
                failure=Failure(video_id=clip.video_id, stage="decode", reason="not built yet"),
            )
