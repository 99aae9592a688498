"""Decoding with PyAV: FFmpeg on the CPU, from PyAV's own wheel.

Only what the wanted frames need is decoded. The rest is read but never given to the decoder, or
passed over by it:

    packets   K . . . . . K . . . . . K . . . . .      K keyframes
    wanted            x                   x  x
    decoded   # # - # #               # # - # #        - a frame that no other builds upon

No seeking is involved, so the result does not depend on how well a container can seek.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from avzsl.decode.errors import DecodeError, explained
from avzsl.decode.videofile import VideoFile

Way: TypeAlias = Callable[[VideoFile, NDArray[np.int64]], Iterator[tuple[int, Any]]]
"""From the numbers of frames to pairs of (which of them, decoded frame)."""


def read(video: VideoFile, indices_F: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Decode the frames with the given numbers.

    Args:
        video: The opened file.
        indices_F: Ascending, distinct numbers of frames.

    Returns:
        [F, H, W, 3] RGB, upright.

    Raises:
        DecodeError: If one of the frames cannot be decoded.
    """
    info = video.info
    rgb_FHW3 = np.empty((len(indices_F), info.height, info.width, 3), np.uint8)
    convert = _Converter(video)
    missing = set(range(len(indices_F)))
    for decode in _ways(video):
        rows = np.array(sorted(missing))
        for row, frame in decode(video, indices_F[rows]):
            convert(frame, rgb_FHW3[rows[row]])
            missing.discard(int(rows[row]))
        if not missing:
            return rgb_FHW3
    first = info.pts_seconds[indices_F[min(missing)]]
    raise DecodeError(
        f"{video.path}: {len(missing)} of {len(indices_F)} pictures cannot be decoded, "
        f"the first at {first:.3f} s."
    )


def _ways(video: VideoFile) -> list[Way]:
    """Return how to decode, the fastest way first.

    Decoding from the file's begin helps where keyframes are none: with "intra refresh" a picture
    is whole only some frames after the one that is marked.
    """
    return [_decode_needed, _decode_from_begin] if video.table.timed else [_decode_by_count]


def _decode_needed(video: VideoFile, indices_F: NDArray[np.int64]) -> Iterator[tuple[int, Any]]:
    """Yield (row, frame), decoding only the packets that the wanted frames need."""
    table = video.table
    wanted = set(table.packet[indices_F].tolist())
    row_of = {int(pts): row for row, pts in enumerate(table.pts[indices_F])}
    needed_P = _needed(table.start[indices_F], table.packet[indices_F])
    context = video.context
    running = False
    for number, packet in zip(range(len(needed_P)), video.packets(), strict=False):
        frames = []
        with explained(video.path, f"cannot decode picture {number}"):
            if needed_P[number]:
                # Frames that nobody wants and no other frame builds upon are passed over.
                context.skip_frame = "DEFAULT" if number in wanted else "NONREF"
                frames = context.decode(packet)
                running = True
            elif running:
                frames = context.decode(None)
                context.flush_buffers()
                running = False
        yield from ((row_of[f.pts], f) for f in frames if f.pts in row_of)
    with explained(video.path, "cannot decode the last pictures"):
        frames = context.decode(None)
    yield from ((row_of[f.pts], f) for f in frames if f.pts in row_of)


def _decode_from_begin(video: VideoFile, indices_F: NDArray[np.int64]) -> Iterator[tuple[int, Any]]:
    """Yield (row, frame), decoding everything up to the last wanted frame."""
    row_of = {int(pts): row for row, pts in enumerate(video.table.pts[indices_F])}
    last = int(video.table.packet[indices_F].max())
    for frame in video.decode(0, last):
        if frame.pts in row_of:
            yield row_of[frame.pts], frame


def _decode_by_count(video: VideoFile, indices_F: NDArray[np.int64]) -> Iterator[tuple[int, Any]]:
    """Yield (row, frame), decoding from the file's begin and counting."""
    row_of = {int(index): row for row, index in enumerate(indices_F)}
    last = int(indices_F[-1])
    for index, frame in enumerate(video.decode()):
        if index in row_of:
            yield row_of[index], frame
        if index == last:
            return


def _needed(starts_F: NDArray[np.int64], ends_F: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return [P] which packets lie between the start and the end of any frame, both included."""
    depth_P = np.zeros(ends_F.max() + 2, np.int64)
    np.add.at(depth_P, starts_F, 1)
    np.add.at(depth_P, ends_F + 1, -1)
    return depth_P.cumsum()[:-1] > 0


class _Converter:
    """Turn decoded frames into upright RGB, as the ``ffmpeg`` command does.

    PyAV's own conversion places the colour of 10-bit pictures half a pixel off; a filter graph
    gives the very pixels of the command, whatever the format.
    """

    def __init__(self, video: VideoFile) -> None:
        self._quarter_turns = video.info.rotation // 90
        self._path = video.path
        self._time_base = video.table.time_base
        self._graph: Any = None
        self._kind: tuple[int, int, str] | None = None

    def __call__(self, frame: Any, out_HW3: NDArray[np.uint8]) -> None:
        """Write ``frame`` into ``out_HW3``."""
        height, width = out_HW3.shape[:2]
        if self._quarter_turns % 2:
            height, width = width, height
        with explained(self._path, "cannot convert a picture to RGB"):
            kind = (frame.width, frame.height, frame.format.name)
            if kind != self._kind:
                # A stream may change its size midway; all frames get that of the first.
                self._graph, self._kind = self._make_graph(frame, width, height), kind
            self._graph.push(frame)
            plane = self._graph.pull().planes[0]
        rgb_HW3 = np.ndarray((height, width, 3), np.uint8, plane, strides=(plane.line_size, 3, 1))
        out_HW3[...] = np.rot90(rgb_HW3, self._quarter_turns)

    def _make_graph(self, frame: Any, width: int, height: int) -> Any:
        """Return a filter graph that turns frames like ``frame`` into RGB of the given size."""
        graph = av.filter.Graph()
        graph.threads = 1
        source = graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format.name,
            time_base=self._time_base,
        )
        scale = graph.add("scale", f"w={width}:h={height}:flags=bicubic")
        rgb = graph.add("format", "rgb24")
        graph.link_nodes(source, scale, rgb, graph.add("buffersink")).configure()
        return graph
