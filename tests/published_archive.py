"""A small benchmark without videos: published split files and an archive of features."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from avzsl.datasets.archive_import import convert_archive, import_shard
from avzsl.datasets.kinds.benchmark import BenchmarkDataset
from avzsl.encoders import encoders
from avzsl.encoders.published import Published
from avzsl.types import ClipRef, Failure

STAGES = {
    "stage_1_train": ("Archery", "HandStandPushups", "Typing"),
    "stage_1_val_seen": ("Archery", "HandStandPushups", "Typing"),
    "stage_1_val_unseen": ("Bowling", "Diving"),
    "stage_2_test_seen": ("Archery", "HandStandPushups", "Typing"),
    "stage_2_test_unseen": ("Fencing", "Surfing"),
}
"""Stage -> its classes; one is spelled with another capital in the list of all classes."""
ALL = ("Archery", "Bowling", "Diving", "Fencing", "HandstandPushups", "Surfing", "Typing")
CLIPS = 6
"""Of a class in a stage."""
DIMS = {"audio": 8, "video": 12}


def ids_of(stage: str, name: str) -> list[str]:
    """Return the ids of a class in a stage."""
    group = list(STAGES).index(stage) + 1
    return [f"v_{name}_g{group:02d}_c{clip:02d}" for clip in range(1, CLIPS + 1)]


def write_splits(folder: Path) -> None:
    """Write the class lists and split files of UCF's layout below ``folder``."""
    root = folder / "avgzsl_benchmark_datasets" / "UCF" / "class-split"
    split = root / "main_split"
    split.mkdir(parents=True)
    (root / "all_class.txt").write_text("\n".join(ALL) + "\n")
    names = ["original,manual", *(f"{name},{name.lower()}" for name in ALL)]
    (root / "ucf_w2v_class_names.csv").write_text("\n".join(names) + "\n")
    for stage, classes in STAGES.items():
        (split / f"{stage}.txt").write_text("\n".join(classes) + "\n")
        lines = [f"{i},{name},0" for name in classes for i in ids_of(stage, name)]
        (split / f"{stage}.csv").write_text("\n".join(["filename,label,label_code", *lines]) + "\n")


def windows(video_id: str, modality: str) -> np.ndarray:
    """Return made-up features [T, D] of a clip, 1 to 4 windows that tell the class."""
    name = video_id.split("_")[1].lower()
    seed = [*f"{video_id} {modality}".encode()]
    rng = np.random.default_rng(seed)
    centre = np.random.default_rng([*name.encode()]).standard_normal(DIMS[modality])
    return (centre + 0.1 * rng.standard_normal((rng.integers(1, 5), DIMS[modality]))).astype("<f4")


def write_archive(root: Path, layout: str, **changes: Any) -> Path:
    """Write the archive of UCF as the authors' scripts do; return the folder of the feature set.

    Args:
        root: Folder of the archive.
        layout: ``avca`` or ``tcaf``.
        **changes: ``without``: ids that are left out; ``features``: name of the feature set.
    """
    folder = root / "UCF" / "features" / changes.get("features", "cls_features")
    for modality in DIMS:
        for stage, classes in STAGES.items():
            (folder / modality / stage).mkdir(parents=True, exist_ok=True)
            for name in classes:
                ids = [i for i in ids_of(stage, name) if i not in changes.get("without", ())]
                own = [windows(i, modality) for i in ids]
                path = folder / modality / stage / name
                if layout == "avca":
                    with h5py.File(f"{path}.h5", "w") as file:
                        file["data"] = np.stack([w.mean(0, dtype=float) for w in own])
                        file["video_urls"] = np.array([i.encode() for i in ids])
                else:
                    content = {
                        "features": own,
                        "video_names": [i.encode() for i in ids],
                        "fps": [25] * len(ids),
                    }
                    Path(f"{path}.pkl").write_bytes(pickle.dumps(content))
    return folder


def published(
    folder: Path, layout: str = "avca", kind: str = "visual", **changes: Any
) -> Published:
    encoder = encoders.get(f"published-{kind}").from_dict(
        {"folder": str(folder), "layout": layout} | changes
    )
    assert isinstance(encoder, Published)
    return encoder


def clips(tmp_path: Path) -> list[ClipRef]:
    """Return the clips of the small benchmark, which has no videos."""
    if not (tmp_path / "splits").is_dir():
        write_splits(tmp_path / "splits")
    options = {"benchmark": "ucf", "videos": None, "splits": str(tmp_path / "splits")}
    return [row.clip for row in BenchmarkDataset("ucf", options, tmp_path).rows()]


def bring_in(
    tmp_path: Path, encoder: Published, wanted: list[ClipRef]
) -> tuple[Path, list[Failure]]:
    """Convert the archive and write one shard; return it."""
    fingerprint = encoder.fingerprint_of("UCF")
    convert_archive(
        encoder,
        encoder.archive("UCF"),
        tmp_path / "converted.h5",
        dataset="ucf",
        fingerprint=fingerprint,
    )
    failures = import_shard(
        wanted,
        encoder,
        tmp_path / "converted.h5",
        tmp_path / "0000.h5",
        dataset="ucf",
        encoder_name="c3d-published",
        members_id="m",
        fingerprint=fingerprint,
    )
    return tmp_path / "0000.h5", failures
