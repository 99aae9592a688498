"""Decoding with torchcodec: on an NVIDIA GPU through NVDEC, or on the CPU.

Importing this module imports torch, which takes seconds and hundreds of megabytes, and needs
FFmpeg's shared libraries on the loader's path; ``ffmpeg_links`` finds them.
"""

from __future__ import annotations

import functools
import logging
import os

import numpy as np
from numpy.typing import NDArray
from torchcodec.decoders import VideoDecoder

from avzsl.decode.errors import DecodeError
from avzsl.decode.videofile import VideoFile

_log = logging.getLogger(__name__)


def read(
    video: VideoFile, indices_F: NDArray[np.int64], *, device: str = "cpu"
) -> NDArray[np.uint8]:
    """Decode the frames with the given numbers.

    Args:
        video: The opened file; its frames must have times (``video.table.timed``).
        indices_F: Ascending, distinct numbers of frames.
        device: ``cpu``, ``cuda`` or ``cuda:N``. A codec that the GPU does not know is decoded on
            the CPU.

    Returns:
        [F, H, W, 3] RGB, upright, in main memory.

    Raises:
        DecodeError: If one of the frames cannot be decoded.
    """
    table = video.table
    try:
        decoder = VideoDecoder(
            os.path.abspath(video.path),  # noqa: PTH100 - as for FFmpeg
            stream_index=video.stream_index,
            dimension_order="NHWC",
            num_ffmpeg_threads=1,
            device=device,
            seek_mode="exact",
        )
        # torchcodec counts the frames that lack their keyframe too.
        batch = decoder.get_frames_at((indices_F + table.skipped).tolist())
    except (RuntimeError, ValueError, IndexError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DecodeError(f"{video.path}: torchcodec cannot decode it: {reason}") from error
    if device != "cpu" and decoder.cpu_fallback:
        _say_once(f"{video.info.codec} is decoded on the CPU: {decoder.cpu_fallback}")
    expected_F = table.pts[indices_F] * float(table.time_base)
    if not np.allclose(batch.pts_seconds.cpu().numpy(), expected_F, rtol=0, atol=1e-3):
        raise DecodeError(f"{video.path}: torchcodec gives frames of other times than asked for.")
    rgb_FHW3: NDArray[np.uint8] = batch.data.cpu().numpy()
    expected = (len(indices_F), video.info.height, video.info.width, 3)
    if rgb_FHW3.shape != expected:
        raise DecodeError(
            f"{video.path}: torchcodec gives {rgb_FHW3.shape}, expected {expected}. "
            "Use decoder: pyav."
        )
    return rgb_FHW3


@functools.cache
def _say_once(message: str) -> None:
    """Warn of what slows down many clips, but once a process."""
    _log.warning("%s", message)
