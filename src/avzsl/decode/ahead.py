"""Decoding ahead of the encoder: clips in, decoded clips out, in the same order.

    with DecodeAhead(clips, task, workers=4, timeout_seconds=60, ahead_bytes=2**30) as ahead:
        for decoded in ahead:
            ...

The order of results is that of the clips, so batches do not depend on how fast which file decodes.
A clip that cannot be decoded, hangs the decoder or crashes it comes out with a ``Failure``; it
takes no other clip with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from avzsl.decode.pump import Decoded, DecodeStatistics, Pump
from avzsl.decode.task import DecodeTask, Payload, Sound
from avzsl.types import ClipRef

__all__ = ["DecodeAhead", "DecodeStatistics", "DecodeTask", "Decoded", "Payload", "Sound"]


class DecodeAhead:
    """Decodes clips in worker processes; use it in a ``with`` statement and iterate once.

    Leaving the ``with`` statement, early or not, ends the workers. They also end when this process
    does, however that happens.

    Args:
        clips: What to decode. A file that is missing costs no worker.
        task: What to decode from each.
        workers: Number of processes, each with one thread.
        timeout_seconds: How long one clip may take. Its worker is killed then.
        ahead_bytes: How much decoded data may wait for the consumer. The clips that the workers
            have in hand come on top where they are larger than the mean clip.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(
        self,
        clips: Sequence[ClipRef],
        task: DecodeTask,
        *,
        workers: int,
        timeout_seconds: float,
        ahead_bytes: int,
    ) -> None:
        if workers < 1:
            raise ValueError(f"Decoding needs at least one worker, got {workers = }.")
        if not timeout_seconds > 0:
            raise ValueError(f"timeout_seconds must be positive, got {timeout_seconds!r}.")
        if ahead_bytes < 0:
            raise ValueError(f"ahead_bytes must not be negative, got {ahead_bytes!r}.")
        self._count = len(clips)
        self._pump = Pump(
            clips,
            task,
            workers=workers,
            timeout_seconds=timeout_seconds,
            ahead_bytes=ahead_bytes,
        )

    @property
    def statistics(self) -> DecodeStatistics:
        """Where the time went so far."""
        return self._pump.statistics

    def __enter__(self) -> DecodeAhead:
        self._pump.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._pump.stop()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Decoded]:
        """Yield the result of every clip, in the order of the clips.

        Raises:
            RuntimeError: If the workers cannot work at all, for a reason that is no clip's.
        """
        for number in range(self._count):
            yield self._pump.take(number)
