"""One opened video: its packets, the time of every frame, and what is known of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from avzsl.decode.container import open_container, select_stream
from avzsl.decode.errors import DecodeError, explained
from avzsl.decode.frametable import (
    FrameTable,
    PacketHeader,
    counted_table,
    is_timed,
    timed_table,
)
from avzsl.decode.truncation import missing_bytes
from avzsl.types import VideoInfo

KEEP_BYTES = 64 << 20
"""Compressed pictures up to this size stay in memory, so that most files are read once."""


class VideoFile:
    """A video opened for reading; use it in a ``with`` statement.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        NoStream: If it holds no pictures.
        DecodeError: If it is damaged.
    """

    table: FrameTable
    """Where each frame lies."""
    info: VideoInfo
    """What is known of the video without decoding it."""
    truncated: bool
    """Whether the file ends before its header says and frames are missing at its end."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._packets: list[Any] | None = []
        self._container = open_container(path)
        try:
            self._stream = select_stream(self._container, "video", path)
            headers = self._read_headers()
            self.table, first = self._read_frames(headers)
            self.info = self._describe(first)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the file and its packets."""
        self._packets = None
        self._container.close()

    @property
    def context(self) -> Any:
        """PyAV's decoder, reset to the state before the first packet."""
        context = self._stream.codec_context
        context.skip_frame = "DEFAULT"
        context.flush_buffers()
        return context

    @property
    def stream_index(self) -> int:
        """Number of the stream within the file."""
        return int(self._stream.index)

    def packets(self) -> Iterator[Any]:
        """Yield the compressed pictures in the order of the file."""
        if self._packets is not None:
            yield from self._packets
            return
        with open_container(self.path) as container, explained(self.path, "cannot read the file"):
            stream = select_stream(container, "video", self.path)
            yield from (packet for packet in container.demux(stream) if packet.size)

    def require(self, end_seconds: float | None) -> None:
        """Make sure that the file's frames reach to ``end_seconds``.

        Args:
            end_seconds: End of the clip; None means the end that the file should have.

        Raises:
            DecodeError: If the file is truncated before.
        """
        have = self.table.duration_seconds
        if self.truncated and (end_seconds is None or end_seconds > have):
            raise DecodeError(f"{self.path}: the file is truncated: pictures end at {have:.2f} s.")

    def _read_headers(self) -> list[PacketHeader]:
        """Read all packets once, keeping them if they are not too many."""
        headers, corrupt, size = [], [], 0
        with explained(self.path, "cannot read the file"):
            for packet in self._container.demux(self._stream):
                # The last one is empty; so are those with which AVI repeats a frame.
                if not packet.size:
                    continue
                size += packet.size
                if size > KEEP_BYTES:
                    self._packets = None
                if self._packets is not None:
                    self._packets.append(packet)
                headers.append(
                    PacketHeader(
                        pts=packet.pts,
                        dts=packet.dts,
                        duration=packet.duration or 0,
                        key=packet.is_keyframe,
                        discard=packet.is_discard,
                    )
                )
                corrupt.append(packet.is_corrupt)
        missing = missing_bytes(self.path)
        if missing and headers and corrupt[-1]:
            headers.pop()  # Cut in two; no frame will be asked from it.
        self.truncated = bool(missing) and not len(headers) >= self._stream.frames > 0
        if all(header.discard for header in headers):
            raise DecodeError(f"{self.path}: the file holds no picture.")
        return headers

    def _read_frames(self, headers: list[PacketHeader]) -> tuple[FrameTable, Any]:
        """Return the table and the first frame, decoding no more than that takes."""
        time_base = self._stream.time_base
        # AVI stores no times of display; FFmpeg's guesses are wrong for "packed B-frames".
        if self._container.format.name != "avi" and is_timed(headers):
            table = timed_table(headers, time_base)
            return table, next(self.decode(int(table.start[0]), int(table.packet[0])), None)
        frames = self.decode()
        first = next(frames, None)
        times = [first and first.pts, *(frame.pts for frame in frames)]
        rate = self._stream.guessed_rate or self._stream.average_rate or Fraction(25)
        return counted_table(times, time_base=time_base, rate=rate), first

    def decode(self, start: int = 0, last: int | None = None) -> Iterator[Any]:
        """Yield what the packets from ``start`` to ``last`` hold, in the order of display."""
        context = self.context
        stop = None if last is None else last + 1
        with explained(self.path, "cannot decode the pictures"):
            for packet in itertools.islice(self.packets(), start, stop):
                yield from context.decode(packet)
            yield from context.decode(None)

    def _describe(self, first: Any) -> VideoInfo:
        """Return what is known of the video, given its first frame."""
        if first is None:
            raise DecodeError(f"{self.path}: no picture can be decoded.")
        rotation = round(first.rotation / 90) * 90 % 360
        width, height = first.width, first.height
        if rotation in (90, 270):
            width, height = height, width
        seconds_F, duration = self.table.seconds, self.table.duration_seconds
        return VideoInfo(
            width=width,
            height=height,
            rotation=rotation,
            fps=len(seconds_F) / duration,
            pts_seconds=seconds_F,
            duration_seconds=duration,
            codec=self._stream.codec_context.codec.canonical_name,
        )
