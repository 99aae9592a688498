"""Simulated clips as an archive in the layout in which features are published, at any size."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from avzsl.datasets.archives import write_class_file
from avzsl.datasets.kinds.benchmark import STEMS
from avzsl.datasets.simulate import SimulatedClips
from avzsl.encoders.published import FOLDERS, SUFFIX, Layout


def write_archive(out: Path, clips: Iterable[SimulatedClips], layout: Layout) -> int:
    """Write simulated clips and return how many there were.

    Only the clips of one class file are in memory at a time.

    Args:
        out: Folder of the feature set, ``<Dataset>/features/<name>``.
        clips: From ``simulated_clips``.
        layout: ``avca`` takes the mean over the windows of a clip, ``tcaf`` keeps them.

    Raises:
        OSError: If a file cannot be written.
    """
    stages = {subset: stem for stem, subset in STEMS.items()}
    count = 0
    for part in clips:
        name = f"{part.class_name}{SUFFIX[layout]}"
        for modality, own in (("audio", part.audio), ("visual", part.visual)):
            path = out / FOLDERS[modality] / stages[part.subset] / name
            write_class_file(path, layout, list(zip(part.video_ids, own, strict=True)))
        count += len(part.video_ids)
    return count
