"""The papers' tables on real splits and class vectors, with simulated features.

Sets up a folder with an archive of simulated features (`avzsl.datasets.simulate`), the studies of
config.yaml and small settings, and runs the workflow there. Class names, splits, class vectors and
their optimisation are real; features are made from the class vectors, so that accuracies compare
settings with each other and with nothing else.

    python benchmarks/tables.py vggsound --splits resources/splits --vectors resources/vectors \
        --out simulated --targets results/tables/table5.csv results/tables/table8.csv

`--limit 25` takes 25 clips of a class in a subset at most; `--targets` of `*.classes.csv` and
`table8` need no features.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FEATURES = "cls_features_non_averaged"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("benchmark", choices=["vggsound", "ucf", "activitynet"])
    parser.add_argument("--splits", type=Path, required=True, help="with avgzsl_benchmark_datasets")
    parser.add_argument("--vectors", type=Path, required=True, help="with word_embeddings_*.npy")
    parser.add_argument("--out", type=Path, required=True, help="folder to work in")
    parser.add_argument("--targets", nargs="+", required=True, help="what to ask Snakemake for")
    parser.add_argument("--limit", type=int, default=25)
    parser.add_argument("--visual", type=int, default=512, help="size of a visual feature")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    archive = args.out.resolve() / "archive"
    if not archive.exists():
        make_archive(args, archive)
    config = configuration(args, archive)
    (args.out / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    options = ["--cores", str(args.cores), "--quiet", "rules", "progress"]
    place = ["--directory", str(args.out), "--", *args.targets]
    sys.exit(subprocess.run([*snakemake, *options, *place]).returncode)


def make_archive(args: argparse.Namespace, archive: Path) -> None:
    sources = ["--splits", str(args.splits), "--vectors", str(args.vectors)]
    shape = ["--layout", "tcaf", "--features", FEATURES, "--visual", str(args.visual)]
    limit = ["--limit", str(args.limit), "--out", str(archive)]
    script = [sys.executable, str(HERE / "archive.py"), args.benchmark]
    subprocess.run([*script, *sources, *shape, *limit], check=True)


def configuration(args: argparse.Namespace, archive: Path) -> dict[str, Any]:
    """Return the shipped page with the benchmark from the archive, and small settings."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    published = {"folder": str(archive), "layout": "tcaf", "features": FEATURES}
    vectors = str(args.vectors.resolve())
    training = {"epochs": args.epochs, "learning_rate": 1e-3}
    narrow = {"depth": 1, "width": 96, "feedforward": 96, "encoder_hidden": 96}
    config["datasets"] = {
        args.benchmark: {
            "kind": "benchmark",
            "benchmark": args.benchmark,
            "videos": None,
            "splits": str(args.splits.resolve()),
            "split": "cls",
            "buckets": 4,
            "methods": {"ez-avgzl": {**narrow, "training": training}},
        }
    }
    config["encoders"] = {
        "sound": {"kind": "published-audio", **published},
        "pictures": {"kind": "published-visual", **published},
        "vectors": {"kind": "class-vectors", "weights": vectors},
    }
    config["features"] = {"simulated": {"audio": "sound", "visual": "pictures", "text": "vectors"}}
    wanted = {"dataset": args.benchmark, "features": "simulated"}  # no published number beside it
    config["studies"] = {
        name: study | wanted
        for name, study in config["studies"].items()
        if name.startswith("table") and name != "table7"
    }
    return config | {
        "device": "cpu",
        "tables": [],
        "studies_on": None,
        "protocol": {"seeds": args.seeds},
        "extraction": {"max_failure_rate": 1.0},
    }


if __name__ == "__main__":
    main()
