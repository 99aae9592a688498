"""Decoding with decord: for comparison with features that were extracted with it.

Its last release (0.6.0, 2021) carries an FFmpeg of its own, which knows no AV1 and differs from
today's in how it scales the colour of 10-bit pictures and of those with odd sides. After a seek
into an open group of pictures (usual in HEVC) it shows damaged frames.
"""

from __future__ import annotations

import os

import decord
import numpy as np
from numpy.typing import NDArray

from avzsl.decode.errors import DecodeError
from avzsl.decode.videofile import VideoFile


def read(video: VideoFile, indices_F: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Decode the frames with the given numbers.

    Args:
        video: The opened file; its frames must have times (``video.table.timed``).
        indices_F: Ascending, distinct numbers of frames.

    Returns:
        [F, H, W, 3] RGB, upright.

    Raises:
        DecodeError: If one of the frames cannot be decoded.
    """
    table = video.table
    try:
        reader = decord.VideoReader(
            os.path.abspath(video.path),  # noqa: PTH100 - as for FFmpeg
            ctx=decord.cpu(0),
            num_threads=1,
        )
        if len(reader) != len(table.pts):
            raise DecodeError(
                f"{video.path}: decord counts {len(reader)} frames where {len(table.pts)} are "
                "shown: the file was cut without being encoded anew. Use decoder: pyav."
            )
        rgb_FHW3: NDArray[np.uint8] = reader.get_batch(indices_F).asnumpy()
    except (decord.DECORDError, RuntimeError, IndexError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DecodeError(f"{video.path}: decord cannot decode it: {reason}") from error
    return rgb_FHW3
