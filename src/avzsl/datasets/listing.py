"""What planning needs to know of a dataset: ids of its clips, shards and split, and its classes.

To list 93,752 files takes seconds, minutes on a slow network disk. The process that plans does it
once and keeps the result; the jobs that it starts, each of which parses the workflow again, read
that: they plan what was planned, whatever happens to the files meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from avzsl.datasets.kinds import DatasetKind
from avzsl.datasets.manifest import (
    ManifestRow,
    class_names,
    manifest_id,
    members,
    members_id,
    split_id,
)
from avzsl.provenance import digest, write_text


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A dataset as it was when it was listed."""

    shards: dict[str, str]
    """Shard -> id of its members, for the shards that have any."""
    clips_id: str
    """Of all clips, whatever they are used for."""
    manifest_id: str
    split_id: str
    """Of which clip has which class and subset."""
    class_names: list[str]
    """Sorted."""
    texts: list[str]
    """What a text encoder reads for each of them."""

    @classmethod
    def of(cls, dataset: DatasetKind, rows: Sequence[ManifestRow]) -> Listing:
        """Sum up the clips of a dataset.

        Args:
            dataset: The dataset.
            rows: Its clips.
        """
        names = class_names(rows)
        shards = members(rows, dataset.options.buckets)
        return cls(
            shards={shard: members_id(own) for shard, own in shards.items() if own},
            clips_id=members_id(rows),
            manifest_id=manifest_id(rows),
            split_id=split_id(rows),
            class_names=names,
            texts=dataset.texts(names),
        )


def snapshot_path(folder: Path, dataset: DatasetKind, options: dict) -> Path:
    """Return the file that keeps a dataset's listing under these options."""
    return folder / f"{dataset.name}-{digest(dataset.kind, options)}.json"


def write_snapshot(path: Path, listing: Listing) -> None:
    """Keep a listing for the jobs."""
    write_text(path, json.dumps(asdict(listing), ensure_ascii=False))


def read_snapshot(path: Path) -> Listing | None:
    """Return the listing that was kept, None if there is none that can be read."""
    try:
        return Listing(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
