"""``kind: folder``: one folder per class, the clips inside."""

from __future__ import annotations

import os

from avzsl.datasets.kinds.base import (
    DatasetKind,
    DatasetOptions,
    clip_ref,
    dataset_kinds,
    split_rows,
)
from avzsl.datasets.manifest import ManifestRow
from avzsl.datasets.splits import Split
from avzsl.options import options


@options
class FolderOptions(DatasetOptions):
    """A folder of class folders."""

    path: str
    """The folder; each folder in it is a class, each file in those a clip."""
    extensions: tuple[str, ...] = ("mp4", "webm", "mkv", "avi", "mov", "m4v", "mpg", "mpeg", "flv")
    """File name endings, without the dot, that are clips; others are passed over."""
    split: Split = Split()
    """Which classes are unseen, and what the clips are used for."""


@dataset_kinds.register("folder")
class FolderDataset(DatasetKind):
    """The user's own videos; the id of a clip is its path below the folder."""

    kind = "folder"
    Options = FolderOptions

    def rows(self) -> list[ManifestRow]:
        """Return a row for every clip file."""
        folder = self.root / self.options.path
        if not folder.is_dir():
            raise FileNotFoundError(
                f"{self.where}.path: {self.options.path} is no folder; "
                "expected a folder with one folder per class."
            )
        endings = tuple("." + ending.lower().lstrip(".") for ending in self.options.extensions)
        clips = []
        for class_entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if not class_entry.is_dir() or class_entry.name.startswith("."):
                continue
            for entry in sorted(os.scandir(class_entry.path), key=lambda entry: entry.name):
                if entry.name.lower().endswith(endings) and not entry.name.startswith("."):
                    video_id = f"{class_entry.name}/{entry.name}"
                    path = f"{self.options.path}/{video_id}"
                    clips.append((clip_ref(video_id, path, self.root), class_entry.name))
        if not clips:
            raise ValueError(
                f"{self.where}.path: {self.options.path} holds no clip; expected files ending in "
                f"{', '.join(endings)} in one folder per class."
            )
        return split_rows(clips, self.options.split, dataset=self.name, where=f"{self.where}.split")
