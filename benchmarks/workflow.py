"""Seconds that Snakemake itself takes: a run with nothing to do, and reading the configuration.

    make demo && python benchmarks/workflow.py                 the demo, finished
    python benchmarks/workflow.py --clips 93752                configuration with a table that long

The first line times the whole command ``snakemake --cores 2 TABLE`` when all is up to date. The
second times ``avzsl plan``, which does what happens on every parse (check config.yaml, list the
clips, derive the ids) and counts the clips; a third of a second of it is the start of Python.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", default="results/demo_signal.csv")
    parser.add_argument("--clips", type=int, default=10_000, help="of the made-up table")
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    if Path(args.table).is_file():
        command = [sys.executable, "-m", "snakemake", "--cores", "2", args.table]
        report("nothing to do", args.repeat, lambda: run(command))
    else:
        print(f"{args.table} is not there; run make demo first to time a run with nothing to do")
    with tempfile.TemporaryDirectory() as folder:
        write_table(Path(folder), args.clips)
        report(f"configuration, {args.clips} clips", args.repeat, lambda: plan(Path(folder)))


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    if "Nothing to be done" not in done.stdout + done.stderr:
        sys.exit("There was something to do; run it again for the time without.")


def write_table(folder: Path, clips: int) -> None:
    (folder / "videos").mkdir()
    for i in range(100):
        (folder / "videos" / f"{i}.mp4").write_bytes(b"")
    with (folder / "clips.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "class", "start_seconds", "end_seconds"])
        for i in range(clips):
            writer.writerow([f"videos/{i % 100}.mp4", f"class {i % 276}", i, i + 10])


def plan(folder: Path) -> None:
    """List the clips and derive every id, in a process of its own as each parse does."""
    raw = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    raw["datasets"] = {"mine": {"kind": "table", "path": "clips.csv", "buckets": 128}}
    (folder / "config.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    schema = ROOT / "workflow" / "schemas" / "config.schema.json"
    command = [sys.executable, "-m", "avzsl", "plan", "--schema", str(schema)]
    subprocess.run(command, cwd=folder, capture_output=True, check=True)


def report(what: str, repeat: int, action: Callable[[], None]) -> None:
    seconds = []
    for _ in range(repeat):
        begin = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - begin)
    print(f"{what:<32} {statistics.median(seconds):6.2f} s (median of {repeat})")


if __name__ == "__main__":
    main()
