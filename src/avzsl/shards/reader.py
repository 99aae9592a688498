"""Reading a feature shard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from avzsl.registry import did_you_mean
from avzsl.shards.failures import read_failures
from avzsl.shards.files import open_hdf5, read_header, read_text
from avzsl.shards.layout import (
    ATTRIBUTES,
    FEATURES,
    OFFSETS,
    SHARD_COLUMNS,
    STAMP,
    TIMES,
    VIDEO_ID,
    rerun_hint,
)
from avzsl.types import ClipFeatures, Failure

_GAP_WINDOWS = 64
"""Reading this many unwanted windows costs less than another call into HDF5."""


class ShardReader:
    """A feature shard open for reading; a context manager.

    Attributes:
        header: What the features are of.
        video_ids: [V] ids of the clips with features, ascending.
        stamps: [V] the stamp that each clip had when it was encoded.
        offsets: [V+1] int64 rows at which the clips begin.
        failures: Clips without features.
        timings: Where the time went when the shard was made.
    """

    def __init__(self, path: Path, *, expected_fingerprint: str | None = None) -> None:
        """Open and check the file.

        Args:
            path: The shard.
            expected_fingerprint: Of the encoder that the reader counts on; None takes any.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is truncated, no shard, damaged, or of another encoder version.
        """
        self.path = path
        with ExitStack() as stack:
            self._file = stack.enter_context(open_hdf5(path, "feature-shard", SHARD_COLUMNS))
            self.header = read_header(self._file)
            found = self.header.fingerprint
            if expected_fingerprint not in (None, found):
                raise ValueError(
                    f"{path} is of another version of the encoder {self.header.encoder} (found "
                    f"{found}, expected {expected_fingerprint}); "
                    f"{rerun_hint(self.header.modality)}"
                )
            self.video_ids = read_text(self._file, VIDEO_ID)
            self.stamps = read_text(self._file, STAMP)
            self.offsets = self._file[OFFSETS.name][:]
            self.failures: tuple[Failure, ...] = read_failures(self._file)
            self.timings: dict[str, float] = json.loads(self._file.attrs[ATTRIBUTES.timings])
            self._check()
            self._rows = {video_id: row for row, video_id in enumerate(self.video_ids)}
            self._stack = stack.pop_all()

    def _check(self) -> None:
        windows, dim = self._file[FEATURES.name].shape
        fits = (
            len(self.offsets) == len(self.video_ids) + 1 == len(self.stamps) + 1
            and self.offsets[0] == 0
            and self.offsets[-1] == windows
            and bool((np.diff(self.offsets) > 0).all())
            and self._file[TIMES.name].shape == (windows, 2)
            and dim == self.header.dim
        )
        if not fits:
            raise ValueError(
                f"{self.path} is damaged: its columns do not fit together. Delete it and run the "
                f"command that makes it again."
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def read(self, video_id: str) -> ClipFeatures:
        """Return the features of one clip.

        Raises:
            LookupError: If the shard has none; the reason is named where it is known.
        """
        row = self._rows.get(video_id)
        if row is None:
            why = [f"{f.stage}: {f.reason}" for f in self.failures if f.video_id == video_id]
            hint = why[0] if why else did_you_mean(video_id, self.video_ids[:1000])
            raise LookupError(f"{self.path} has no features of {video_id!r}. {hint}")
        start, end = self.offsets[row], self.offsets[row + 1]
        return ClipFeatures(
            video_id=video_id,
            stamp=self.stamps[row],
            features=self._file[FEATURES.name][start:end],
            times=self._file[TIMES.name][start:end],
        )

    def read_all(self) -> list[ClipFeatures]:
        """Return the features of every clip, in the order of ``video_ids``."""
        features = self._file[FEATURES.name][:]
        times = self._file[TIMES.name][:]
        return [
            ClipFeatures(
                video_id=video_id, stamp=stamp, features=features[start:end], times=times[start:end]
            )
            for video_id, stamp, start, end in zip(
                self.video_ids, self.stamps, self.offsets[:-1], self.offsets[1:], strict=True
            )
        ]

    def gather(self, clips: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return the windows of several clips, one clip after another.

        Args:
            clips: Positions in ``video_ids``, ascending; repeated ones are read once.

        Returns:
            Features [ΣT, D] and times [ΣT, 2].
        """
        starts, ends = self.offsets[clips], self.offsets[clips + 1]
        offsets = np.concatenate([[0], np.cumsum(ends - starts)])
        features = np.empty((offsets[-1], self.header.dim), dtype=FEATURES.dtype)
        times = np.empty((offsets[-1], 2), dtype=TIMES.dtype)
        breaks = np.flatnonzero(starts[1:] > ends[:-1] + _GAP_WINDOWS) + 1
        for run in np.split(np.arange(len(clips)), breaks) if len(clips) else ():
            span = slice(starts[run[0]], ends[run[-1]])
            inside = ragged_rows(starts[run] - span.start, ends[run] - starts[run])
            out = slice(offsets[run[0]], offsets[run[-1] + 1])
            features[out] = self._file[FEATURES.name][span][inside]
            times[out] = self._file[TIMES.name][span][inside]
        return features, times


def ragged_rows(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows ``starts[i]`` to ``starts[i] + lengths[i]`` of every i, one after another."""
    ends = np.cumsum(lengths)
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(ends[-1])


def read_shard(
    path: Path, *, expected_fingerprint: str | None = None
) -> tuple[list[ClipFeatures], Sequence[Failure]]:
    """Return everything a shard holds: the features of its clips, and the clips without.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is truncated, no shard, damaged, or of another encoder version.
    """
    with ShardReader(path, expected_fingerprint=expected_fingerprint) as shard:
        return shard.read_all(), shard.failures
