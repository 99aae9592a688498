"""``kind: benchmark``: VGGSound-, UCF- and ActivityNet-GZSL by their published split files.

The split files are those of Mercea et al. (AVCA, CVPR 2022): get them with ``avzsl fetch splits``,
or name a folder in the same layout. They are read by column name, since the order of columns
differs from dataset to dataset, and filtered by the lists of classes: ``cls`` has the rows of
``main``, but lists fewer unseen test classes (those that VGGish may have heard in its training are
left out).
"""

from __future__ import annotations

import csv
import functools
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from avzsl.datasets.kinds.base import DatasetKind, DatasetOptions, clip_ref, dataset_kinds
from avzsl.datasets.manifest import MISSING, ManifestRow, check_rows
from avzsl.options import options
from avzsl.provenance import bucket_of
from avzsl.types import ClipRef, Subset

TABLE_FILE = Path(__file__).parents[1] / "benchmarks.toml"
STEMS: dict[str, Subset] = {
    "stage_1_train": "train",
    "stage_1_val_seen": "val_seen",
    "stage_1_val_unseen": "val_unseen",
    "stage_2_test_seen": "test_seen",
    "stage_2_test_unseen": "test_unseen",
}
"""File -> subset. ``stage_2_train`` is the union of the first three."""

Name = Literal["vggsound", "ucf", "activitynet"]


@options
class BenchmarkParity:
    """Published behaviour that is not right, by name."""

    text_alignment: Literal["correct", "legacy"] = "correct"
    """``legacy`` gives a class the text at its place among the *sorted readable* names, as the
    loaders of AVCA, TCaF and Hyper do: wrong for 79 of 101 classes of UCF, 205 of 309 of VGGSound
    and 8 of 200 of ActivityNet. Published numbers have it."""


@options
class BenchmarkOptions(DatasetOptions):
    """A published benchmark."""

    benchmark: Name
    """Which one."""
    videos: str | None
    """Folder of the videos. null: there are none, and all features are published ones
    (``published-audio``, ``published-visual``)."""
    splits: str = "resources/splits"
    """Folder that holds ``avgzsl_benchmark_datasets``, filled by ``avzsl fetch splits``."""
    split: Literal["main", "cls"] = "main"
    """``main`` has all classes that the papers state (for features without supervision); ``cls``,
    on which VGGish and C3D features are scored, has 6 of UCF's 9 unseen classes, 48 of
    ActivityNet's 50 and 64 of VGGSound's 69."""
    pattern: str | None = None
    """Where a clip lies below ``videos``: text with ``{id}``, ``{class}``, ``{youtube_id}`` and,
    for VGGSound, ``{start}`` (also ``{start:06d}``). null means ``{id}.mp4``, for UCF
    ``{class}/{id}.avi``. Where it names neither ``{id}`` nor ``{start}``, files are whole videos
    and segments are cut."""
    annotations: str | None = None
    """ActivityNet only: the official annotation file (JSON), needed to cut segments out of whole
    videos; the split files hold no times."""
    names: Literal["readable", "original"] = "readable"
    """What text encoders read: ``readable`` as published beside the word vectors (``Apply Eye
    Makeup``), or ``original`` (``ApplyEyeMakeup``)."""
    hyperparameters: Literal["default", "published"] = "default"
    """``published``: each method begins with those published for this benchmark and split, where
    there are any, instead of its defaults."""
    parity: BenchmarkParity = BenchmarkParity()
    """Published behaviour that is not right, by name."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkLayout:
    """Where a benchmark's files keep what."""

    folder: str
    names: str
    pattern: str
    columns: dict[str, str]
    source: str
    source_word: str
    clip_seconds: float | None = None


@functools.cache
def layouts() -> dict[str, BenchmarkLayout]:
    """Return the layout of each benchmark."""
    table = tomllib.loads(TABLE_FILE.read_text(encoding="utf-8"))
    return {name: BenchmarkLayout(**entry) for name, entry in table.items()}


@dataclass(frozen=True, slots=True)
class Line:
    """One clip of a split file."""

    id: str
    class_name: str
    subset: Subset
    values: dict[str, str]
    """Placeholder of the pattern -> text."""


@dataset_kinds.register("benchmark")
class BenchmarkDataset(DatasetKind):
    """VGGSound-, UCF- or ActivityNet-GZSL by the published split files."""

    kind = "benchmark"
    Options = BenchmarkOptions

    @property
    def layout(self) -> BenchmarkLayout:
        """Where the files keep what."""
        return layouts()[self.options.benchmark]

    @property
    def archive_name(self) -> str:
        """Folder of this dataset in a published archive of features."""
        return self.layout.folder

    @property
    def has_videos(self) -> bool:
        """Whether there are files to decode; published features need none."""
        return self.options.videos is not None

    @property
    def folder(self) -> Path:
        """Folder of the class lists and split files.

        Raises:
            FileNotFoundError: If it is not there; the message says how to get it.
        """
        splits = self.root / Path(self.options.splits).expanduser()
        folder = splits / "avgzsl_benchmark_datasets" / self.layout.folder / "class-split"
        if not folder.is_dir():
            raise FileNotFoundError(
                f"{self.where}.splits: there is no folder {folder}. Get the split files with: "
                f"avzsl fetch splits {self.options.benchmark}"
            )
        return folder

    def rows(self) -> list[ManifestRow]:
        """Return a row for every clip of the split."""
        rows = self.listed()
        if rows and not any(row.present for row in rows):
            raise ValueError(
                f"{self.where}: none of the {len(rows)} clips is there; the first would be "
                f"{rows[0].clip.path}. Change videos or pattern."
            )
        return rows

    def listed(self) -> list[ManifestRow]:
        """Return a row for every clip of the split, even where none of them is on disk."""
        place = self._placer()
        return check_rows([_row(line, place(line)) for line in self.lines()], self.name)

    @property
    def source_word(self) -> str:
        """What clips are cut from, in a word."""
        return self.layout.source_word

    def source_of(self, row: ManifestRow) -> str:
        """Return the recording of a clip, which its id begins with."""
        return re.sub(self.layout.source, "", row.video_id)

    def shard(self, shard: str, buckets: int) -> list[ManifestRow]:
        """Return the clips of one shard; the files of others are not looked at."""
        place, number = self._placer(), int(shard)
        own = [line for line in self.lines() if bucket_of(line.id, buckets) == number]
        return sorted((_row(line, place(line)) for line in own), key=lambda row: row.video_id)

    def lines(self) -> Iterator[Line]:
        """Yield the clips of the split, subset by subset.

        Raises:
            ValueError: If a file lacks a column or names a class that is not in its list.
        """
        canonical = {name.lower(): name for name in self.readable_names()}
        for stem, subset in STEMS.items():
            yield from self._subset(stem, subset, canonical)

    def _subset(self, stem: str, subset: Subset, canonical: dict[str, str]) -> Iterator[Line]:
        folder = self.folder / f"{self.options.split}_split"
        listed = {
            line.strip().lower()
            for line in (folder / f"{stem}.txt").read_text(encoding="utf-8").splitlines()
            if line.strip()
        }
        with (folder / f"{stem}.csv").open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            head = next(reader, [])
            missing = {"filename", "label", *self.layout.columns.values()} - set(head)
            if missing:
                raise ValueError(
                    f"{folder / stem}.csv has no column {', '.join(sorted(missing))}; it has "
                    f"{', '.join(head)}."
                )
            id_column, label_column = head.index("filename"), head.index("label")
            wanted = [(key, head.index(column)) for key, column in self.layout.columns.items()]
            for row in reader:
                label = row[label_column].lower()
                if label in listed:
                    values = {key: row[column] for key, column in wanted}
                    yield Line(row[id_column], canonical[label], subset, values)

    @functools.cached_property
    def _readable(self) -> dict[str, str]:
        with (self.folder / self.layout.names).open(newline="", encoding="utf-8") as file:
            return {row["original"]: row["manual"] for row in csv.DictReader(file)}

    def readable_names(self) -> dict[str, str]:
        """Return original -> readable name of all classes, those outside the split included."""
        return dict(self._readable)

    def texts(self, names: Sequence[str]) -> list[str]:
        """Return what a text encoder reads for each class."""
        if self.options.names == "original":
            return list(names)
        readable = self._readable
        if self.options.parity.text_alignment == "legacy":
            # Indexed by class id, the place in the sorted original names.
            readable = dict(zip(sorted(readable), sorted(readable.values()), strict=True))
        return [readable[name] for name in names]

    def _placer(self) -> Callable[[Line], ClipRef]:
        """Return what makes a clip of a line: its file, and the segment where files are whole."""
        if self.options.videos is None:
            return lambda line: ClipRef(video_id=line.id, path="")
        pattern = self.options.pattern or self.layout.pattern
        videos = self.options.videos.rstrip("/")
        whole = "{id" not in pattern and "{start" not in pattern
        segments = self._segments() if whole else None
        try:
            pattern.format(**{"id": "x", "class": "x", "youtube_id": "x", "start": 0})
        except (KeyError, ValueError, IndexError) as error:
            raise ValueError(
                f"{self.where}.pattern: {pattern!r} cannot be filled in ({error!r}); it may hold "
                "{id}, {class}, {youtube_id} and {start}."
            ) from None

        def place(line: Line) -> ClipRef:
            values: dict[str, Any] = {"id": line.id, "class": line.class_name, **line.values}
            values.setdefault("youtube_id", re.sub(r"_\d+$", "", line.id))
            if "start" in values:
                values["start"] = int(float(values["start"]))
            path = f"{videos}/{pattern.format(**values)}"
            start, end = segments(line) if segments else (None, None)
            return clip_ref(line.id, path, self.root, start, end)

        return place

    def _segments(self) -> Callable[[Line], tuple[float | None, float | None]]:
        """Return what finds the segment of a clip within its whole video."""
        seconds = self.layout.clip_seconds
        if seconds is not None:
            return lambda line: (float(line.values["start"]), float(line.values["start"]) + seconds)
        if self.options.benchmark != "activitynet":
            raise ValueError(
                f"{self.where}.pattern: {self.options.pattern!r} needs {{id}}: the clips of "
                f"{self.options.benchmark} are files of their own."
            )
        if self.options.annotations is None:
            raise ValueError(
                f"{self.where}: segments of whole videos need 'annotations', ActivityNet's "
                "activity_net.v1-3.min.json; the split files hold no times."
            )
        found = _read_annotations(self.root / Path(self.options.annotations).expanduser())
        return lambda line: _activity(found, line, self.where)


def _row(line: Line, clip: ClipRef) -> ManifestRow:
    note = "no such file" if clip.stamp == MISSING else ""
    return ManifestRow(clip=clip, class_name=line.class_name, subset=line.subset, note=note)


def _read_annotations(path: Path) -> dict[str, Any]:
    try:
        database = json.loads(path.read_text(encoding="utf-8"))["database"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no annotation file of ActivityNet ({error!r}).") from None
    return dict(database)


def _activity(database: dict[str, Any], line: Line, where: str) -> tuple[float, float]:
    """Return the segment of ``<YouTube id>_<number>``: that annotation of the video."""
    youtube_id, _, number = line.id.rpartition("_")
    entries = database.get(youtube_id, {}).get("annotations", [])
    if int(number) >= len(entries):
        raise ValueError(
            f"{where}.annotations: {line.id} needs annotation {number} of {youtube_id}, which has "
            f"{len(entries)}. It must be the file with training and validation annotations."
        )
    entry = entries[int(number)]
    if entry["label"].replace(" ", "").lower() != line.class_name.lower():
        raise ValueError(
            f"{where}.annotations: {line.id} is {line.class_name!r} in the split and "
            f"{entry['label']!r} in the annotations; they are of different versions."
        )
    start, end = entry["segment"]
    return float(start), float(end)
