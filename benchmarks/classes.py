"""Class-embedding optimisation: how long, how much memory, and what it does to real class names.

    python benchmarks/classes.py                              a step at 309 classes, every way
    python benchmarks/classes.py --classes 1000 3000 10000 20000    the exact one, fitted exponent
    python benchmarks/classes.py --converge 10000             a whole optimisation
    python benchmarks/classes.py --separation 50000           Eq. 1 and its gradient alone
    python benchmarks/classes.py --results w2v_features/*.npy              table of docs/results.md
    python benchmarks/classes.py --sweep w2v_features/word_embeddings_vggsound_normed.npy

A step is the loss, its gradient and a step of Adam; the fastest of some counts. "plain" is Eq. 3
written down with broadcasting and differentiated by autograd, some anchors at a time, as one would
first write it. Vectors are random unit ones of 300 dimensions in groups, unless files of class
vectors are given.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import resource
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.classes.distances import distance_blocks, pairwise
from avzsl.classes.neighbours import compare_neighbours
from avzsl.classes.objectives import blocked_separation, ranked_terms, separation
from avzsl.classes.optimise import optimise_classes
from avzsl.classes.options import ClassOptimisation
from avzsl.classes.ranking import DenseRanking, Ranking, neighbour_ranks
from avzsl.classes.records import NeighbourChange
from avzsl.classes.sorted_ranking import SortedRanking
from avzsl.classes.summary import ClassSummary, summarise, write_summary
from avzsl.classes.tensor_ranking import TensorRanking
from avzsl.sources.unpickle import read_published
from avzsl.types import ClassEmbeddings

KINDS: dict[str, type[Ranking]] = {
    "dense": DenseRanking,
    "sorted": SortedRanking,
    "tensor": TensorRanking,
}
PLAIN_TRIPLETS = 2**24
ALPHAS = (0.1, 0.3, 0.5, 0.7, 0.9)
MARGINS = (0.0, 0.5, 1.0)
NEAR = 1e-3
"""A neighbour is as near as the nearest one if it is no farther than this beyond it."""


class Plain:
    """Eq. 3 by broadcasting; autograd keeps a graph for some anchors at a time."""

    def __init__(self, original_CC: Tensor, *, margin: float) -> None:
        self._ranks_CC, self._margin = neighbour_ranks(original_CC)[0], margin

    def backward(self, distances_CC: Tensor) -> None:
        """Differentiate Eq. 1 and 3, the latter accumulated chunk by chunk."""
        leaf = distances_CC.detach().requires_grad_()
        anchors = max(1, PLAIN_TRIPLETS // len(leaf) ** 2)
        for start in range(0, len(leaf), anchors):
            A = slice(start, start + anchors)
            ranks, x = self._ranks_CC[A], leaf[A]
            ordered = (ranks[:, :, None] < ranks[:, None, :]) & (ranks[:, :, None] > 0)
            hinges = F.relu(x[:, :, None] - x[:, None, :] + self._margin)
            (hinges * ordered).sum().backward()
        separation(distances_CC).backward(retain_graph=True)
        distances_CC.backward(leaf.grad)


def main() -> None:
    args = parse()
    torch.set_num_threads(args.threads)
    if args.converge:
        converge(args.converge)
    elif args.separation:
        separate(args.separation)
    elif args.results:
        results(args.results, args.summaries)
    elif args.sweep:
        sweep(args.sweep, args.summaries)
    else:
        steps(args)


def parse() -> argparse.Namespace:
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--classes", type=int, nargs="+", default=[309])
    parser.add_argument("--vectors", type=Path, help="published class vectors (.npy)")
    parser.add_argument("--margin", type=float, default=1.0)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--only", choices=["plain", *KINDS])
    parser.add_argument("--converge", type=int, metavar="CLASSES", help="a whole optimisation")
    parser.add_argument("--separation", type=int, metavar="CLASSES", help="Eq. 1 alone")
    parser.add_argument("--results", type=Path, nargs="+", metavar="NPY", help="what it does")
    parser.add_argument("--sweep", type=Path, metavar="NPY", help="what alpha and margin do")
    parser.add_argument("--summaries", type=Path, metavar="FOLDER", help="write them there as JSON")
    parser.add_argument("--threads", type=int, default=cores)
    return parser.parse_args()


def made_up(classes: int) -> Tensor:
    """Return unit vectors in groups, as names share words."""
    torch.manual_seed(0)
    groups = torch.randn(max(classes // 8, 2), 300, dtype=torch.float64)
    own = torch.randn(classes, 300, dtype=torch.float64)
    return F.normalize(groups[torch.arange(classes) % len(groups)] + own, dim=1)


def load(path: Path) -> ClassEmbeddings:
    """Return the class vectors of a file, all names that it holds."""
    table: Mapping[str, np.ndarray] = read_published(path)
    vectors = np.stack(list(table.values())).astype(np.float32)
    return ClassEmbeddings(names=tuple(table), vectors=vectors)


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


# --- time and memory ----------------------------------------------------------------------------


def steps(args: argparse.Namespace) -> None:
    print(f"{args.threads} threads, margin {args.margin}")
    sizes, seconds = args.classes, []
    for classes in sizes:
        vectors = (
            F.normalize(torch.from_numpy(load(args.vectors).vectors).double(), dim=1)
            if args.vectors
            else made_up(classes)
        )
        ways = ["plain", *KINDS] if len(sizes) == 1 and not args.only else [args.only or "sorted"]
        times = {way: step_seconds(vectors, way, args.margin, args.steps) for way in ways}
        for way, value in times.items():
            ratio = f", {times['plain'] / value:.1f} x plain" if "plain" in times else ""
            print(f"{len(vectors):6} classes  {way:7} {value * 1e3:10.2f} ms a step{ratio}")
        print(f"{'':15} peak memory so far {peak_gib():.2f} GiB", flush=True)
        seconds.append(float(np.mean(list(times.values()))))
    if len(sizes) > 1:
        exponent = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
        print(f"seconds grow as classes ^ {exponent:.2f}")


def step_seconds(original: Tensor, way: str, margin: float, steps: int) -> float:
    """Return the least time of a step near the end of an optimisation: classes moved apart."""
    plain, ranking = None, None
    if way == "plain":
        plain = Plain(pairwise(original, original, "cosine"), margin=margin)
    else:
        blocks = distance_blocks(original, "cosine", cells=2**20)
        ranking = KINDS[way]((block for _, block in blocks), margin=margin)
    classes = F.normalize(original - 0.9 * original.mean(0), dim=1).requires_grad_()
    adam = torch.optim.Adam([classes], lr=1e-3)
    times = []
    for _ in range(steps + 1):
        started = time.perf_counter()
        adam.zero_grad()
        if plain:
            plain.backward(pairwise(classes, classes, "cosine"))
        elif ranking:
            sum(ranked_terms(classes, ranking, "cosine"), start=torch.zeros(())).backward()
        adam.step()
        times.append(time.perf_counter() - started)
    return min(times[1:])


def converge(classes: int) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    names = tuple(f"class {i}" for i in range(classes))
    vectors = made_up(classes).float().numpy()
    started = time.perf_counter()
    result = optimise_classes(ClassEmbeddings(names=names, vectors=vectors), ClassOptimisation())
    nearest = result.trace.nearest
    print(
        f"{classes} classes: {result.steps} steps in {time.perf_counter() - started:.0f} s, "
        f"{'converged' if result.converged else 'not converged'}; nearest neighbour "
        f"{nearest[0]:.3f} -> {nearest[result.best_step]:.3f}; peak memory {peak_gib():.1f} GiB"
    )


def separate(classes: int) -> None:
    vectors = made_up(classes).requires_grad_()
    started = time.perf_counter()
    value = blocked_separation(vectors, "cosine")
    value.backward()
    print(
        f"{classes} classes: Eq. 1 is {value.item():.4f}, with its gradient in "
        f"{time.perf_counter() - started:.1f} s; peak memory {peak_gib():.2f} GiB "
        f"(all distances would take {8 * classes**2 / 2**30:.1f})"
    )


# --- what it does -------------------------------------------------------------------------------


def optimised(
    path: Path, options: ClassOptimisation, folder: Path | None
) -> tuple[ClassSummary, list[NeighbourChange], float]:
    """Optimise the class vectors of a file; write the summary if a folder is given.

    Returns:
        Summary, neighbours, and how many classes are within NEAR of the nearest one, on average.
    """
    name = path.stem.removeprefix("word_embeddings_").removesuffix("_normed")
    started = time.perf_counter()
    result = optimise_classes(load(path), options)
    seconds = round(time.perf_counter() - started, 1)
    changes = compare_neighbours(result, distance=options.distance)
    word = f"{name}-{options.objective}-{options.distance}-a{options.alpha}-m{options.margin}"
    summary = summarise(result, changes, options, classes_id=word, seconds=seconds)
    if folder:
        write_summary(folder / f"{word}.json", summary)
    vectors_CW = torch.from_numpy(result.embeddings.vectors).double()
    others_CC = pairwise(vectors_CW, vectors_CW, options.distance).fill_diagonal_(torch.inf)
    as_near_C = (others_CC <= others_CC.amin(1, keepdim=True) + NEAR).sum(1)
    return summary, changes, float(as_near_C.double().mean())


def results(paths: list[Path], folder: Path | None) -> None:
    """Print what the default options do to the class vectors of files, as Markdown."""
    columns = ["vectors", "classes", "objective", "nearest before", "after", "smallest before"]
    columns += ["after", "as near", "order kept", "nearest kept", "steps", "seconds"]
    print("| " + " | ".join(columns) + " |\n" + "| --- " * len(columns) + "|")
    for path in paths:
        for objective in ("margin-ranking", "proximity"):
            options = ClassOptimisation(objective=objective)
            s, changes, as_near = optimised(path, options, folder)
            near = f"{s.nearest_before:.3f} | {s.nearest_after:.3f} "
            near += f"| {s.nearest_smallest_before:.3f} | {s.nearest_smallest_after:.3f}"
            kept = f"{as_near:.0f} | {s.rank_correlation:.2f} | {s.nearest_kept:.2f}"
            head = f"`{path.name}` | {s.classes} | {objective}"
            print(f"| {head} | {near} | {kept} | {s.steps} | {s.seconds} |", flush=True)
            if objective == "margin-ranking":
                told = list(itertools.islice(nearest_pairs(changes), 5))
        print_changes(told)


def nearest_pairs(changes: list[NeighbourChange]) -> Iterator[NeighbourChange]:
    """Yield the classes whose neighbours were the nearest, of each pair the first one."""
    seen = set()
    for change in sorted(changes, key=lambda change: change.distance_before):
        pair = frozenset((change.name, change.nearest_before))
        if pair not in seen:
            seen.add(pair)
            yield change


def print_changes(changes: list[NeighbourChange]) -> None:
    for c in changes:
        before = f"{c.nearest_before} | {c.distance_before:.3f}"
        print(f"    | {c.name} | {before} | {c.nearest_after} | {c.distance_after:.3f} |")


def sweep(path: Path, folder: Path | None) -> None:
    """Print nearest neighbour, order kept and classes as near, by alpha and margin, as Markdown."""
    print("| m |" + "|".join(f" α = {alpha} " for alpha in ALPHAS) + "|")
    print("| --- " * (len(ALPHAS) + 1) + "|")
    for margin in MARGINS:
        cells = []
        for alpha in ALPHAS:
            options = ClassOptimisation(alpha=alpha, margin=margin)
            s, _, as_near = optimised(path, options, folder)
            cells.append(f" {s.nearest_after:.3f}, {s.rank_correlation:.2f}, {as_near:.0f} ")
        print(f"| {margin} |" + "|".join(cells) + "|", flush=True)


if __name__ == "__main__":
    main()
