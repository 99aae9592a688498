"""The contract of a dataset kind, and the registry of all kinds."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from avzsl.datasets.manifest import MISSING, ManifestRow, check_rows, members, stamp_file
from avzsl.datasets.splits import Role, Split, assign_subsets, class_roles
from avzsl.options import from_dict, options
from avzsl.registry import Registry
from avzsl.types import ClipRef, Subset

dataset_kinds: Registry[type[DatasetKind]] = Registry(
    "dataset kind", package="avzsl.datasets.kinds", group="avzsl.datasets"
)
"""All kinds by the name that ``config.yaml`` uses as ``kind``."""


def _power_of_two(buckets: int) -> int:
    if buckets & (buckets - 1):
        raise ValueError(f"expected a power of two, got {buckets}")
    return buckets


@options
class DatasetOptions:
    """Options that every kind of dataset has."""

    buckets: Annotated[
        int,
        Field(ge=1, le=4096, json_schema_extra={"enum": [2**n for n in range(13)]}),
        AfterValidator(_power_of_two),
    ] = 16
    """Feature shards, a power of two; one job each. Some 1,000 clips a shard is a good size.
    Changing it moves every clip and extracts everything again."""
    methods: dict[str, dict[str, Any]] = Field(
        default_factory=dict, json_schema_extra={"default": {}}
    )
    """Options of methods that differ for this dataset, laid over those in ``methods``."""
    training: dict[str, Any] = Field(default_factory=dict, json_schema_extra={"default": {}})
    """Keys of ``training`` that differ for this dataset, whatever the method, such as ``epochs``;
    what ``methods`` says of one method is laid over."""
    features_of: str | None = None
    """Another dataset of the configuration that has the same clips, or more: its features are used,
    and nothing is extracted twice for another split or other texts."""


class DatasetKind(ABC):
    """Lists the clips of a dataset."""

    kind: ClassVar[str]
    Options: ClassVar[type[DatasetOptions]]

    def __init__(self, name: str, values: dict[str, Any], root: Path) -> None:
        """Check the options.

        Args:
            name: The dataset's name in the configuration.
            values: Its options.
            root: Folder that relative paths start from.
        """
        self.name = name
        self.root = root
        self.options: Any = from_dict(self.Options, values)

    @property
    def where(self) -> str:
        """Place in the configuration, for messages."""
        return f"config.yaml: datasets.{self.name}"

    @property
    def archive_name(self) -> str:
        """Folder of this dataset in a published archive of features."""
        return self.name

    @property
    def has_videos(self) -> bool:
        """Whether there are files to decode; published features need none."""
        return True

    @abstractmethod
    def rows(self) -> list[ManifestRow]:
        """Return all clips, sorted by id; quick, since Snakemake calls it on every parse.

        Raises:
            ValueError: If the dataset cannot be used as configured.
            OSError: If its folder or table cannot be read.
        """

    def listed(self) -> list[ManifestRow]:
        """Return all clips as ``rows`` does; a kind that knows them without files, even then."""
        return self.rows()

    @property
    def source_word(self) -> str:
        """What clips are cut from, in a word."""
        return "file"

    def source_of(self, row: ManifestRow) -> str:
        """Return what a clip is cut from: clips of one source are near copies of each other."""
        return row.clip.path

    def shard(self, shard: str, buckets: int) -> list[ManifestRow]:
        """Return the clips of one shard, as ``rows`` has them.

        A kind whose files are many overrides it, so that a job looks at its own files only.
        """
        return members(self.rows(), buckets)[shard]

    def texts(self, names: Sequence[str]) -> list[str]:
        """Return what a text encoder reads for each class: its name, or something better."""
        return list(names)


def split_rows(
    clips: Sequence[tuple[ClipRef, str]], split: Split, *, dataset: str, where: str
) -> list[ManifestRow]:
    """Return manifest rows for (clip, class) pairs; clips of classes left out are dropped.

    A clip whose file is missing takes part in no draw and is listed with its class's main subset;
    a class that has no file at all is listed under ``train``, where nothing will come of it.
    """
    present: dict[str, list[str]] = defaultdict(list)
    for clip, name in clips:
        if clip.stamp != MISSING:
            present[name].append(clip.video_id)
    if not present:
        raise ValueError(
            f"{where}: none of the {len(clips)} files is there; the first is {clips[0][0].path}."
        )
    roles = class_roles(list(present), split, where)
    subsets = assign_subsets(present, roles, split, where)
    body: dict[Role, Subset] = {
        "seen": "train",
        "val_unseen": "val_unseen",
        "test_unseen": "test_unseen",
    }
    return check_rows(
        [
            ManifestRow(
                clip=clip,
                class_name=name,
                subset=subsets.get(clip.video_id) or body[roles.get(name, "seen")],
                note="no such file" if clip.stamp == MISSING else "",
            )
            for clip, name in clips
            if name in roles or name not in present
        ],
        dataset,
    )


def clip_ref(
    video_id: str,
    path: str,
    root: Path,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
) -> ClipRef:
    """Return the clip with the state of its file; the path stays as written."""
    return ClipRef(
        video_id=video_id,
        path=path,
        start_seconds=start_seconds,
        end_seconds=end_seconds,
        stamp=stamp_file(os.path.join(root, path)),  # noqa: PTH118 - a Path for each is slow
    )
