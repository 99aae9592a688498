"""Where each frame of a video lies, from the headers of its packets alone.

Frames are counted in the order of display, packets in the order of the file, which is that of
decoding. Most containers store with each packet the time at which its frame is shown:

    packet    0    1    2    3    4    5    6    7
    shown at  0    3    1    2    4    7    5    6     ticks
    key       yes                 yes

so frame 1 is in packet 2, and decoding for frame 5 (packet 6) may start at packet 4.

Shapes: F frames, P packets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class PacketHeader:
    """What a packet tells without being decoded; times in ticks, None where unknown."""

    pts: int | None
    """When its frame is shown."""
    dts: int | None
    """When it is to be decoded."""
    duration: int
    """How long its frame is shown; 0 where unknown."""
    key: bool
    """Whether decoding can start here."""
    discard: bool
    """Whether an edit list hides its frame; others may still build upon it."""


@dataclass(frozen=True, kw_only=True)
class FrameTable:
    """The frames of a stream in the order of display."""

    pts: NDArray[np.int64]
    """[F] begin of each frame in ticks, ascending."""
    end: int
    """End of the last frame in ticks."""
    time_base: Fraction
    """Seconds a tick."""
    timed: bool
    """Whether packets tell which frame they hold. If not, frames can only be counted."""
    packet: NDArray[np.int64]
    """[F] packet of each frame; empty unless ``timed``."""
    start: NDArray[np.int64]
    """[F] packet at which decoding for each frame may start; empty unless ``timed``."""
    skipped: int = 0
    """Frames before the first keyframe: nobody can decode them, and they are not in the table."""

    @property
    def seconds(self) -> NDArray[np.float64]:
        """[F] begin of each frame in seconds, the first at 0."""
        return (self.pts - self.pts[0]) * float(self.time_base)

    @property
    def duration_seconds(self) -> float:
        """From the first frame's begin to the last frame's end."""
        return float((self.end - int(self.pts[0])) * self.time_base)


def is_timed(packets: Sequence[PacketHeader]) -> bool:
    """Return whether every frame that is shown has a time of its own."""
    times = [packet.pts for packet in packets if not packet.discard]
    return None not in times and len(set(times)) == len(times)


def timed_table(packets: Sequence[PacketHeader], time_base: Fraction) -> FrameTable:
    """Build the table from the packets' times; at least one packet must show a frame."""
    shown_P = np.array([not packet.discard for packet in packets])
    # A hidden packet may lack a time; nothing asks for it then.
    pts_P = np.array([0 if packet.pts is None else packet.pts for packet in packets], np.int64)
    keys = np.flatnonzero([packet.key for packet in packets])
    if not len(keys):
        keys = np.zeros(1, np.int64)
    orphan_P = (np.arange(len(packets)) < keys[0]) | (pts_P < pts_P[keys[0]])
    packet_F = np.flatnonzero(shown_P & ~orphan_P)
    packet_F = packet_F[np.argsort(pts_P[packet_F], kind="stable")]
    pts_F = pts_P[packet_F]
    key_F = np.searchsorted(keys, packet_F, side="right") - 1
    # Frames that follow a keyframe in the file but are shown before it build upon the one before.
    key_F -= (pts_P[keys[key_F]] > pts_F) & (key_F > 0)
    return FrameTable(
        pts=pts_F,
        end=_end(pts_F, packets[packet_F[-1]].duration),
        time_base=time_base,
        timed=True,
        packet=packet_F,
        start=keys[key_F],
        skipped=int(np.count_nonzero(shown_P & orphan_P)),
    )


def counted_table(
    times: Sequence[int | None], *, time_base: Fraction, rate: Fraction
) -> FrameTable:
    """Build the table of a stream whose frames could only be counted.

    Args:
        times: What the decoder said of each frame, in the order in which frames came out. Frame by
            frame it may be wrong ("packed B-frames" swap their times), all in all it is right.
        time_base: Seconds a tick of ``times``.
        rate: Frames per second that the file claims, for want of times.
    """
    known = {time for time in times if time is not None}
    if len(known) == len(times):
        pts_F = np.array(sorted(known), np.int64)
    else:
        pts_F, time_base = np.arange(len(times)), 1 / rate
    none = np.zeros(0, np.int64)
    return FrameTable(
        pts=pts_F,
        end=_end(pts_F, 0),
        time_base=time_base,
        timed=False,
        packet=none,
        start=none,
    )


def _end(pts_F: NDArray[np.int64], duration: int) -> int:
    """Return the end of the last frame, which lasts as long as the mean one where unknown."""
    mean = round((pts_F[-1] - pts_F[0]) / max(1, len(pts_F) - 1))
    return int(pts_F[-1]) + (duration or max(1, mean))
