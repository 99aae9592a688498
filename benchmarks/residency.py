"""Peak memory and steps a second of training on features that stay on disk.

Writes made-up features of any size as shards and an index, as the workflow has them, and trains on
them; each method runs in a process of its own, so that its peak of resident memory is its own. The
default takes a minute. VGGSound with VGGish and C3D features, all of it (25 GB on disk):

    python benchmarks/residency.py --clips 93752 --classes 276 --buckets 128 --folder /data/made-up

Files that are there already are used again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from avzsl.datasets.features import FeatureSet
from avzsl.datasets.manifest import ManifestRow
from avzsl.datasets.residency import MemoryOptions
from avzsl.methods.base import Dims, methods
from avzsl.options import from_dict
from avzsl.provenance import bucket_of, digest
from avzsl.seeding import seed_torch
from avzsl.shards.feature_index import FeatureIndex
from avzsl.shards.index import write_index
from avzsl.shards.layout import Header
from avzsl.shards.writer import write_shard
from avzsl.training.feeding import Feeder, Preparation
from avzsl.training.loop import Fit
from avzsl.types import ClipFeatures, ClipRef, Subset


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--methods", nargs="+", default=["ez-avgzl", "tcaf"])
    parser.add_argument("--options", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("--clips", type=int, default=6_000)
    parser.add_argument("--classes", type=int, default=60)
    parser.add_argument("--buckets", type=int, default=8)
    shape = {"type": int, "nargs": 2, "metavar": ("TOKENS", "DIM")}
    parser.add_argument("--audio", default=[10, 128], help="windows of a clip, size", **shape)
    parser.add_argument("--visual", default=[16, 4096], help="windows of a clip, size", **shape)
    parser.add_argument("--text", type=int, default=300, help="size of a class embedding")
    parser.add_argument("--steps", type=int, default=30, help="0: a whole epoch")
    parser.add_argument("--residency", nargs="+", default=["disk", "memory"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the features are kept; default: nowhere")
    return parser.parse_args()


def write_features(args: argparse.Namespace, folder: Path, modality: str) -> Path:
    """Write shards and their index, one shard in memory at a time; return the index."""
    tokens, dim = getattr(args, modality)
    size = digest(args.clips, args.buckets, tokens, dim)
    index = folder / f"{modality}-{size}" / "index.h5"
    if index.is_file():
        return index
    clips = [[] for _ in range(args.buckets)]
    for clip in range(args.clips):
        clips[bucket_of(f"{clip:06d}", args.buckets)].append(clip)
    header = Header(
        dataset="made-up",
        encoder="made-up",
        encoder_kind="made-up",
        modality=modality,
        fingerprint="made-up",
        options={},
        members_id="made-up",
        dim=dim,
    )
    starts = np.arange(tokens)[:, None] * (10 / tokens) + np.array([0, 10 / tokens])
    shards = []
    for bucket, own in enumerate(clips):
        rng = np.random.default_rng([bucket, tokens])
        rows = [
            ClipFeatures(
                video_id=f"{clip:06d}",
                stamp="",
                features=rng.random((tokens, dim), np.float32),
                times=starts,
            )
            for clip in own
        ]
        shards.append(index.parent / f"{bucket:04d}.h5")
        write_shard(shards[-1], header, rows, [])
    write_index(
        shards, index, expected_fingerprint="made-up", features_id="made-up", max_failure_rate=0
    )
    return index


def manifest(args: argparse.Namespace) -> list[ManifestRow]:
    """Return the clips: a tenth of the seen classes' ones and a quarter of the classes validate."""

    def subset(clip: int) -> Subset:
        if clip % args.classes >= args.classes * 3 // 4:
            return "val_unseen"
        return "val_seen" if clip // args.classes % 10 == 9 else "train"

    return [
        ManifestRow(
            clip=ClipRef(video_id=f"{clip:06d}", path=""),
            class_name=f"{clip % args.classes:04d}",
            subset=subset(clip),
        )
        for clip in range(args.clips)
    ]


def peak_gib() -> float:
    """Return the peak of this process alone; ``ru_maxrss`` begins with that of its parent."""
    status = Path("/proc/self/status")
    if not status.exists():  # not Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**30
    kilobytes = next(line for line in status.read_text().splitlines() if "VmHWM" in line)
    return int(kilobytes.split()[1]) / 2**20


def train(args: argparse.Namespace, method: str, residency: str, indices: list[Path]) -> None:
    """Train as stage 2 does, on all clips, and print what it took."""
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    started = time.perf_counter()
    features = FeatureSet.read(
        manifest(args),
        *map(FeatureIndex, indices),
        device=device,
        memory=MemoryOptions(features=residency),
    )
    rows = features.rows_of("train", "val_seen", "val_unseen")
    preparation = Preparation.fit(features, rows)
    prepared = time.perf_counter()
    seed_torch(0)
    options = from_dict(methods.get(method).Options, args.options)
    steps = args.steps or -(-len(rows) // options.training.batch_size)
    training = dataclasses.replace(options.training, steps_per_epoch=steps)
    dims = Dims(audio=args.audio[1], visual=args.visual[1], text=args.text)
    model = methods.get(method)(options, dims).to(device)
    vectors = torch.randn(len(features.class_names), args.text, device=device)
    feeder = Feeder(features, features.class_names, preparation=preparation, device=device)
    fit = Fit(model, feeder, rows, vectors, training, seed=0, stage=2)
    fetching = time.perf_counter()
    for start in range(0, min(len(rows), 20 * training.batch_size), training.batch_size):
        feeder.batch(np.random.default_rng(start).permutation(rows)[: training.batch_size])
    batches = -(-min(len(rows), 20 * training.batch_size) // training.batch_size)
    fetch_ms = 1000 * (time.perf_counter() - fetching) / batches
    begun = time.perf_counter()
    fit.run_epoch(lambda: None)
    rate = steps / (time.perf_counter() - begun)
    print(
        f"{method:<10} {residency:<6} peak {peak_gib():6.2f} GiB   {rate:6.2f} steps/s of "
        f"{training.batch_size} clips   a batch alone {fetch_ms:6.1f} ms   reading and statistics "
        f"{prepared - started:6.1f} s",
        flush=True,
    )


def main() -> None:
    args = parse_arguments()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="avzsl-residency-"))
    size = sum(args.clips * tokens * dim * 4 for tokens, dim in (args.audio, args.visual))
    print(f"{args.clips:,} clips, {size / 1e9:.1f} GB of features, {args.threads} threads")
    context = multiprocessing.get_context("spawn")
    try:
        indices = [write_features(args, folder, modality) for modality in ("audio", "visual")]
        for method in args.methods:
            for residency in args.residency:
                process = context.Process(target=train, args=(args, method, residency, indices))
                process.start()
                process.join()
    finally:
        if args.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
