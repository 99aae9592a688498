"""Seconds per epoch of a method, on synthetic features of a given size.

The default is one pass over 1,920 clips of a size that the demo dataset's features have. VGGSound
with VGGish and C3D features:

    python benchmarks/training.py --clips 70351 --classes 138 --audio 10 128 --visual 16 4096 \
        --steps 50
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time

import numpy as np
import torch

from avzsl.datasets.features import FeatureSet, Sequences
from avzsl.methods.base import Dims, MethodOptions, methods
from avzsl.options import from_dict
from avzsl.seeding import seed_torch
from avzsl.training.feeding import Feeder, Preparation
from avzsl.training.loop import Fit
from avzsl.types import SUBSETS


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--method", default="ez-avgzl")
    parser.add_argument("--options", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("--clips", type=int, default=1920)
    parser.add_argument("--classes", type=int, default=18)
    shape = {"type": int, "nargs": 2, "metavar": ("TOKENS", "DIM")}
    parser.add_argument("--audio", default=[4, 300], help="longest clip, feature size", **shape)
    parser.add_argument("--visual", default=[9, 600], help="longest clip, feature size", **shape)
    parser.add_argument("--text", type=int, default=300, help="size of a class embedding")
    parser.add_argument("--steps", type=int, help="measure so many steps, not a whole epoch")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def make_sequences(clips: int, longest: int, dim: int, device: str, seed: int) -> Sequences:
    """Draw clips of half to all of the longest length, 2.5 s at most."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers((longest + 1) // 2, longest + 1, size=clips)
    tokens = int(lengths.sum())
    generator = torch.Generator().manual_seed(seed)
    return Sequences(
        features_ND=torch.randn(tokens, dim, generator=generator).to(device),
        times_N=(2.5 * torch.rand(tokens, generator=generator)).to(device),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
    )


def make_features(args: argparse.Namespace) -> FeatureSet:
    return FeatureSet(
        video_ids=tuple(map(str, range(args.clips))),
        class_names=tuple(f"{k:04d}" for k in range(args.classes)),
        labels=np.arange(args.clips) % args.classes,
        subsets=np.full(args.clips, SUBSETS.index("train")),
        audio=make_sequences(args.clips, *args.audio, args.device, 0),
        visual=make_sequences(args.clips, *args.visual, args.device, 1),
        features_ids=("", ""),
    )


def make_fit(args: argparse.Namespace, features: FeatureSet, options: MethodOptions) -> Fit:
    """Prepare the training of one stage as ``avzsl.training.stages`` does."""
    device = torch.device(args.device)
    rows = features.rows_of("train")
    preparation = Preparation.fit(features, rows)
    seed_torch(0)
    dims = Dims(audio=args.audio[1], visual=args.visual[1], text=args.text)
    vectors = torch.randn(args.classes, args.text, device=device)
    feeder = Feeder(features, features.class_names, preparation=preparation, device=device)
    method = methods.get(args.method)(options, dims).to(device)
    return Fit(method, feeder, rows, vectors, options.training, seed=0, stage=1)


def measure(fit: Fit, device: str) -> float:
    """Return the seconds of the second epoch; the first one warms up."""
    fit.run_epoch(lambda: None)
    started = time.perf_counter()
    fit.run_epoch(lambda: None)  # reads the losses at its end, so that a GPU is waited for
    return time.perf_counter() - started


def main() -> None:
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    options = from_dict(methods.get(args.method).Options, args.options)
    batch_size = options.training.batch_size
    steps_per_epoch = -(-args.clips // batch_size)
    steps = args.steps or steps_per_epoch
    training = dataclasses.replace(options.training, steps_per_epoch=steps)
    fit = make_fit(args, make_features(args), dataclasses.replace(options, training=training))
    seconds = measure(fit, args.device)
    parameters = sum(p.numel() for p in fit.method.parameters())
    print(f"{args.method}: {parameters:,} parameters, {args.threads} threads, {args.device}")
    print(f"{1000 * seconds / steps:.1f} ms a step of {batch_size} clips ({steps} steps)")
    print(f"{seconds / steps * steps_per_epoch:.2f} s an epoch of {args.clips:,} clips")


if __name__ == "__main__":
    main()
