"""A method of another package: the example of docs/extending.md, installed, trained and scored."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from outside_package import install
from project import CONFIG, make_project
from project import environment as plain_environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the package is installed into."""
    return install("Prototype", "avzsl.methods", tmp_path_factory)


def run(site: Path, folder: Path, *command: str) -> str:
    paths = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**plain_environment(), "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_listed(site: Path, tmp_path: Path) -> None:
    listed = run(site, tmp_path, "avzsl", "list", "methods")
    assert re.search(r"^prototype +nearest class embedding", listed, re.M)


def test_the_schema_knows_it_and_it_learns(site: Path, tmp_path: Path) -> None:
    """By the commands that the rules call: the workflow's own schema is that of the source tree."""
    project = make_project(tmp_path, clips_per_class=4)
    run(site, tmp_path, "avzsl", "schema", "--out", "schema.json", "--docs", "page.md")
    assert '"prototype"' in (tmp_path / "schema.json").read_text(encoding="utf-8")
    project.write_config({**CONFIG, "methods": {"devise": {"training": {"epochs": 1}}}})
    project.run()
    features = tmp_path / "results" / "features" / "mine"
    common = [
        *("--manifest", "results/manifests/mine.tsv"),
        *("--audio", str(features / "signal-audio" / "index.h5")),
        *("--visual", str(features / "signal-visual" / "index.h5")),
    ]
    classes = "results/classes/mine/signal-text/original.h5"
    out = ["--classes", classes, "--history", "history.csv", "--out", "model.pt"]
    run(site, tmp_path, "avzsl", "train", "prototype", *common, *out)
    run(site, tmp_path, "avzsl", "evaluate", "model.pt", *common, "--out", "seed0.json")
    run(site, tmp_path, "avzsl", "table", "--out", "table.csv", "--", "seed0.json")
    row = next(csv.DictReader((tmp_path / "table.csv").open()))
    assert row["method"] == "prototype" and float(row["zsl_mean"]) > 1.5 * float(row["zsl_chance"])
