"""What a media file holds, without decoding more than one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from avzsl.decode.container import open_container, select_stream
from avzsl.decode.errors import DecodeError, NoStream, explained
from avzsl.decode.videofile import VideoFile
from avzsl.types import VideoInfo


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """What is known of a sound stream before it is decoded."""

    sample_rate: int
    """Samples per second."""
    channels: int
    duration_seconds: float
    """From the first sample to the end of the last."""
    codec: str
    """FFmpeg's name of the codec."""


@dataclass(frozen=True, kw_only=True)
class MediaInfo:
    """What a file holds."""

    video: VideoInfo | None
    """None where the file has no pictures."""
    audio: AudioInfo | None
    """None where the file has no sound."""


def probe(path: str) -> MediaInfo:
    """Look into a media file.

    Raises:
        FileNotFoundError: If there is no such file.
        DecodeError: If it is damaged or no media file.
    """
    try:
        with VideoFile(path) as file:
            video = file.info
    except NoStream:
        video = None
    return MediaInfo(video=video, audio=_probe_audio(path))


def _probe_audio(path: str) -> AudioInfo | None:
    with open_container(path) as container:
        try:
            stream = select_stream(container, "audio", path)
        except NoStream:
            return None
        context = stream.codec_context
        return AudioInfo(
            sample_rate=context.sample_rate,
            channels=context.layout.nb_channels,
            duration_seconds=_duration_seconds(container, stream, path),
            codec=context.codec.canonical_name,
        )


def _duration_seconds(container: Any, stream: Any, path: str) -> float:
    """Return the length of a stream: from the file's header, else from its packets."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    with explained(path, "cannot read the file"):
        spans = [
            (packet.pts, packet.pts + (packet.duration or 0))
            for packet in container.demux(stream)
            if packet.pts is not None and not packet.is_discard
        ]
    if not spans:
        raise DecodeError(f"{path}: the sound track is empty.")
    begin, end = min(begin for begin, _ in spans), max(end for _, end in spans)
    return float((end - begin) * stream.time_base)
