"""An encoder of another package: the example of docs/extending.md, installed and run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from outside_package import example, install

from avzsl.shards.reader import ShardReader

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the package is installed into."""
    return install("Loudness", "avzsl.encoders", tmp_path_factory)


def avzsl(site: Path, folder: Path, *args: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "avzsl", *args]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_example_has_thirty_lines() -> None:
    assert len([line for line in example("Loudness").splitlines() if line.strip()]) <= 33


def test_the_encoder_is_listed_and_shown(site: Path, tmp_path: Path) -> None:
    assert re.search(r"^loudness .*level and peak", avzsl(site, tmp_path, "list", "encoders"), re.M)
    assert "floor_db" in avzsl(site, tmp_path, "show", "encoder", "loudness")
    assert (
        "loudness"
        not in subprocess.run(
            [sys.executable, "-m", "avzsl", "list", "encoders"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


def test_the_schema_knows_it(site: Path, tmp_path: Path) -> None:
    avzsl(site, tmp_path, "schema", "--out", "schema.json", "--docs", "page.md")
    assert '"loudness"' in (tmp_path / "schema.json").read_text(encoding="utf-8")


def test_it_extracts(site: Path, tmp_path: Path) -> None:
    demo = ("--dataset-kind", "demo", "--dataset-options", '{"clips_per_class": 3, "buckets": 1}')
    avzsl(site, tmp_path, "demo", "demo", *demo, "--out", "resources/demo/clips.tsv")
    shard = ("--shard", "0000", "--buckets", "1", "--kind", "loudness", "--out", "0000.h5")
    avzsl(site, tmp_path, "extract", "demo", *demo, *shard)
    with ShardReader(tmp_path / "0000.h5") as reader:
        assert reader.header.encoder_kind == "loudness" and reader.header.dim == 2
        clips = np.arange(len(reader.video_ids))
        values, _ = reader.gather(clips)
    assert len(clips) > 60 and (values >= -60).all() and (values[:, 0] <= values[:, 1]).all()
    assert values.std() > 1
