"""What an extraction did and where its time went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from avzsl.types import Failure

Phase = Literal["decode_wait", "preprocess", "encode", "write"]


@dataclass(kw_only=True)
class Timings:
    """Counters of one run of an extraction; kept in the shard.

    Resumed and reused clips were paid for by an earlier run and are not in them.
    """

    wall_seconds: float = 0.0
    """All of it; in the shard itself, all up to the writing of the shard."""
    decode_wait_seconds: float = 0.0
    """Time in which the encoder had nothing to do because no clip was decoded."""
    preprocess_seconds: float = 0.0
    encode_seconds: float = 0.0
    """On a GPU the waiting for its results is in here."""
    write_seconds: float = 0.0
    clips: int = 0
    """Clips decoded, those that failed included."""
    windows: int = 0
    media_seconds: float = 0.0
    """Length of the decoded clips."""

    @contextmanager
    def measure(self, phase: Phase) -> Iterator[None]:
        """Add the time that a ``with`` block takes to a phase."""
        started = time.perf_counter()
        try:
            yield
        finally:
            name = f"{phase}_seconds"
            setattr(self, name, getattr(self, name) + time.perf_counter() - started)

    def as_dict(self) -> dict[str, float]:
        """Return the counters by name, seconds to the millisecond."""
        return {name: round(value, 3) for name, value in vars(self).items()}


@dataclass(frozen=True, kw_only=True)
class ExtractionReport:
    """What became of the clips of one shard."""

    encoded: int
    """Clips encoded in this run."""
    resumed: int
    """Clips taken over from the finished chunks of a run that was stopped."""
    reused: int
    """Unchanged clips taken over from the shard's earlier version."""
    failures: tuple[Failure, ...]
    """Clips without features, absences included."""
    timings: Timings

    def __str__(self) -> str:
        t = self.timings
        wall = max(t.wall_seconds, 1e-9)
        absent = sum(failure.is_absence for failure in self.failures)
        return (
            f"{self.encoded} clips encoded, {self.resumed} resumed, {self.reused} reused, "
            f"{absent} absent, {len(self.failures) - absent} failed; {t.windows} windows in "
            f"{t.wall_seconds:.1f} s ({t.clips / wall:.1f} clips/s, "
            f"{t.media_seconds / wall:.1f} x real time): waited {t.decode_wait_seconds:.1f} s for "
            f"decoding, preprocessing {t.preprocess_seconds:.1f} s, encoding "
            f"{t.encode_seconds:.1f} s, writing {t.write_seconds:.1f} s"
        )
