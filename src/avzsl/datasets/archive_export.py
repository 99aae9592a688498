"""From our features to the layouts of AVCA and TCaF, so that released code runs on them.

What is written is the tree of ``avzsl.encoders.published`` below ``features/<name>``: a file for
each modality, stage and class. The released loaders want both modalities row by row alike, and read
``stage_1_train``, ``stage_1_val_*`` and ``stage_2_test_*``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from avzsl.datasets.archives import write_class_file
from avzsl.datasets.kinds.benchmark import STEMS
from avzsl.datasets.manifest import ManifestRow
from avzsl.datasets.stored_rows import StoredRows
from avzsl.encoders.published import FOLDERS, SUFFIX, Layout
from avzsl.shards.feature_index import FeatureIndex

ClassFiles = dict[tuple[str, str], list[str]]
"""Stage and class -> ids of its clips."""
_STAGE = {subset: stage for stage, subset in STEMS.items()}


def export_features(
    rows: Sequence[ManifestRow],
    indices: Sequence[FeatureIndex],
    out: Path,
    layout: Layout,
) -> tuple[int, int]:
    """Write the features of all clips that have all modalities, a class at a time.

    Args:
        rows: The manifest.
        indices: Of the audio and of the visual features.
        out: Folder of the feature set, ``<Dataset>/features/<name>``.
        layout: ``avca`` takes the mean over the windows of a clip, ``tcaf`` keeps them.

    Returns:
        The number of clips written, and of those left out.

    Raises:
        FileExistsError: If there are class files already: mixed ones would be read as one archive.
        ValueError: If no clip has all modalities, or a class cannot be the name of a file.
        OSError: If a file cannot be written.
    """
    old = next(out.glob(f"*/*/*{SUFFIX[layout]}"), None)
    if old is not None:
        raise FileExistsError(f"There is an archive in {out} already ({old}). Name another folder.")
    known = set.intersection(*(set(index.video_ids) for index in indices))
    files: ClassFiles = defaultdict(list)
    for row in rows:
        if row.video_id in known:
            files[_STAGE[row.subset], row.class_name].append(row.video_id)
    if not files:
        raise ValueError(f"None of the {len(rows)} clips has features of all modalities.")
    for _, name in files:
        if "/" in name or name.startswith("."):
            raise ValueError(f"The class {name!r} cannot be the name of a file; rename it.")
    _write_files(files, indices, out, layout)
    written = sum(map(len, files.values()))
    return written, len(rows) - written


def _write_files(
    files: ClassFiles, indices: Sequence[FeatureIndex], out: Path, layout: Layout
) -> None:
    """Write the class files in one order for all modalities.

    The released loaders compare them file by file as they are listed, which on some file systems is
    the order in which they were made.
    """
    order = sorted(files)
    every = [video_id for key in order for video_id in files[key]]
    stored = [StoredRows(index, every) for index in indices]
    ends = [np.cumsum([0, *index.lengths(every)]) for index in indices]
    first = 0
    for stage, name in order:
        video_ids = files[stage, name]
        for index, rows_ND, end in zip(indices, stored, ends, strict=True):
            begins = end[first : first + len(video_ids) + 1]
            own = rows_ND[torch.arange(begins[0], begins[-1])].numpy()
            features = np.split(own, begins[1:-1] - begins[0])
            path = out / FOLDERS[index.modality] / stage / f"{name}{SUFFIX[layout]}"
            write_class_file(path, layout, list(zip(video_ids, features, strict=True)))
        first += len(video_ids)
