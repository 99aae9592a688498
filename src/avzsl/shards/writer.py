"""Writing a feature shard in one step."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from avzsl.shards.failures import failure_rows
from avzsl.shards.files import write_attributes, write_column, write_hdf5
from avzsl.shards.layout import (
    FAILURES,
    FEATURES,
    OFFSETS,
    STAMP,
    TIMES,
    VIDEO_ID,
    Header,
)
from avzsl.types import ClipFeatures, Failure


def write_shard(
    path: Path,
    header: Header,
    clips: Sequence[ClipFeatures],
    failures: Sequence[Failure],
    *,
    timings: Mapping[str, float] | None = None,
) -> None:
    """Write a feature shard; equal content gives equal bytes but for timings and origin.

    Args:
        path: The file; it appears whole or not at all.
        header: What the features are of.
        clips: Features of each clip, in any order; written in the order of their ids.
        failures: Clips without features, in any order.
        timings: Where the time went.

    Raises:
        ValueError: If a clip is there twice, or features are of another length or not finite.
        OSError: If the file cannot be written; a full disk says what is needed.
    """
    clips = sorted(clips, key=lambda clip: clip.video_id)
    failures = sorted(failures, key=lambda failure: failure.video_id)
    _check(path, header, clips, failures)

    def fill(file: h5py.File) -> None:
        lengths = [len(clip.features) for clip in clips]
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        write_attributes(file, "feature-shard", header, timings=timings or {})
        features = file.create_dataset(
            FEATURES.name, (offsets[-1], header.dim), FEATURES.dtype, track_times=False
        )
        for clip, start, end in zip(clips, offsets[:-1], offsets[1:], strict=True):
            features[start:end] = clip.features
        times = np.concatenate([np.empty((0, 2)), *(clip.times for clip in clips)])
        write_column(file, TIMES, times)
        write_column(file, OFFSETS, offsets)
        write_column(file, VIDEO_ID, [clip.video_id for clip in clips])
        write_column(file, STAMP, [clip.stamp for clip in clips])
        write_column(file, FAILURES, failure_rows(failures))

    write_hdf5(path, fill)


def _check(
    path: Path, header: Header, clips: Sequence[ClipFeatures], failures: Sequence[Failure]
) -> None:
    ids = sorted([clip.video_id for clip in clips] + [failure.video_id for failure in failures])
    twice = sorted({a for a, b in itertools.pairwise(ids) if a == b})
    if twice:
        raise ValueError(f"{path}: clips that would be there twice: {', '.join(twice[:10])}.")
    for clip in clips:
        if clip.features.shape[1] != header.dim:
            raise ValueError(
                f"{path}: {clip.video_id}: features of length {clip.features.shape[1]}, but the "
                f"encoder {header.encoder} gives {header.dim}."
            )
        if not np.isfinite(clip.features).all():
            raise ValueError(f"{path}: {clip.video_id}: features hold NaN or infinity.")
