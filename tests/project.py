"""A small project of a user: demo clips listed in a table, run by the real Snakefile."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
TABLE = "results/mine_signal.csv"

CONFIG = {
    "device": "cpu",
    "datasets": {"mine": {"kind": "table", "path": "clips.csv", "buckets": 2}},
    "encoders": {"signal-audio": {}, "signal-visual": {}, "signal-text": {}},
    "features": {
        "signal": {"audio": "signal-audio", "visual": "signal-visual", "text": "signal-text"}
    },
    "extraction": {"max_failure_rate": 0.05},
    "classes": {"max_steps": 20},
    "methods": {
        "ez-avgzl": {"depth": 1, "training": {"epochs": 2}},
        "devise": {"training": {"epochs": 2}},
    },
    "protocol": {"seeds": [0]},
}


@dataclass
class Project:
    """A folder with a config.yaml, run by the Snakefile of the source tree."""

    path: Path

    def command(self, *args: str) -> list[str]:
        """Return the command line of a run."""
        snakefile = str(ROOT / "Snakefile")
        base = [sys.executable, "-m", "snakemake", "--snakefile", snakefile, "--cores", "2"]
        return [*base, "--directory", str(self.path), *(args or (TABLE,))]

    def run(self, *args: str, rc: int | None = 0) -> str:
        """Run Snakemake and return what it printed; fail the test on another exit code."""
        done = subprocess.run(
            self.command(*args), capture_output=True, text=True, env=environment(), timeout=600
        )
        printed = done.stdout + done.stderr
        assert rc is None or done.returncode == rc, printed[-6000:]
        return printed

    def jobs(self, *args: str, rc: int = 0) -> list[str]:
        """Run Snakemake and return the jobs it started, such as ``extract_audio 0001``."""
        return jobs_in(self.run(*args, rc=rc))

    def edit(self, **sections: dict) -> None:
        """Lay settings over config.yaml."""
        from avzsl.config import merge

        config = yaml.safe_load((self.path / "config.yaml").read_text(encoding="utf-8"))
        self.write_config(merge(config, sections))

    def write_config(self, config: dict) -> None:
        """Write config.yaml."""
        (self.path / "config.yaml").write_text(
            yaml.safe_dump(config, sort_keys=False), encoding="utf-8"
        )

    def copy(self, path: Path) -> Project:
        """Return a copy with everything computed so far; links and times are kept."""
        shutil.copytree(self.path, path, copy_function=shutil.copy2, symlinks=True)
        return Project(path)

    def table(self, name: str = TABLE) -> bytes:
        """Return the result table."""
        return (self.path / name).read_bytes()

    def rows(self) -> list[list[str]]:
        """Return the lines of the clip table."""
        with (self.path / "clips.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.reader(file))

    def write_rows(self, rows: list[list[str]]) -> None:
        """Write the clip table."""
        with (self.path / "clips.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)


def environment() -> dict[str, str]:
    """Return the environment of a run: one thread, and no activated environment to lean on."""
    bin_folder = str(Path(sys.executable).parent)
    path = [part for part in os.environ["PATH"].split(os.pathsep) if part != bin_folder]
    return {**os.environ, "PATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"}


def jobs_in(printed: str) -> list[str]:
    """Return rule and, where it has one, shard or method and seed, of every job started."""
    found = []
    for match in re.finditer(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", printed, re.M):
        wildcards = dict(
            pair.split("=", 1)
            for line in re.findall(r"^    wildcards: (.*)$", match[2], re.M)
            for pair in line.split(", ")
        )
        keys = ("shard", "method", "seed")
        names = [wildcards[key] for key in keys if key in wildcards]
        found.append(" ".join([match[1], *names]))
    return sorted(job for job in found if job != "all")


def make_project(path: Path, *, clips_per_class: int = 4) -> Project:
    """Make demo clips in ``path`` and list them in a table with given subsets."""
    from avzsl.datasets.demo import write_demo
    from avzsl.datasets.kinds.demo import DemoDataset

    options = {"clips_per_class": clips_per_class, "damaged": False, "buckets": 1}
    dataset = DemoDataset("demo", options, path)
    write_demo(dataset.plan, path / "resources" / "demo", processes=2)
    lines = [[row.clip.path, row.class_name, row.subset] for row in dataset.rows()]
    project = Project(path)
    project.write_rows([["path", "class", "subset"], *lines])
    project.write_config(CONFIG)
    return project
