"""From pictures and sound to a real file, the same bytes on every run of one machine."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

SINGLE_THREAD = {"threads": "1", "flags": "+bitexact"}
"""Threads would make the bytes depend on timing; ``bitexact`` drops dates and random ids."""

LAYOUTS = {1: "mono", 2: "stereo"}
"""Names of the channel layouts by their number of channels."""


class Codecs(NamedTuple):
    """What a container holds, and the settings of its encoders."""

    video: str
    video_options: dict[str, str]
    audio: str
    audio_options: dict[str, str]
    audio_format: str


CODECS = {
    "mp4": Codecs(
        "libx264",
        # The macroblock tree of x264 makes other bytes on some runs (seen with x264 165).
        {"preset": "veryfast", "crf": "26", "mbtree": "0"},
        "aac",
        {"aac_coder": "fast", "b": "96k"},
        "fltp",
    ),
    "avi": Codecs(
        "mpeg4", {"b": "300k"}, "libmp3lame", {"compression_level": "9", "b": "96k"}, "fltp"
    ),
    "webm": Codecs(
        "libvpx-vp9",
        {"deadline": "realtime", "cpu-used": "8", "crf": "34", "b": "0"},
        "libopus",
        {"compression_level": "0", "b": "64k"},
        "flt",
    ),
}
"""Encoders by suffix."""


def encode_file(
    pictures: NDArray[np.uint8],
    sound: NDArray[np.float32] | None,
    *,
    container: str,
    fps: Fraction,
    sample_rate: int,
) -> bytes:
    """Return the bytes of a video file.

    Args:
        pictures: RGB, [F, H, W, 3] with even H and W.
        sound: [C, S] in [-1, 1], or None for a file without a sound track.
        container: A key of ``CODECS``.
        fps: Frames per second.
        sample_rate: Samples per second.
    """
    codecs = CODECS[container]
    file = io.BytesIO()
    with av.open(file, "w", format=container, options={"fflags": "+bitexact"}) as out:
        video = out.add_stream(codecs.video, rate=fps, options=SINGLE_THREAD | codecs.video_options)
        assert isinstance(video, av.VideoStream)
        video.height, video.width = pictures.shape[1:3]
        video.pix_fmt = "yuv420p"
        audio = None
        if sound is not None:
            audio = _add_sound(out, codecs, sample_rate, channels=len(sound))
        for picture in pictures:
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode(None))
        if audio is not None and sound is not None:
            out.mux(audio.encode(_audio_frame(sound, sample_rate, codecs.audio_format)))
            out.mux(audio.encode(None))
    return file.getvalue()


def _add_sound(
    out: av.container.OutputContainer, codecs: Codecs, sample_rate: int, *, channels: int
) -> av.AudioStream:
    """Add the sound track, which the file must have before the first packet is written."""
    audio = out.add_stream(
        codecs.audio, rate=sample_rate, options=SINGLE_THREAD | codecs.audio_options
    )
    assert isinstance(audio, av.AudioStream)
    audio.layout = LAYOUTS[channels]
    audio.format = codecs.audio_format
    return audio


def _audio_frame(sound: NDArray[np.float32], sample_rate: int, sample_format: str) -> av.AudioFrame:
    """Return one frame with the whole sound; the encoder cuts it into its own frames."""
    planar = sample_format.endswith("p")
    rows = sound if planar else sound.T.reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(rows),
        format=sample_format,
        layout=LAYOUTS[len(sound)],
    )
    frame.sample_rate = sample_rate
    frame.pts = 0
    return frame
