"""Joining the shards of one dataset and encoder into one file that copies nothing.

The features and times of an index are HDF5 virtual datasets over the shards, named by relative
paths, so that the index opens in any HDF5 viewer like one file and the results folder can move.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from avzsl.provenance import digest
from avzsl.shards.failures import (
    NAMED_CLIPS,
    check_failures,
    describe_failures,
    failure_rows,
)
from avzsl.shards.files import write_attributes, write_column, write_hdf5
from avzsl.shards.layout import (
    ATTRIBUTES,
    FAILURES,
    FEATURES,
    OFFSETS,
    ROW,
    SHARD,
    SHARDS,
    TIMES,
    VIDEO_ID,
    Column,
    Header,
    rerun_hint,
)
from avzsl.shards.reader import ShardReader
from avzsl.types import Failure


@dataclass(frozen=True, kw_only=True)
class IndexReport:
    """What went into an index."""

    clips: int
    """Clips with features."""
    windows: int
    """Windows of all of them."""
    failures: tuple[Failure, ...]
    """Clips without features, absences included."""
    timings: dict[str, float]
    """Timings of all shards, added up."""


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What the index needs of one shard."""

    path: Path
    header: Header
    video_ids: list[str]
    offsets: NDArray[np.int64]
    failures: tuple[Failure, ...]
    timings: dict[str, float]


def write_index(
    shards: Sequence[Path],
    out: Path,
    *,
    expected_fingerprint: str,
    features_id: str,
    max_failure_rate: float,
    members_ids: Mapping[str, str] | None = None,
) -> IndexReport:
    """Check the shards of one dataset and encoder, and write the index over them.

    Args:
        shards: All shards, in the order in which their rows shall stand.
        out: The index; it appears whole or not at all.
        expected_fingerprint: Of the encoder as it is configured now.
        features_id: Id of all features of the dataset by this encoder; kept in the file.
        max_failure_rate: Share of all clips that may fail, in [0, 1].
        members_ids: Name of a shard's file without its ending -> id of the members it must have;
            None leaves the members unchecked.

    Raises:
        FileNotFoundError: If a shard is not there.
        ValueError: If shards are damaged, of another encoder version, of other members, of
            different datasets, share a clip, hold no features at all, or lack too many clips.
        OSError: If the index cannot be written.
    """
    if not shards:
        raise ValueError(f"{out}: an index needs at least one shard.")
    parts = [_look_at(path) for path in shards]
    _check_versions(parts, expected_fingerprint)
    _check_members(parts, members_ids)
    _check_duplicates(parts)
    failures = tuple(failure for part in parts for failure in part.failures)
    clips = sum(len(part.video_ids) for part in parts)
    _check_content(parts[0].header, failures, clips=clips, max_failure_rate=max_failure_rate)
    timings = Counter[str]()
    for part in parts:
        timings.update(part.timings)
    _write(out, parts, failures, features_id=features_id, timings=timings)
    windows = sum(int(part.offsets[-1]) for part in parts)
    return IndexReport(clips=clips, windows=windows, failures=failures, timings=dict(timings))


def _look_at(path: Path) -> _Part:
    with ShardReader(path) as shard:
        return _Part(
            path=path,
            header=shard.header,
            video_ids=shard.video_ids,
            offsets=shard.offsets,
            failures=shard.failures,
            timings=shard.timings,
        )


def _check_versions(parts: Sequence[_Part], expected_fingerprint: str) -> None:
    header = parts[0].header
    for part in parts:
        for word in ("dataset", "encoder", "modality"):
            ours, first = getattr(part.header, word), getattr(header, word)
            if ours != first:
                raise ValueError(
                    f"Shards of different {word}s cannot share an index: {part.path} is of "
                    f"{ours!r}, {parts[0].path} of {first!r}."
                )
    other = [part for part in parts if part.header.fingerprint != expected_fingerprint]
    if other:
        raise ValueError(
            f"{len(other)} of {len(parts)} shards are of another version of the encoder "
            f"{header.encoder} (expected {expected_fingerprint}): {_names(other)}; "
            f"{rerun_hint(header.modality)}"
        )


def _check_members(parts: Sequence[_Part], members_ids: Mapping[str, str] | None) -> None:
    if members_ids is None:
        return
    other = [p for p in parts if members_ids.get(p.path.stem) != p.header.members_id]
    if other:
        raise ValueError(
            f"{len(other)} of {len(parts)} shards were made of other clips than the manifest "
            f"lists now: {_names(other)}; {rerun_hint(parts[0].header.modality)}"
        )
    absent = sorted(set(members_ids) - {part.path.stem for part in parts})
    if absent:
        raise ValueError(f"The index needs these shards too: {', '.join(absent[:NAMED_CLIPS])}.")


def _names(parts: Sequence[_Part]) -> str:
    rest = len(parts) - NAMED_CLIPS
    names = ", ".join(f"{p.path} ({p.header.fingerprint})" for p in parts[:NAMED_CLIPS])
    return names + (f" and {rest} more" if rest > 0 else "")


def _check_duplicates(parts: Sequence[_Part]) -> None:
    seen: dict[str, Path] = {}
    for part in parts:
        for video_id in [*part.video_ids, *(failure.video_id for failure in part.failures)]:
            if video_id in seen:
                raise ValueError(
                    f"The clip {video_id!r} is in two shards, {seen[video_id]} and {part.path}. "
                    f"Delete both and {rerun_hint(part.header.modality)}"
                )
            seen[video_id] = part.path


def _check_content(
    header: Header, failures: Sequence[Failure], *, clips: int, max_failure_rate: float
) -> None:
    if clips == 0:
        why = describe_failures(failures) or "the shards list no clips"
        raise ValueError(
            f"No clip of dataset {header.dataset} could be encoded by {header.encoder}: {why}."
        )
    check_failures(
        failures,
        clips=clips + len(failures),
        max_failure_rate=max_failure_rate,
        what=f"Dataset {header.dataset}, encoder {header.encoder}",
    )


def _write(
    out: Path,
    parts: Sequence[_Part],
    failures: Sequence[Failure],
    *,
    features_id: str,
    timings: Mapping[str, float],
) -> None:
    first = parts[0].header
    header = replace(
        first,
        members_id=digest([part.header.members_id for part in parts]),
        decoders=tuple(sorted({name for part in parts for name in part.header.decoders})),
    )
    counts = [len(part.video_ids) for part in parts]
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    names = [_relative(part.path, out.parent) for part in parts]
    ids = [part.header.members_id for part in parts]
    table = np.array(list(zip(names, ids, counts, strict=True)), dtype=SHARDS.dtype)

    def fill(file: h5py.File) -> None:
        write_attributes(file, "feature-index", header, timings=timings)
        file.attrs[ATTRIBUTES.features_id] = features_id
        windows = [int(part.offsets[-1]) for part in parts]
        _link(file, FEATURES, names, windows, width=header.dim)
        _link(file, TIMES, names, windows, width=2)
        write_column(file, OFFSETS, np.concatenate([[0], np.cumsum(lengths)]))
        write_column(file, VIDEO_ID, [name for part in parts for name in part.video_ids])
        write_column(file, SHARDS, table)
        write_column(file, SHARD, np.repeat(np.arange(len(parts)), counts))
        write_column(file, ROW, np.concatenate([np.arange(count) for count in counts]))
        write_column(file, FAILURES, failure_rows(failures))

    write_hdf5(out, fill)


def _relative(path: Path, folder: Path) -> str:
    # Lexical, not resolved: the folder of results may be reached through a link.
    return Path(os.path.relpath(path, folder)).as_posix()


def _link(
    file: h5py.File, column: Column, names: Sequence[str], windows: Sequence[int], *, width: int
) -> None:
    """Write a virtual dataset; where a shard is lost, a plain reader sees NaN and not zeros."""
    layout = h5py.VirtualLayout((sum(windows), width), column.dtype)
    start = 0
    for name, count in zip(names, windows, strict=True):
        if count:
            source = h5py.VirtualSource(name, column.name, (count, width), column.dtype)
            layout[start : start + count] = source
        start += count
    file.create_virtual_dataset(column.name, layout, fillvalue=np.nan)
