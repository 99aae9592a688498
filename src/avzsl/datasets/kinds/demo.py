"""``kind: demo``: generated clips, to try the whole way without any download."""

from __future__ import annotations

import functools

from avzsl.datasets.demo_plan import DAMAGES, DemoClip, DemoOptions, demo_plan
from avzsl.datasets.kinds.base import DatasetKind, DatasetOptions, dataset_kinds
from avzsl.datasets.manifest import ManifestRow, check_rows
from avzsl.datasets.splits import Role, Split, assign_subsets
from avzsl.options import options
from avzsl.types import ClipRef

ROLES: dict[str, Role] = {
    "train": "seen",
    "val_unseen": "val_unseen",
    "test_unseen": "test_unseen",
}


@options
class DemoDatasetOptions(DemoOptions, DatasetOptions):
    """Generated clips; which classes are unseen is part of their design."""


@dataset_kinds.register("demo")
class DemoDataset(DatasetKind):
    """Generated clips of 24 classes, unseen ones being new combinations of seen parts."""

    kind = "demo"
    Options = DemoDatasetOptions

    @property
    def folder(self) -> str:
        """Folder of the generated files, relative to the working directory."""
        return f"resources/{self.name}"

    @functools.cached_property
    def plan(self) -> list[DemoClip]:
        """All clips, whether they have been generated yet or not."""
        own = {field: getattr(self.options, field) for field in DemoOptions.__dataclass_fields__}
        return demo_plan(DemoOptions(**own))

    def rows(self) -> list[ManifestRow]:
        """Return a row for every clip of the plan; the stamp is the id of its content."""
        clips: dict[str, list[str]] = {}
        for clip in self.plan:
            clips.setdefault(clip.class_name, []).append(clip.video_id)
        roles = {clip.class_name: ROLES[clip.role] for clip in self.plan}
        subsets = assign_subsets(clips, roles, Split(), self.where)
        return check_rows(
            [
                ManifestRow(
                    clip=ClipRef(
                        video_id=clip.video_id,
                        path=f"{self.folder}/{clip.path}",
                        stamp=clip.stamp,
                    ),
                    class_name=clip.class_name,
                    subset=subsets[clip.video_id],
                    note=f"damaged on purpose: {DAMAGES[clip.damage]}" if clip.damage else "",
                )
                for clip in self.plan
            ],
            self.name,
        )
