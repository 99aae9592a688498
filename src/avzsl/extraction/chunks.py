"""The clips of a shard in fixed chunks, so that a stopped job goes on where it was.

What a run encodes are the clips that no earlier version of the shard holds unchanged, in the
order of their ids, 64 at a time; a batch never reaches over the end of a chunk. Each finished
chunk is a *part*, a closed file in the format of a shard beside the output::

    .017.parts/3f0c.../0000-91d2....h5     <- chunks of 017.h5 that are done
    017.h5                                 <- the output, which appears last
    .reuse/017.h5                          <- hard link to the last finished 017.h5

The same clips to encode, hence the same chunks, hence the same batches, give the same bits: the
side copy that decides what is to encode is replaced only after the shard is finished, so a job
that was killed and started again computes what an undisturbed one would have. The folder between
is an id of the encoder, the decoder, the kind of device and the batch size, and parts of others
do not count. Where clips were added, removed or changed in the meantime, the unchanged rows of all
parts are kept; batches are then others than they would have been, which changes features by
rounding errors only. Clips that failed are tried again whenever a job starts; if they fail again,
the others keep their features.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avzsl.provenance import digest
from avzsl.shards.reader import ShardReader
from avzsl.types import ClipFeatures, ClipRef

_log = logging.getLogger(__name__)

CHUNK_CLIPS = 64
"""Clips whose work a killed job may lose."""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Clips that are encoded together, and what is known of them already."""

    path: Path
    """The part file."""
    members_id: str
    """Digest of the clips."""
    finished: tuple[ClipFeatures, ...]
    """Features from the parts that a stopped run left."""
    todo: tuple[ClipRef, ...]
    """Clips to encode: all, or those that failed in the stopped run or are new since."""


def row_stamp(clip: ClipRef) -> str:
    """Return what tells that a clip changed: the stamp of its file, and its segment if any."""
    if clip.start_seconds is None and clip.end_seconds is None:
        return clip.stamp
    return f"{clip.stamp} {clip.start_seconds}..{clip.end_seconds}"


def parts_folder(out: Path) -> Path:
    """Return the folder of the part files of a shard."""
    return out.with_name(f".{out.stem}.parts")


def plan_chunks(clips: Sequence[ClipRef], folder: Path, fingerprint: str) -> list[Chunk]:
    """Divide the clips to encode into chunks, and look which a stopped run has finished.

    Args:
        clips: The clips to encode, in the order of their ids.
        folder: Where the part files of these circumstances lie.
        fingerprint: Of the encoder.
    """
    rows = _rows_of_parts(folder, fingerprint)
    chunks = []
    for start in range(0, len(clips), CHUNK_CLIPS):
        members = clips[start : start + CHUNK_CLIPS]
        stamps = {clip.video_id: row_stamp(clip) for clip in members}
        finished = {
            name: rows[name]
            for name, stamp in stamps.items()
            if name in rows and rows[name].stamp == stamp
        }
        members_id = digest("part", stamps)
        chunks.append(
            Chunk(
                # Part of the name, so that no part is overwritten whose rows are still of use.
                path=folder / f"{start // CHUNK_CLIPS:04d}-{members_id}.h5",
                members_id=members_id,
                finished=tuple(finished.values()),
                todo=tuple(clip for clip in members if clip.video_id not in finished),
            )
        )
    return chunks


def _rows_of_parts(folder: Path, fingerprint: str) -> dict[str, ClipFeatures]:
    rows: dict[str, ClipFeatures] = {}
    for path in sorted(folder.glob("*.h5"), key=lambda path: path.stat().st_mtime_ns):
        try:
            with ShardReader(path, expected_fingerprint=fingerprint) as part:
                rows.update((row.video_id, row) for row in part.read_all())
        except ValueError as error:
            _log.info("%s is not used: %s", path, error)
    return rows


def unchanged_rows(
    clips: Sequence[ClipRef], reuse: Path | None, fingerprint: str
) -> tuple[list[ClipFeatures], tuple[str, ...]]:
    """Return the features that an earlier version of the shard holds of unchanged clips.

    Args:
        clips: The clips of the shard as they are now.
        reuse: The side copy of the earlier version; None or absent where there is none.
        fingerprint: Of the encoder as it is now.

    Returns:
        The features, and the decoders that the earlier version names.
    """
    if reuse is None or not reuse.exists():
        return [], ()
    now = {clip.video_id: row_stamp(clip) for clip in clips}
    try:
        with ShardReader(reuse, expected_fingerprint=fingerprint) as shard:
            rows = [row for row in shard.read_all() if now.get(row.video_id) == row.stamp]
            return rows, shard.header.decoders if rows else ()
    except ValueError as error:
        _log.info("Nothing is reused: %s", error)
        return [], ()


def keep_for_reuse(out: Path, reuse: Path) -> None:
    """Give a finished shard a second name, since Snakemake deletes the first before a new run.

    Raises:
        OSError: If the side copy cannot be written.
    """
    reuse.parent.mkdir(parents=True, exist_ok=True)
    aside = reuse.with_name(f".{reuse.name}.partial")
    aside.unlink(missing_ok=True)
    try:
        os.link(out, aside)
    except OSError as error:
        _log.info("%s: no hard link possible (%s); the shard is copied.", reuse, error)
        shutil.copyfile(out, aside)
    aside.replace(reuse)


def remove_parts(folder: Path) -> None:
    """Remove the part files of a finished shard."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():  # a network file system may hold on to a name for a while
        _log.info("%s is of no use any more and could not be removed.", folder)
