"""Class-embedding optimisation: seconds a step, by how Eq. 3 is counted, and how they grow.

    python benchmarks/classes.py                              309 classes, every way
    python benchmarks/classes.py --classes 1000 3000 10000    the exact one, fitted exponent
    python benchmarks/classes.py --vectors word_embeddings_vggsound_normed.npy
    python benchmarks/classes.py --converge 10000             a whole optimisation

A step is the loss, its gradient and a step of Adam, in float64. "plain" is Eq. 3 written down with
broadcasting and differentiated by autograd, some anchors at a time, as one would first write it.
Vectors are random unit ones of 300 dimensions unless a file of class vectors is given.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.classes.distances import pairwise
from avzsl.classes.objectives import separation
from avzsl.classes.optimise import optimise_classes
from avzsl.classes.options import ClassOptimisation
from avzsl.classes.ranking import DenseRanking, Ranking, neighbour_ranks
from avzsl.classes.sorted_ranking import SortedRanking
from avzsl.classes.tensor_ranking import TensorRanking
from avzsl.sources.unpickle import read_published
from avzsl.types import ClassEmbeddings

KINDS: dict[str, type[Ranking]] = {
    "dense": DenseRanking,
    "sorted": SortedRanking,
    "tensor": TensorRanking,
}
PLAIN_TRIPLETS = 2**24


class Plain:
    """Eq. 3 by broadcasting; autograd keeps a graph for some anchors at a time."""

    def __init__(self, original_CC: Tensor, *, margin: float) -> None:
        self._ranks_CC, self._margin = neighbour_ranks(original_CC), margin

    def gradient(self, distances_CC: Tensor) -> Tensor:
        """Return dEq. 3 / d distances, accumulated chunk by chunk."""
        leaf = distances_CC.detach().requires_grad_()
        anchors = max(1, PLAIN_TRIPLETS // len(leaf) ** 2)
        for start in range(0, len(leaf), anchors):
            A = slice(start, start + anchors)
            ranks, x = self._ranks_CC[A], leaf[A]
            ordered = (ranks[:, :, None] < ranks[:, None, :]) & (ranks[:, :, None] > 0)
            hinges = F.relu(x[:, :, None] - x[:, None, :] + self._margin)
            (hinges * ordered).sum().backward()
        assert leaf.grad is not None
        return leaf.grad


def main() -> None:
    args = parse()
    torch.set_num_threads(args.threads)
    if args.converge:
        return converge(args.converge)
    print(f"{args.threads} threads, margin {args.margin}")
    sizes, seconds = args.classes, []
    for classes in sizes:
        vectors = load(args.vectors) if args.vectors else made_up(classes)
        ways = ["plain", *KINDS] if len(sizes) == 1 and not args.only else [args.only or "sorted"]
        times = {way: step_seconds(vectors, way, args.margin, args.steps) for way in ways}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        for way, value in times.items():
            ratio = f", {times['plain'] / value:.1f} x plain" if "plain" in times else ""
            print(f"{len(vectors):6} classes  {way:7} {value * 1e3:10.2f} ms a step{ratio}")
        print(f"{'':15} peak memory so far {peak:.2f} GiB", flush=True)
        seconds.append(statistics.mean(times.values()))
    if len(sizes) > 1:
        exponent = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
        print(f"seconds grow as classes ^ {exponent:.2f}")


def parse() -> argparse.Namespace:
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--classes", type=int, nargs="+", default=[309])
    parser.add_argument("--vectors", type=Path, help="published class vectors (.npy)")
    parser.add_argument("--margin", type=float, default=1.0)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--only", choices=["plain", *KINDS])
    parser.add_argument("--converge", type=int, metavar="CLASSES", help="a whole optimisation")
    parser.add_argument("--threads", type=int, default=cores)
    return parser.parse_args()


def made_up(classes: int) -> Tensor:
    """Return unit vectors in groups, as names share words."""
    torch.manual_seed(0)
    groups = torch.randn(max(classes // 8, 2), 300, dtype=torch.float64)
    own = torch.randn(classes, 300, dtype=torch.float64)
    return F.normalize(groups[torch.arange(classes) % len(groups)] + own, dim=1)


def load(path: Path) -> Tensor:
    table = read_published(path)
    table = table.item() if isinstance(table, np.ndarray) else table
    return F.normalize(torch.tensor(np.stack(list(table.values()))).double(), dim=1)


def step_seconds(original: Tensor, way: str, margin: float, steps: int) -> float:
    """Return the median time of a step near the end of an optimisation: classes moved apart."""
    before = pairwise(original, original, "cosine")
    ranking = Plain(before, margin=margin) if way == "plain" else KINDS[way](before, margin=margin)
    classes = F.normalize(original - 0.9 * original.mean(0), dim=1).requires_grad_()
    adam = torch.optim.Adam([classes], lr=1e-3)
    times = []
    for _ in range(steps + 1):
        started = time.perf_counter()
        adam.zero_grad()
        distances = pairwise(classes, classes, "cosine")
        if isinstance(ranking, Plain):
            separation(distances).backward(retain_graph=True)
            distances.backward(ranking.gradient(distances))
        else:
            (separation(distances) + ranking(distances)).backward()
        adam.step()
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def converge(classes: int) -> None:
    names = tuple(f"class {i}" for i in range(classes))
    vectors = made_up(classes).float().numpy()
    started = time.perf_counter()
    result = optimise_classes(ClassEmbeddings(names=names, vectors=vectors), ClassOptimisation())
    print(
        f"{classes} classes: {result.steps} steps in {time.perf_counter() - started:.0f} s, "
        f"{'converged' if result.converged else 'not converged'}; nearest neighbour "
        f"{-result.trace.separation[0]:.3f} -> {-result.trace.separation[-1]:.3f}; peak memory "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB"
    )


if __name__ == "__main__":
    main()
