"""Sound at its native rate: all channels, exactly the asked-for stretch.

Nothing is resampled or mixed here; that belongs to the encoders, as tensor operations. No codec of
sound is decoded on a GPU, so PyAV does it on the CPU whatever decodes the pictures.

Decoding always starts at the file's begin, which takes 1 to 2 ms for a second of sound. Starting
later is not exact: AAC fills bands with noise from a generator whose state depends on all that was
decoded before (ISO/IEC 14496-3, 4.6.13), and samples then differ by up to their full range.

Shapes: C channels, S samples.
"""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from avzsl.decode.container import open_container, select_stream
from avzsl.decode.errors import DecodeError, explained
from avzsl.decode.truncation import missing_bytes
from avzsl.types import Waveform


def read_audio(
    path: str, *, start_seconds: float = 0.0, end_seconds: float | None = None
) -> Waveform:
    """Decode the sound of a clip.

    Args:
        path: A video or a sound file.
        start_seconds: Begin of the clip, counted from the first sample of the stream.
        end_seconds: End of the clip; None means the stream's end.

    Returns:
        The samples from ``round(start * rate)`` up to ``round(end * rate)``, fewer where the
        stream ends before; none where it ends before the start.

    Raises:
        FileNotFoundError: If there is no such file.
        NoStream: If it has no sound.
        DecodeError: If it is damaged, or truncated before the clip's end.
    """
    with open_container(path) as container:
        stream = select_stream(container, "audio", path)
        samples_CS, sample_rate = _Decoding(path, container, stream).run(end_seconds)
        first = round(start_seconds * sample_rate)
        last = None if end_seconds is None else round(end_seconds * sample_rate)
        return Waveform(
            samples=np.ascontiguousarray(samples_CS[:, first:last]),
            sample_rate=sample_rate,
            codec=stream.codec_context.codec.canonical_name,
        )


class _Decoding:
    """One pass over the packets of a stream."""

    def __init__(self, path: str, container: Any, stream: Any) -> None:
        self._path = path
        self._container = container
        self._stream = stream
        self._chunks: list[NDArray[np.float32]] = []
        self._rate = 0
        self._length = 0

    def run(self, end_seconds: float | None) -> tuple[NDArray[np.float32], int]:
        """Return [C, S] samples from the begin to ``end_seconds`` or more, and their rate."""
        packets = 0
        with explained(self._path, "cannot read the file"):
            for packet in self._container.demux(self._stream):
                if packet.size:
                    packets += 1
                    self._decode(packet)
                if end_seconds is not None and self._rate and self._seconds >= end_seconds:
                    break
            else:
                self._decode(None)
                if packets < self._stream.frames or not self._stream.frames:
                    self._check_whole()
                self._drop_padding()
        if not self._chunks:
            raise DecodeError(f"{self._path}: no sound can be decoded.")
        return np.concatenate(self._chunks, axis=1)[:, : self._length], self._rate

    @property
    def _seconds(self) -> float:
        """Length of what was decoded so far."""
        return self._length / self._rate if self._rate else 0.0

    def _decode(self, packet: Any) -> None:
        """Decode a packet, or with None what is left in the decoder."""
        try:
            frames = self._stream.codec_context.decode(packet)
        except av.error.InvalidDataError as error:
            # A stream that was cut out of a longer one may begin in the middle of a frame.
            if not self._chunks and packet is not None:
                return
            self._check_whole()
            raise DecodeError(
                f"{self._path}: the sound is damaged at {self._seconds:.2f} s."
            ) from error
        for frame in frames:
            self._append(frame)

    def _append(self, frame: Any) -> None:
        """Add the samples of a frame."""
        chunk_CS = _as_float(frame, self._path)
        if not self._chunks:
            self._rate = frame.sample_rate
        elif frame.sample_rate != self._rate or len(chunk_CS) != len(self._chunks[0]):
            raise DecodeError(
                f"{self._path}: at {self._seconds:.2f} s the sound changes from "
                f"{len(self._chunks[0])} channels at {self._rate} Hz to {len(chunk_CS)} at "
                f"{frame.sample_rate} Hz; convert the file to one format."
            )
        self._chunks.append(chunk_CS)
        self._length += chunk_CS.shape[1]

    def _check_whole(self) -> None:
        """Raise DecodeError if the file lacks its end."""
        if missing_bytes(self._path):
            raise DecodeError(
                f"{self._path}: the file is truncated: its sound ends at {self._seconds:.2f} s."
            )

    def _drop_padding(self) -> None:
        """Take off what the encoder appended to fill its last frame.

        FFmpeg does so itself since version 9 and leaves up to a frame before that; the result
        must not depend on the version.
        """
        if not self._stream.duration or not self._chunks:
            return
        length = round(self._stream.duration * self._stream.time_base * self._rate)
        if 0 < self._length - length <= 2 * self._chunks[-1].shape[1]:
            self._length = length


_KINDS: dict[str, tuple[type[np.generic], int]] = {
    "u8": (np.uint8, 1 << 7),
    "s16": (np.int16, 1 << 15),
    "s32": (np.int32, 1 << 31),
    "flt": (np.float32, 1),
    "dbl": (np.float64, 1),
}
"""Type of a sample and what 1.0 is stored as, by FFmpeg's name without the "p" of "planar"."""


def _as_float(frame: Any, path: str) -> NDArray[np.float32]:
    """Return the [C, S] samples of a frame in [-1, 1].

    PyAV's own ``to_ndarray`` takes one channel too many from a planar frame of eight and crashes.
    """
    name = frame.format.name.removesuffix("p")
    if name not in _KINDS:
        raise DecodeError(f"{path}: samples of type {frame.format.name} are not supported.")
    kind, full_scale = _KINDS[name]
    channels, count, planes = frame.layout.nb_channels, frame.samples, frame.planes
    if frame.format.is_planar:
        rows = [np.frombuffer(planes[channel], kind, count) for channel in range(channels)]
        samples_CS = np.stack(rows)
    else:
        samples_CS = np.frombuffer(planes[0], kind, count * channels).reshape(count, channels).T
    scaled_CS: NDArray[np.float32] = samples_CS.astype(np.float32) / np.float32(full_scale)
    return scaled_CS - np.float32(1) if kind is np.uint8 else scaled_CS
