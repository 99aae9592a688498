"""From a published archive of features to feature shards: convert once, then look clips up.

An archive has a file for each class and stage, and pickles are read whole; the clips of a shard lie
in all of them. So one job turns the archive, class file by class file, into one HDF5 file in which
a clip is found by its id, and the job of each shard takes its clips from there. Neither holds more
than a class or a shard in memory.

Shapes: V clips, T windows of a clip, ΣT windows of all clips, D values a feature.
"""

from __future__ import annotations

import logging
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from avzsl.datasets.archives import Clip, read_class_file
from avzsl.encoders.published import Archive, Published
from avzsl.extraction.chunks import row_stamp
from avzsl.options import as_dict
from avzsl.provenance import write_aside
from avzsl.shards.failures import failure_rows, read_failures
from avzsl.shards.files import open_hdf5, read_header, read_text, write_attributes, write_column
from avzsl.shards.layout import FAILURES, FEATURES, OFFSETS, VIDEO_ID, Header
from avzsl.shards.writer import write_shard
from avzsl.types import ClipFeatures, ClipRef, Failure

_log = logging.getLogger(__name__)

_CHUNK_BYTES = 65_536
"""Least that is read at a time from a converted archive."""
_COLUMNS = (FEATURES, OFFSETS, VIDEO_ID, FAILURES)
_LOG_SECONDS = 60.0
_REASON_LOST = "the archive has no features of it"
_UCF_ID = re.compile(r"v_\w+_g\d+_c\d+")
"""``v_HandStandPushups_g01_c01`` is ``v_HandstandPushups_g01_c01`` elsewhere."""


@dataclass
class _Columns:
    """The columns that are short enough to be written at the end."""

    video_ids: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=lambda: [0])
    failures: list[Failure] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    repeated: int = 0

    def take(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Note the clips that are new and fit for use, and return their features."""
        taken = []
        for video_id, features in clips:
            if video_id in self.seen:
                self.repeated += 1
                continue
            self.seen.add(video_id)
            if not len(features) or not np.isfinite(features).all():
                reason = "holds NaN or infinity" if len(features) else "holds no window"
                failure = Failure(video_id=video_id, stage="encode", reason=f"the archive {reason}")
                self.failures.append(failure)
                continue
            self.video_ids.append(video_id)
            self.ends.append(self.ends[-1] + len(features))
            taken.append(features)
        return taken


def convert_archive(
    encoder: Published, archive: Archive, out: Path, *, dataset: str, fingerprint: str
) -> int:
    """Write all clips of an archive into one file.

    Args:
        encoder: Says which archive it is.
        archive: Its files.
        out: The file; it appears whole or not at all.
        dataset: Name of the dataset in the configuration.
        fingerprint: Id of the features; kept in the file.

    Returns:
        The number of clips with features.

    Raises:
        ValueError: If a class file is damaged, or files differ in the length of a feature.
        OSError: If a file cannot be read or written, or the disk has no room for it.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out.parent).free
    if free < archive.bytes:
        raise OSError(
            f"{out} needs about {archive.bytes:,} bytes, its file system has {free:,} free."
        )
    columns = _Columns()
    with write_aside(out) as partial, h5py.File(partial, "w") as file:
        dim = _append_all(file, archive, columns)
        header = Header(
            dataset=dataset,
            encoder=encoder.kind,
            encoder_kind=encoder.kind,
            modality=encoder.modality,
            fingerprint=fingerprint,
            options=as_dict(encoder.options),
            members_id=archive.id,
            dim=dim,
        )
        write_attributes(file, "converted-archive", header, timings={})
        write_column(file, OFFSETS, columns.ends)
        write_column(file, VIDEO_ID, columns.video_ids)
        write_column(file, FAILURES, failure_rows(columns.failures))
    if columns.repeated:
        _log.warning(
            "%s: %d clips occur again; the first was taken.", archive.folder, columns.repeated
        )
    return len(columns.video_ids)


def _append_all(file: h5py.File, archive: Archive, columns: _Columns) -> int:
    """Append the features of all class files, one file in memory at a time; return their length."""
    said = time.monotonic()
    for number, class_file in enumerate(archive.files):
        if time.monotonic() - said > _LOG_SECONDS:
            said = time.monotonic()
            _log.info("%d of %d class files", number, len(archive.files))
        clips = read_class_file(class_file.path, archive.layout)
        _append(file, class_file.path, columns.take(clips))
        del clips  # before the next is read
    if FEATURES.name not in file:
        raise ValueError(f"{archive.folder}: no class file holds features of a clip.")
    return int(file[FEATURES.name].shape[1])


def _append(file: h5py.File, path: Path, taken: Sequence[NDArray[np.float32]]) -> None:
    """Append the features of one class file; the first one tells their length."""
    if not taken:
        return
    if FEATURES.name not in file:
        dim = taken[0].shape[1]
        file.create_dataset(
            FEATURES.name,
            (0, dim),
            FEATURES.dtype,
            maxshape=(None, dim),
            chunks=(max(1, _CHUNK_BYTES // (4 * dim)), dim),
            track_times=False,
        )
    dataset = file[FEATURES.name]
    other = {features.shape[1] for features in taken} - {dataset.shape[1]}
    if other:
        raise ValueError(
            f"{path}: features of length {', '.join(map(str, sorted(other)))}; those before have "
            f"{dataset.shape[1]}."
        )
    start = dataset.shape[0]
    dataset.resize(start + sum(map(len, taken)), axis=0)
    dataset[start:] = np.concatenate(taken)


def import_shard(
    clips: Sequence[ClipRef],
    encoder: Published,
    converted: Path,
    out: Path,
    *,
    dataset: str,
    encoder_name: str,
    members_id: str,
    fingerprint: str,
) -> list[Failure]:
    """Take the clips of a shard from a converted archive.

    Args:
        clips: The clips, in any order.
        encoder: Says how long a window is.
        converted: What ``convert_archive`` wrote.
        out: The shard; it appears whole or not at all.
        dataset: Name of the dataset in the configuration.
        encoder_name: Name of the encoder in the configuration.
        members_id: Digest of ``clips``; kept in the shard.
        fingerprint: Id of the features.

    Returns:
        The clips without features; those that the archive lacks are ``missing``.

    Raises:
        FileNotFoundError: If there is no converted archive.
        ValueError: If it is damaged, or of other files or options.
    """
    with open_hdf5(converted, "converted-archive", _COLUMNS) as file:
        header = read_header(file)
        if header.fingerprint != fingerprint:
            raise ValueError(
                f"{converted} was made of other files or options (found {header.fingerprint}, "
                f"expected {fingerprint}). Delete it and run the workflow again."
            )
        rows, failures = _look_up(file, clips, encoder.options.step_seconds)
    own = {"dataset": dataset, "encoder": encoder_name, "members_id": members_id}
    write_shard(out, Header(**{**vars(header), **own}), rows, failures)
    return failures


def _look_up(
    file: h5py.File, clips: Sequence[ClipRef], step_seconds: float
) -> tuple[list[ClipFeatures], list[Failure]]:
    """Return the features of the clips that an open converted archive has, and who lacks them."""
    video_ids = read_text(file, VIDEO_ID)
    offsets = file[OFFSETS.name][:]
    bad = {failure.video_id: failure for failure in read_failures(file)}
    place = {video_id: i for i, video_id in enumerate(video_ids)}
    folded = {_fold(video_id): video_id for video_id in [*video_ids, *bad]}
    rows, failures = [], []
    for clip in clips:
        wanted = clip.video_id
        name = wanted if wanted in place or wanted in bad else folded.get(_fold(wanted), "")
        if name in place:
            start, end = offsets[place[name] : place[name] + 2]
            spans = np.arange(end - start)[:, None] + np.array([0.0, 1.0])
            rows.append(
                ClipFeatures(
                    video_id=wanted,
                    stamp=row_stamp(clip),
                    features=file[FEATURES.name][start:end],
                    times=spans * step_seconds,
                )
            )
        elif name in bad:
            failures.append(replace(bad[name], video_id=wanted))
        else:
            failures.append(Failure(video_id=wanted, stage="missing", reason=_REASON_LOST))
    return rows, failures


def _fold(video_id: str) -> str:
    """Return an id of UCF101 without its capitals, which differ between its sources."""
    return video_id.lower() if _UCF_ID.fullmatch(video_id) else video_id
