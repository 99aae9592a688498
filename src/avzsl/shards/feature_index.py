"""Reading features through an index: many clips at once, by id.

V clips asked for, ΣT their windows, D values a feature.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avzsl.shards.failures import NAMED_CLIPS, describe_failures, read_failures
from avzsl.shards.files import open_hdf5, read_header, read_text
from avzsl.shards.layout import (
    ATTRIBUTES,
    FEATURES,
    INDEX_COLUMNS,
    OFFSETS,
    SHARD,
    SHARDS,
    TIMES,
    VIDEO_ID,
    Column,
)
from avzsl.shards.reader import ShardReader, ragged_rows
from avzsl.shards.rows import RowReader
from avzsl.types import Failure, Modality

_MEAN_CLIPS = 4096
"""Clips whose windows are in memory at a time while means are taken."""


@dataclass(frozen=True, kw_only=True)
class Ragged:
    """Features of several clips, one after another; indexing gives one clip's."""

    features: NDArray[np.float32]
    """[ΣT, D]"""
    times: NDArray[np.float64]
    """[ΣT, 2] begin and end of each window, in seconds from the clip's begin."""
    offsets: NDArray[np.int64]
    """[V+1] rows at which the clips begin."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, clip: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return features [T, D] and times [T, 2] of the ``clip``-th clip, as views."""
        if not 0 <= clip < len(self):
            raise IndexError(f"Clip {clip} of {len(self)}.")
        rows = slice(self.offsets[clip], self.offsets[clip + 1])
        return self.features[rows], self.times[rows]

    def __iter__(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float64]]]:
        return (self[clip] for clip in range(len(self)))


class FeatureIndex:
    """All features of one dataset by one encoder. Holds no open file, so it can be pickled.

    Attributes:
        header: What the features are of.
        features_id: Id of all features of the dataset by this encoder.
        video_ids: Ids of all clips with features, in the order of the rows.
    """

    def __init__(self, path: Path, *, expected_features_id: str | None = None) -> None:
        """Read the tables of the index, but no features.

        Args:
            path: The index.
            expected_features_id: The id that the reader counts on; None takes any.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is no index, damaged, or of other features than expected.
        """
        self.path = path
        with open_hdf5(path, "feature-index", INDEX_COLUMNS) as file:
            self.header = read_header(file)
            self.features_id = str(file.attrs[ATTRIBUTES.features_id])
            self.video_ids = tuple(read_text(file, VIDEO_ID))
            self._offsets: NDArray[np.int64] = file[OFFSETS.name][:]
            self._shard_of: NDArray[np.int32] = file[SHARD.name][:]
            self._failures = read_failures(file)
            shards = file[SHARDS.name][:]
            self._shards = [path.parent / name.decode() for name in shards["path"]]
            self._members = [members_id.decode() for members_id in shards["members_id"]]
            self._first_clips = np.concatenate([[0], np.cumsum(shards["clips"])])
        self._position = {video_id: i for i, video_id in enumerate(self.video_ids)}
        if expected_features_id not in (None, self.features_id):
            raise ValueError(
                f"{path} is an index of other features (found {self.features_id}, expected "
                f"{expected_features_id}); run: snakemake --forcerun index"
            )

    @property
    def dim(self) -> int:
        """Length D of one feature."""
        return self.header.dim

    @property
    def modality(self) -> Modality:
        """Audio or visual."""
        return self.header.modality

    def failures(self) -> tuple[Failure, ...]:
        """Return the clips without features, absences included."""
        return self._failures

    def lengths(self, video_ids: Sequence[str]) -> NDArray[np.int64]:
        """Return [V] number of windows of each clip.

        Raises:
            LookupError: If a clip has no features.
        """
        positions = self._positions(video_ids)
        return self._offsets[positions + 1] - self._offsets[positions]

    def read(self, video_ids: Sequence[str]) -> Ragged:
        """Return the features of the clips, in the order asked for.

        Raises:
            LookupError: If a clip has no features; the reasons are named where they are known.
            FileNotFoundError: If a shard is gone.
            ValueError: If a shard is damaged or has changed since the index was written.
        """
        positions = self._positions(video_ids)
        lengths = self._offsets[positions + 1] - self._offsets[positions]
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        features = np.empty((offsets[-1], self.dim), dtype=FEATURES.dtype)
        times = np.empty((offsets[-1], 2), dtype=TIMES.dtype)
        order = np.argsort(positions, kind="stable")
        shard_of = self._shard_of[positions[order]]
        for shard in np.unique(shard_of):
            wanted = order[shard_of == shard]
            rows = ragged_rows(offsets[wanted], lengths[wanted])
            with self._open_shard(int(shard)) as reader:
                clips = positions[wanted] - self._first_clips[shard]
                features[rows], times[rows] = reader.gather(clips)
        return Ragged(features=features, times=times, offsets=offsets)

    def locate(
        self, video_ids: Sequence[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return where the windows of the clips lie, in the order asked for.

        Returns:
            [V] place of each clip's shard in ``shards``; [V] its first row there; [V] its rows.

        Raises:
            LookupError: If a clip has no features.
        """
        positions = self._positions(video_ids)
        shard_of = self._shard_of[positions].astype(np.int64)
        begins = self._offsets[positions]
        lengths = self._offsets[positions + 1] - begins
        return shard_of, begins - self._offsets[self._first_clips[shard_of]], lengths

    def rows_of(self, column: Column) -> RowReader:
        """Return a reader of single rows of all shards, after a look at whether they are right.

        Args:
            column: ``FEATURES`` or ``TIMES``.

        Raises:
            FileNotFoundError: If a shard is gone.
            ValueError: If a shard is damaged or has changed since the index was written.
        """
        for shard in range(len(self._shards)):
            self._open_shard(shard).close()
        return RowReader(self._shards, column, self.dim if column is FEATURES else 2)

    def mean(self, video_ids: Sequence[str]) -> NDArray[np.float32]:
        """Return [V, D] the mean over the windows of each clip, in the order asked for.

        Raises:
            LookupError: If a clip has no features.
            FileNotFoundError: If a shard is gone.
            ValueError: If a shard is damaged or has changed since the index was written.
        """
        order = np.argsort(self._positions(video_ids), kind="stable")
        means = np.empty((len(order), self.dim), dtype=FEATURES.dtype)
        for start in range(0, len(order), _MEAN_CLIPS):
            block = order[start : start + _MEAN_CLIPS]
            ragged = self.read([video_ids[i] for i in block])
            sums = np.add.reduceat(ragged.features, ragged.offsets[:-1], axis=0, dtype=np.float64)
            means[block] = sums / np.diff(ragged.offsets)[:, None]
        return means

    def _positions(self, video_ids: Sequence[str]) -> NDArray[np.int64]:
        unknown = [video_id for video_id in video_ids if video_id not in self._position]
        if unknown:
            asked = set(unknown)
            known = [failure for failure in self._failures if failure.video_id in asked]
            why = describe_failures(known) if known else ", ".join(unknown[:NAMED_CLIPS])
            raise LookupError(
                f"{self.path} has no features of {len(unknown)} of the {len(video_ids)} clips "
                f"asked for: {why}"
            )
        return np.array([self._position[video_id] for video_id in video_ids], dtype=np.int64)

    def _open_shard(self, shard: int) -> ShardReader:
        """Open a shard and make sure that it is the one the index was written over."""
        reader = ShardReader(self._shards[shard], expected_fingerprint=self.header.fingerprint)
        first, last = self._first_clips[shard : shard + 2]
        offsets = self._offsets[first : last + 1] - self._offsets[first]
        same = np.array_equal(reader.offsets, offsets)
        if reader.header.members_id != self._members[shard] or not same:
            reader.close()
            raise ValueError(
                f"{reader.path} has changed since {self.path} was written; "
                f"run: snakemake --forcerun index"
            )
        return reader
