"""Training steps a second of AVCA and TCaF here, against a plain loop as they were published with.

The plain loop is that of `plain_loop.py`, with two forward passes a step (one for the loss, one
after the optimiser's step). Both sides train the same sizes on the same clips, in turns, and the
fastest round of each counts. "feeding" is all but the network: drawing, fetching and collating.

    python benchmarks/methods.py --feature-set cls
    python benchmarks/methods.py --feature-set main --methods avca
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from plain_loop import PLAIN, TEXT, BatchDraw, PairDataset, pad_samples
from torch.utils.data import DataLoader

from avzsl.datasets.batches import draw_negatives, epoch_batches
from avzsl.datasets.features import FeatureSet
from avzsl.datasets.simulate import SimulatedSizes, Simulator, feature_set
from avzsl.methods.base import Dims, Method, Training, methods
from avzsl.options import from_dict
from avzsl.seeding import seed_torch, stream
from avzsl.training.feeding import Feeder, averaged
from avzsl.training.loop import Fit

DIMS = {"cls": (128, 4096), "main": (512, 512)}
"""Feature set -> sizes of an audio and a visual feature: VGGish and C3D, or SeLaVi."""
BATCH = {"avca": 256, "tcaf": 64}
CLASSES = 42
"""Seen classes of UCF in stage 2."""

Run = Callable[[], object]


def on_device(features: FeatureSet, device: str) -> FeatureSet:
    """Return the features where batches are wanted, as training has them if they fit."""
    moved = {
        modality: dataclasses.replace(
            own, features_ND=own.features_ND.to(device), times_N=own.times_N.to(device)
        )
        for modality, own in (("audio", features.audio), ("visual", features.visual))
    }
    return dataclasses.replace(features, **moved)


def make_features(name: str, clips: int) -> FeatureSet:
    audio, visual = DIMS[name]
    rng = np.random.default_rng(0)
    names = [f"{k:02d}" for k in range(CLASSES)]
    vectors = {name: rng.standard_normal(TEXT).astype(np.float32) for name in names}
    simulator = Simulator(vectors, SimulatedSizes(audio=audio, visual=visual))
    ids = {name: [f"{name}-{i}" for i in range(clips // CLASSES)] for name in names}
    return feature_set(simulator.clips(name, "train", own) for name, own in ids.items())


def plain_runs(kind: str, features: FeatureSet, steps: int, device: str) -> tuple[Run, Run]:
    """Return what trains ``steps`` steps by the plain loop, and what only feeds them."""

    def feed() -> Iterator[dict[str, dict[str, torch.Tensor]]]:
        for batch in loader:
            yield {side: {k: v.to(device) for k, v in own.items()} for side, own in batch.items()}

    vectors = torch.from_numpy(np.random.default_rng(0).standard_normal((CLASSES, TEXT))).float()
    vectors_there = vectors.to(device)
    clips = [
        [part.numpy() for part in torch.split(own.features_ND, np.diff(own.offsets).tolist())]
        for own in (features.audio, features.visual)
    ]
    if kind == "avca":
        clips = [[torch.from_numpy(clip.mean(0)) for clip in own] for own in clips]
    torch.manual_seed(0)
    model = PLAIN[kind](features.audio.dim, features.visual.dim).to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-5)
    loader = DataLoader(
        PairDataset(clips[0], clips[1], vectors, features.labels),
        batch_sampler=BatchDraw(features.labels, BATCH[kind], steps),
        collate_fn=pad_samples if kind == "tcaf" else None,
    )

    def train() -> None:
        model.train()
        for batch in feed():
            loss = model.loss(batch, vectors_there)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            model.embed(batch["positive"])
            loss.item()

    return train, lambda: [None for _ in feed()]


def own_runs(kind: str, features: FeatureSet, steps: int, device: str) -> tuple[Run, Run]:
    """Return the same for this package, with the method's default options."""
    options = from_dict(methods.get(kind).Options, {})
    training: Training = dataclasses.replace(
        options.training, batch_size=BATCH[kind], steps_per_epoch=steps, sampling="class-balanced"
    )
    seed_torch(0)
    dims = Dims(audio=features.audio.dim, visual=features.visual.dim, text=TEXT)
    method: Method = methods.get(kind)(options, dims).to(device)
    fed = features if method.needs_tokens else averaged(features)
    feeder = Feeder(fed, features.class_names, preparation=None, device=torch.device(device))
    vectors = torch.randn(CLASSES, TEXT, device=device)
    rows = np.arange(len(features.labels))
    fit = Fit(method, feeder, rows, vectors, training, seed=0, stage=1)

    def feed() -> None:
        generator = stream(0, "batches")
        batches = epoch_batches(
            features.labels,
            batch_size=BATCH[kind],
            steps=steps,
            sampling="class-balanced",
            generator=generator,
        )
        for batch in batches:
            negatives = None
            if method.needs_negatives:
                negatives = draw_negatives(features.labels, batch, generator)
            feeder.batch(batch, negatives)

    return lambda: fit.run_epoch(lambda: None), feed


def measure(kind: str, features: FeatureSet, args: argparse.Namespace) -> None:
    clock = {"wall": time.perf_counter, "cpu": time.process_time}[args.clock]
    sides = {"plain": plain_runs, "avzsl": own_runs}
    places = {"plain": features, "avzsl": on_device(features, args.device)}
    runs = {name: side(kind, places[name], args.steps, args.device) for name, side in sides.items()}
    best: dict[tuple[str, str], float] = {}
    for _ in range(1 + args.rounds):  # the first one warms up
        for side, pair in runs.items():
            for what, run in zip(("step", "feeding"), pair, strict=True):
                started = clock()
                run()
                seconds = (clock() - started) / args.steps
                best[side, what] = min(best.get((side, what), np.inf), seconds)
    print(f"{kind}, {args.feature_set} features, batches of {BATCH[kind]}:")
    for what in ("step", "feeding"):
        plain, own = best["plain", what], best["avzsl", what]
        print(
            f"  {what:8} plain {1000 * plain:8.2f} ms ({1 / plain:.2f}/s)  avzsl "
            f"{1000 * own:8.2f} ms ({1 / own:.2f}/s)  ratio {plain / own:.2f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--methods", nargs="+", default=list(PLAIN), choices=list(PLAIN))
    parser.add_argument("--feature-set", default="cls", choices=list(DIMS))
    parser.add_argument("--clips", type=int, default=3150)
    parser.add_argument("--steps", type=int, default=10, help="of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--clock", default="wall", choices=["wall", "cpu"])
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    features = make_features(args.feature_set, args.clips)
    for kind in args.methods:
        measure(kind, features, args)


if __name__ == "__main__":
    main()
