"""Run the released data loaders of AVCA and TCaF on an archive that ``avzsl export`` wrote.

Made-up features of all clips of a published split are written as shards, exported in a layout, and
read back by the dataset classes of the released code; every clip must come back with its features
and its class.

Repositories: github.com/ExplainableML/AVCA-GZSL (layout avca), commit 2711aeb;
github.com/ExplainableML/TCAF-GZSL (layout tcaf), commit 0ca2059. They need pandas, tqdm, matplotlib
and tensorboard besides the requirements of this package. Run once for each:

    PYTHONPATH=src python tests/golden/check_released_loaders.py --code AVCA-GZSL --layout avca \
        --dataset ucf --splits resources/splits --texts w2v_features
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from avzsl.datasets.archive_export import export_features
from avzsl.datasets.kinds.benchmark import BenchmarkDataset
from avzsl.datasets.manifest import ManifestRow
from avzsl.shards.feature_index import FeatureIndex
from avzsl.shards.index import write_index
from avzsl.shards.layout import Header
from avzsl.shards.writer import write_shard
from avzsl.types import ClipFeatures

LOADERS = {
    "ucf": ("UCFDataset", "ucf"),
    "activitynet": ("ActivityNetDataset", "activity"),
    "vggsound": ("VGGSoundDataset", "vggsound"),
}
"""Dataset -> class of the released code, and the word in the name of its class vectors."""
ROOTS = {"avca": "avgzsl_benchmark_datasets", "tcaf": "avgzsl_benchmark_non_averaged_datasets"}
"""Folder that the loaders of each repository keep their caches in."""
DIMS = {"audio": 3, "visual": 5}
NAME = "made-up"


def made_up(video_id: str, dim: int) -> np.ndarray:
    """Return features [T, dim] of 1 to 4 windows that only this clip has."""
    rng = np.random.default_rng([*video_id.encode(), dim])
    return rng.random((rng.integers(1, 5), dim), np.float32)


def write_features(rows: list[ManifestRow], folder: Path, modality: str) -> FeatureIndex:
    """Write one shard with all clips, and its index."""
    header = Header(
        dataset=NAME,
        encoder=NAME,
        encoder_kind=NAME,
        modality=modality,
        fingerprint=NAME,
        options={},
        members_id=NAME,
        dim=DIMS[modality],
    )
    clips = []
    for row in rows:
        features = made_up(row.video_id, DIMS[modality])
        times = np.arange(len(features))[:, None] + np.array([0.0, 1.0])
        clips.append(ClipFeatures(video_id=row.video_id, stamp="", features=features, times=times))
    write_shard(folder / f"{modality}.h5", header, clips, [])
    index = folder / f"{modality}-index.h5"
    write_index(
        [folder / f"{modality}.h5"],
        index,
        expected_fingerprint=NAME,
        features_id=NAME,
        max_failure_rate=0,
    )
    return FeatureIndex(index)


def compare(loader: object, rows: list[ManifestRow], layout: str) -> int:
    """Check every clip of one loaded subset; return their number."""
    wanted = {row.video_id: row.class_name.lower() for row in rows}
    names = {index: name.lower() for name, index in loader.class_to_idx.items()}
    data = loader.data
    for modality, folder in (("audio", "audio"), ("visual", "video")):
        held = data[folder]
        urls = [str(url) for url in held["url"]]
        ids = [url[2:-1] if layout == "tcaf" else url for url in urls]
        assert sorted(ids) == sorted(wanted), "other clips than the split lists"
        for video_id, features, target in zip(ids, held["data"], held["target"], strict=True):
            own = made_up(video_id, DIMS[modality])
            if layout == "avca":
                own = own.mean(0, dtype=np.float64).astype(np.float32)
            np.testing.assert_array_equal(np.asarray(features), own)
            assert names[int(target)] == wanted[video_id], video_id
    return len(wanted)


def main() -> None:
    """Export, load, compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--code", type=Path, required=True, help="checkout of the released code")
    parser.add_argument("--layout", choices=sorted(ROOTS), required=True)
    parser.add_argument("--dataset", choices=sorted(LOADERS), default="ucf")
    parser.add_argument("--splits", type=Path, required=True)
    parser.add_argument("--texts", type=Path, required=True, help="folder of the class vectors")
    args = parser.parse_args()
    splits, texts, code = (path.resolve() for path in (args.splits, args.texts, args.code))
    values = {"benchmark": args.dataset, "videos": None, "splits": str(splits)}
    dataset = BenchmarkDataset(args.dataset, values, Path())
    rows = dataset.rows()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)  # where the released code keeps its caches
        root = Path(ROOTS[args.layout]) / dataset.archive_name
        indices = [write_features(rows, Path(), modality) for modality in DIMS]
        features = root / "features" / NAME
        print("written, left out:", export_features(rows, indices, features, args.layout))
        shutil.copytree(dataset.folder, root / "class-split")
        loader_name, word = LOADERS[args.dataset]
        vectors = f"word_embeddings_{word}_normed.npy"
        (features / "text").mkdir()
        shutil.copy(texts / vectors, features / "text" / vectors)
        sys.path.insert(0, str(code))
        from src import dataset as released

        for part, subsets in {
            "train": ("train",),
            "val": ("val_seen", "val_unseen"),
            "train_val": ("train", "val_seen", "val_unseen"),
            "test": ("test_seen", "test_unseen"),
        }.items():
            options = SimpleNamespace(
                root_dir=root,
                dataset_name=args.dataset,
                feature_extraction_method=NAME,
                zero_shot_split="main_split",
            )
            loader = getattr(released, loader_name)(options, part, "all")
            count = compare(loader, [row for row in rows if row.subset in subsets], args.layout)
            print(f"{args.layout} {args.dataset} {part}: {count} clips equal")


if __name__ == "__main__":
    main()
