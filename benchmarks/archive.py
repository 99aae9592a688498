"""Write a benchmark of any size with simulated features, in the layout of published archives.

Needs the split files and class vectors (`avzsl fetch splits`, or a folder in the same layout). All
of VGGSound-GZSL with temporal features, as TCaF publishes it, takes 25 GB:

    python benchmarks/archive.py vggsound --splits resources/splits --vectors resources/vectors \
        --layout tcaf --out /data/simulated

`--limit 20` takes 20 clips of a class in a subset at most. The features that come out are made from
the class vectors (`avzsl.datasets.simulate`), so that methods can learn from them.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

from avzsl.datasets.kinds.benchmark import BenchmarkDataset
from avzsl.datasets.simulate import (
    VECTOR_FILES,
    SimulatedSizes,
    Simulator,
    read_vectors,
    simulated_clips,
)
from avzsl.datasets.simulate_archive import write_archive


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("benchmark", choices=list(VECTOR_FILES))
    parser.add_argument("--splits", type=Path, required=True, help="with avgzsl_benchmark_datasets")
    parser.add_argument("--vectors", type=Path, required=True, help="with word_embeddings_*.npy")
    parser.add_argument("--out", type=Path, required=True, help="folder of the archive")
    parser.add_argument("--layout", choices=["avca", "tcaf"], default="avca")
    parser.add_argument("--features", default="cls_features", help="folder of the feature set")
    parser.add_argument("--limit", type=int, help="clips of a class in a subset; default: all")
    parser.add_argument("--audio", type=int, default=128, help="size of an audio feature")
    parser.add_argument("--visual", type=int, default=4096, help="size of a visual feature")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    options = {"benchmark": args.benchmark, "videos": "videos", "splits": str(args.splits)}
    dataset = BenchmarkDataset(args.benchmark, options, Path.cwd())
    sizes = SimulatedSizes(audio=args.audio, visual=args.visual)
    simulator = Simulator(read_vectors(args.vectors, dataset), sizes, seed=args.seed)
    clips = simulated_clips(simulator, dataset.lines(), args.limit)
    started = time.perf_counter()
    place = args.out / dataset.layout.folder / "features" / args.features
    count = write_archive(place, clips, args.layout)
    seconds = time.perf_counter() - started
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{count} clips, {size / 1e9:.2f} GB in {args.out} in {seconds:.1f} s, peak {peak:.2f} GiB"
    )


if __name__ == "__main__":
    main()
