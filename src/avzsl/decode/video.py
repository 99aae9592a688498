"""Pictures of a clip: from a file and windows to the frames that the windows show."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from avzsl.decode import backend_pyav
from avzsl.decode.choice import DecoderChoice
from avzsl.decode.errors import TooShort
from avzsl.decode.sampling import VideoWindows
from avzsl.decode.videofile import VideoFile
from avzsl.types import Frames

Backend: TypeAlias = Callable[[VideoFile, NDArray[np.int64]], NDArray[np.uint8]]


def read_frames(
    path: str,
    windows: VideoWindows,
    *,
    decoder: DecoderChoice,
    start_seconds: float = 0.0,
    end_seconds: float | None = None,
) -> Frames:
    """Decode the frames that the windows of a clip show, each once.

    Args:
        path: The video.
        windows: Which frames to take.
        decoder: What decodes them.
        start_seconds: Begin of the clip, counted from the first frame of the file.
        end_seconds: End of the clip; None means the file's end.

    Raises:
        FileNotFoundError: If there is no such file.
        NoStream: If it has no pictures.
        TooShort: If the clip has no window.
        DecodeError: If it is damaged, or truncated before the clip's end.
    """
    with VideoFile(path) as video:
        video.require(end_seconds)
        info = video.info
        plan = windows.plan(info.pts_seconds, info.duration_seconds, start_seconds, end_seconds)
        if not len(plan.rows):
            end = info.duration_seconds if end_seconds is None else end_seconds
            left = max(0.0, min(end, info.duration_seconds) - start_seconds)
            raise TooShort(f"{path}: {left:.2f} s of video, windows are {windows}.")
        # The other decoders find a frame by its time. Where packets tell none (AVI) only counting
        # is sure, and that is what PyAV does here.
        read = load_backend(decoder) if video.table.timed else backend_pyav.read
        return Frames(rgb=read(video, plan.indices), plan=plan, info=info)


def load_backend(decoder: DecoderChoice) -> Backend:
    """Import a decoder, which may take seconds the first time.

    Returns:
        A function from an opened file and [F] ascending, distinct numbers of frames to
        [F, H, W, 3] RGB, upright.
    """
    if decoder.name == "pyav":
        return backend_pyav.read
    if decoder.name == "torchcodec":
        from avzsl.decode import backend_torchcodec

        return functools.partial(backend_torchcodec.read, device=decoder.device)
    from avzsl.decode import backend_decord

    return backend_decord.read
