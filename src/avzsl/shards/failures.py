"""Clips without features: as rows of a file, as a sentence, and when they are too many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, cast

import h5py
import numpy as np
from numpy.typing import NDArray

from avzsl.shards.layout import FAILURES
from avzsl.types import Failure

NAMED_CLIPS = 10
"""How many clips a message names before it only counts."""


def failure_rows(failures: Sequence[Failure]) -> NDArray[Any]:
    """Return failures as rows of the column."""
    return np.array([(f.video_id, f.stage, f.reason) for f in failures], dtype=FAILURES.dtype)


def read_failures(file: h5py.File) -> tuple[Failure, ...]:
    """Return the failures that an open feature file holds."""
    rows = file[FAILURES.name][:]
    columns = [[text.decode() for text in rows[name]] for name in ("video_id", "stage", "reason")]
    return tuple(
        Failure(video_id=video_id, stage=cast(Any, stage), reason=reason)
        for video_id, stage, reason in zip(*columns, strict=True)
    )


def describe_failures(failures: Sequence[Failure]) -> str:
    """Return one line: clips by stage and reason, the commonest first; at most ten are named."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for failure in failures:
        groups[failure.stage, failure.reason].append(failure.video_id)
    parts, named = [], 0
    for (stage, reason), ids in sorted(groups.items(), key=lambda group: -len(group[1])):
        if named == NAMED_CLIPS:
            break
        shown = ids[: NAMED_CLIPS - named]
        named += len(shown)
        parts.append(f"{len(ids)} x {stage}: {reason.rstrip('.')} ({', '.join(shown)})")
    rest = len(failures) - named
    return "; ".join(parts) + (f"; and {rest} more" if rest else "")


def check_failures(
    failures: Sequence[Failure], *, clips: int, max_failure_rate: float, what: str
) -> None:
    """Refuse a result of which too much is missing.

    Absences (no file, no sound track, no picture) do not count, and one failed clip alone is
    always allowed: the limit is max(1, floor(max_failure_rate * clips)).

    Args:
        failures: All clips without features.
        clips: Number of all clips, with and without features.
        max_failure_rate: Allowed share, in [0, 1].
        what: The thing refused, for the message.

    Raises:
        ValueError: If there are more; the message names up to ten clips and says what to do.
    """
    failed = [failure for failure in failures if not failure.is_absence]
    # The small addend keeps 0.07 * 100 from being floored to 6.
    limit = max(1, int(max_failure_rate * clips + 1e-9))
    if len(failed) > limit:
        raise ValueError(
            f"{what}: {len(failed)} of {clips} clips failed (max_failure_rate {max_failure_rate:g} "
            f"allows {limit}): {describe_failures(failed)}. Repair or remove these files, or raise "
            f"extraction.max_failure_rate in config.yaml, and run the same command again; what "
            f"was computed is kept."
        )
