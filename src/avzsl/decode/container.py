"""Opening a media file and choosing the stream in it."""

from __future__ import annotations

import os
from typing import Any, Literal

import av
from av.stream import Discard, Disposition

from avzsl.decode.errors import DecodeError, NoStream, explained


def open_container(path: str) -> Any:
    """Open a media file for reading.

    Returns:
        The container; use it in a ``with`` statement or close it.

    Raises:
        FileNotFoundError: If there is no such file.
        DecodeError: If FFmpeg cannot read its header.
    """
    with explained(path, "cannot open the file"):
        return av.open(
            # An absolute path, for FFmpeg takes the "a" of "a:b.mp4" for a protocol.
            os.path.abspath(path),  # noqa: PTH100 - Path would lose a trailing "/."
            # A file that turns out to be a playlist must not fetch what it names.
            container_options={"protocol_whitelist": "file"},
            # The tags of old files are often not UTF-8.
            metadata_errors="replace",
        )


def select_stream(container: Any, kind: Literal["video", "audio"], path: str) -> Any:
    """Return the stream that FFmpeg deems best, and let the demuxer skip all others.

    Raises:
        NoStream: If there is none; the cover picture of a song is no video.
        DecodeError: If there is no decoder for it, or the file is no media file at all.
    """
    stream = container.streams.best(kind)
    if not container.streams.video and not container.streams.audio:
        # Such as the page with an error message that a download left behind.
        raise DecodeError(f"{path}: the file holds neither pictures nor sound.")
    if stream is None:
        raise NoStream(f"{path}: the file has no {_WORD[kind]}.")
    if Disposition.attached_pic in Disposition(stream.disposition):
        raise NoStream(f"{path}: the file has no {_WORD[kind]}, only a cover picture.")
    if stream.codec_context is None:
        raise DecodeError(f"{path}: FFmpeg has no decoder for the {_WORD[kind]}.")
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    # Clips are decoded side by side in worker processes, so each takes one thread.
    stream.codec_context.thread_count = 1
    return stream


_WORD = {"video": "picture track", "audio": "sound track"}
