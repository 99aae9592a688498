"""``kind: table``: a CSV file that lists the clips."""

from __future__ import annotations

import csv
import functools
from collections import defaultdict
from pathlib import Path

from avzsl.datasets.kinds.base import (
    DatasetKind,
    DatasetOptions,
    clip_ref,
    dataset_kinds,
    split_rows,
)
from avzsl.datasets.manifest import ManifestRow, check_rows
from avzsl.datasets.splits import Split
from avzsl.options import options
from avzsl.registry import did_you_mean
from avzsl.types import SUBSETS, ClipRef

COLUMNS = ("path", "class", "start_seconds", "end_seconds", "id", "subset")
"""Columns that are read; only the first two must be there. Others are passed over."""


@options
class TableOptions(DatasetOptions):
    """A CSV file with a row a clip."""

    path: str
    """The CSV file with the columns ``path``, ``class`` and, as needed, ``start_seconds``,
    ``end_seconds``, ``id`` and ``subset`` (train, val_seen, val_unseen, test_seen, test_unseen)."""
    videos: str | None = None
    """Folder that the paths in the table start from; null means the folder of the table."""
    split: Split = Split()
    """Which classes are unseen, and what the clips are used for; not used if the table has a
    column ``subset``."""


@dataset_kinds.register("table")
class TableDataset(DatasetKind):
    """Clips listed in a table, whole files or segments of them."""

    kind = "table"
    Options = TableOptions

    def rows(self) -> list[ManifestRow]:
        """Return a row for every line of the table."""
        lines = self._read()
        clips = [self._clip(line, number) for number, line in enumerate(lines, start=2)]
        pairs = [(clip, line["class"]) for clip, line in zip(clips, lines, strict=True)]
        if "subset" not in lines[0]:
            return split_rows(
                pairs, self.options.split, dataset=self.name, where=f"{self.where}.split"
            )
        return check_rows(self._as_given(lines, clips), self.name)

    @functools.cached_property
    def _folder(self) -> str:
        """What stands before the paths of the table; text, since a Path for each clip is slow."""
        folder = Path(self.options.path).parent
        if self.options.videos is not None:
            folder = Path(self.options.videos)
        return "" if folder == Path() else f"{folder}/"

    def _path(self, path: str) -> str:
        return path if path.startswith("/") else self._folder + path

    def _read(self) -> list[dict[str, str]]:
        path = self.root / self.options.path
        if not path.is_file():
            raise FileNotFoundError(f"{self.where}.path: there is no file {self.options.path}.")
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            for column in ("path", "class"):
                if column not in (reader.fieldnames or ()):
                    raise ValueError(
                        f"{self.where}: {self.options.path} has no column {column!r}; "
                        f"it has {', '.join(reader.fieldnames or ()) or 'none'}."
                    )
            lines = list(reader)
        if not lines:
            raise ValueError(f"{self.where}: {self.options.path} lists no clip.")
        return lines

    def _clip(self, line: dict[str, str], number: int) -> ClipRef:
        where = f"{self.where}: line {number} of {self.options.path}"
        start = _seconds(line.get("start_seconds"), "start_seconds", where)
        end = _seconds(line.get("end_seconds"), "end_seconds", where)
        video_id = line.get("id") or line["path"]
        if not line.get("id") and (start is not None or end is not None):
            video_id += f"#{start or 0:g}-{'' if end is None else f'{end:g}'}"
        try:
            return clip_ref(video_id, self._path(line["path"]), self.root, start, end)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None

    def _as_given(self, lines: list[dict[str, str]], clips: list[ClipRef]) -> list[ManifestRow]:
        rows = []
        used: dict[str, set[str]] = defaultdict(set)
        for line, clip in zip(lines, clips, strict=True):
            subset = line["subset"]
            if subset not in SUBSETS:
                raise ValueError(
                    f"{self.where}: clip {clip.video_id!r} has the subset {subset!r}. "
                    f"{did_you_mean(subset, SUBSETS)}"
                )
            used[line["class"]].add(subset)
            rows.append(ManifestRow(clip=clip, class_name=line["class"], subset=subset))
        for name, subsets in used.items():
            _check_unseen(name, subsets, self.where)
        return rows


def _check_unseen(name: str, subsets: set[str], where: str) -> None:
    """Refuse a class that is both unseen and seen in the same stage."""
    if "test_unseen" in subsets and len(subsets) > 1:
        other = sorted(subsets - {"test_unseen"})[0]
        raise ValueError(
            f"{where}: the class {name!r} is in both test_unseen and {other}; an unseen class must "
            "have no training clip."
        )
    if "val_unseen" in subsets and subsets & {"train", "val_seen"}:
        other = sorted(subsets & {"train", "val_seen"})[0]
        raise ValueError(
            f"{where}: the class {name!r} is in both val_unseen and {other}; an unseen validation "
            "class must have no clip in training."
        )


def _seconds(text: str | None, column: str, where: str) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{where}: {column} must be a number of seconds, got {text!r}.") from None
