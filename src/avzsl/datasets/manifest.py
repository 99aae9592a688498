"""The manifest: one row a clip, known while Snakemake parses; and which shard a clip is in."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avzsl.provenance import bucket_of, digest, write_aside
from avzsl.types import SUBSETS, ClipRef, Subset

COLUMNS = ("video_id", "path", "start_seconds", "end_seconds", "class", "subset", "stamp", "note")
MISSING = "missing"
"""The stamp of a clip whose file is not there."""


@dataclass(frozen=True, kw_only=True)
class ManifestRow:
    """One clip of a dataset."""

    clip: ClipRef
    class_name: str
    """As written in the dataset: any text without tabs and newlines."""
    subset: Subset
    note: str = ""
    """What is worth knowing, such as ``no such file``."""

    @property
    def video_id(self) -> str:
        """The clip's id."""
        return self.clip.video_id

    @property
    def present(self) -> bool:
        """Whether the file was there when the manifest was made."""
        return self.clip.stamp != MISSING


def stamp_file(path: str | os.PathLike[str]) -> str:
    """Return size and modification time of a file, or ``missing``."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a Path for each of 93,752 clips is slow
    except OSError:
        return MISSING
    return f"{status.st_size}-{status.st_mtime_ns}"


def check_rows(rows: Sequence[ManifestRow], dataset: str) -> list[ManifestRow]:
    """Return the rows sorted by id.

    Raises:
        ValueError: If there is no row, an id occurs twice, or a class name cannot be stored.
    """
    if not rows:
        raise ValueError(f"datasets.{dataset}: there is no clip in it.")
    twice = [name for name, count in Counter(row.video_id for row in rows).items() if count > 1]
    if twice:
        raise ValueError(
            f"datasets.{dataset}: every clip needs an id of its own, but {twice[0]!r} occurs more "
            f"than once ({len(twice)} such ids). Give the clips ids in a column 'id'."
        )
    for name in class_names(rows):
        if not name.strip() or any(c in name for c in "\t\r\n"):
            raise ValueError(
                f"datasets.{dataset}: there is a class {name!r}; a class name needs text without "
                "tabs or newlines."
            )
    return sorted(rows, key=lambda row: row.clip.video_id)


def class_names(rows: Sequence[ManifestRow]) -> list[str]:
    """Return all class names, sorted."""
    return sorted({row.class_name for row in rows})


def members(rows: Sequence[ManifestRow], buckets: int) -> dict[str, list[ManifestRow]]:
    """Return the rows of each shard; the keys are ``0000`` to the number of buckets less one."""
    shards: dict[str, list[ManifestRow]] = {f"{i:04d}": [] for i in range(buckets)}
    for row in rows:
        shards[f"{bucket_of(row.video_id, buckets):04d}"].append(row)
    return shards


def members_id(rows: Sequence[ManifestRow]) -> str:
    """Return an id of what a shard is made from: ids, paths, segments and state of the files.

    Class and subset are left out: another split needs no new features.
    """
    return digest(
        [
            [c.video_id, c.path, c.start_seconds, c.end_seconds, c.stamp]
            for c in (row.clip for row in rows)
        ]
    )


def split_id(rows: Sequence[ManifestRow]) -> str:
    """Return an id of which clip has which class and subset."""
    return digest([[row.video_id, row.class_name, row.subset] for row in rows])


def manifest_id(rows: Sequence[ManifestRow]) -> str:
    """Return the id of a whole manifest."""
    return digest("manifest", members_id(rows), split_id(rows))


def write_manifest(path: str | os.PathLike[str], rows: Sequence[ManifestRow]) -> None:
    """Write the rows as tab-separated values, one a clip."""
    with write_aside(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            clip = row.clip
            times = (
                "" if t is None else repr(float(t)) for t in (clip.start_seconds, clip.end_seconds)
            )
            writer.writerow(
                [clip.video_id, clip.path, *times, row.class_name, row.subset, clip.stamp, row.note]
            )


def read_manifest(path: str | os.PathLike[str]) -> list[ManifestRow]:
    """Read what ``write_manifest`` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a manifest.
    """
    with Path(path).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, delimiter="\t")
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(
                f"{path} is not a manifest: expected the columns {', '.join(COLUMNS)}, "
                f"got {reader.fieldnames}."
            )
        return [_parse(row) for row in reader]


def _parse(row: dict[str, str]) -> ManifestRow:
    subset = row["subset"]
    if subset not in SUBSETS:
        raise ValueError(f"Unknown subset {subset!r}; expected one of {', '.join(SUBSETS)}.")
    clip = ClipRef(
        video_id=row["video_id"],
        path=row["path"],
        start_seconds=float(row["start_seconds"]) if row["start_seconds"] else None,
        end_seconds=float(row["end_seconds"]) if row["end_seconds"] else None,
        stamp=row["stamp"],
    )
    return ManifestRow(clip=clip, class_name=row["class"], subset=subset, note=row["note"])


def count_subsets(rows: Sequence[ManifestRow]) -> str:
    """Return clips and classes of every subset as lines for a log."""
    lines = []
    for subset in SUBSETS:
        own = [row for row in rows if row.subset == subset]
        missing = sum(not row.present for row in own)
        lines.append(
            f"{subset:<12} {len({row.class_name for row in own}):>5} classes {len(own):>7} clips"
            + (f" ({missing} missing on disk)" if missing else "")
        )
    return "\n".join(lines)
