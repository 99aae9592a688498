"""What the decoding workers are told to do with each clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from avzsl.decode.audio import read_audio
from avzsl.decode.choice import DecoderChoice
from avzsl.decode.errors import TooShort
from avzsl.decode.sampling import AudioWindows, VideoWindows
from avzsl.decode.video import read_frames
from avzsl.types import ClipRef, Frames, Waveform


@dataclass(frozen=True, kw_only=True)
class Sound:
    """Decoded sound of one clip and where its windows lie."""

    waveform: Waveform
    """The whole clip at its native rate."""
    spans: NDArray[np.float64]
    """[N, 2] begin and end of each window, in seconds from the clip's begin; N > 0."""


Payload: TypeAlias = Frames | Sound
"""What is decoded from a clip."""


def read_clip(clip: ClipRef, task: DecodeTask) -> Payload:
    """Decode what ``task`` asks for from one clip.

    Raises:
        FileNotFoundError: If there is no such file.
        NoStream: If it has no picture or no sound.
        TooShort: If the clip has no window.
        DecodeError: If it is damaged.
    """
    start = clip.start_seconds or 0.0
    if isinstance(task.windows, VideoWindows):
        return read_frames(
            clip.path,
            task.windows,
            decoder=task.decoder,
            start_seconds=start,
            end_seconds=clip.end_seconds,
        )
    waveform = read_audio(clip.path, start_seconds=start, end_seconds=clip.end_seconds)
    spans = task.windows.spans(waveform.duration_seconds)
    if not len(spans):
        raise TooShort(
            f"{clip.path}: {waveform.duration_seconds:.2f} s of sound, windows are {task.windows}."
        )
    return Sound(waveform=waveform, spans=spans)


@dataclass(frozen=True, kw_only=True)
class DecodeTask:
    """The same for every clip; pickled into the workers."""

    modality: Literal["audio", "visual"]
    windows: AudioWindows | VideoWindows
    decoder: DecoderChoice
    read: Callable[[ClipRef, DecodeTask], Payload] = read_clip
    """A function of a module that the workers can import."""

    def __post_init__(self) -> None:
        kind = VideoWindows if self.modality == "visual" else AudioWindows
        if not isinstance(self.windows, kind):
            raise ValueError(
                f"A task for {self.modality} clips needs {kind.__name__}, got {self.windows!r}."
            )
