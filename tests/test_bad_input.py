"""What a user may get wrong: one clear line, exit code 1, and nothing computed is lost."""

import shutil
from fractions import Fraction

import numpy as np
import pytest
from project import TABLE, make_project

from avzsl.datasets.demo_encode import encode_file

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("bad") / "project")
    project.run()
    return project


@pytest.fixture()
def project(finished, tmp_path):
    return finished.copy(tmp_path / "project")


def shards(project):
    return {p: p.stat().st_mtime_ns for p in (project.path / "results/features").rglob("0*.h5")}


def line_with(printed, words):
    lines = [line for line in printed.splitlines() if words in line]
    assert lines, f"no line with {words!r} in:\n{printed[-3000:]}"
    return lines[0]


def test_an_unknown_key(project):
    before = shards(project)
    project.edit(methods={"devise": {"dropuot": 0.1}})
    line = line_with(project.run(rc=1), "dropuot")
    assert "config.yaml: methods.devise has no key 'dropuot'. Did you mean 'dropout'" in line
    assert shards(project) == before


def test_a_class_with_one_clip(project):
    before = shards(project)
    rows = [row[:2] for row in project.rows()]
    first = rows[1][1]
    kept = [row for i, row in enumerate(rows) if row[1] != first or i == 1]
    project.write_rows(kept)
    split = {"unseen_test": 6, "unseen_val": 6, "seed": 3}
    for seed in range(20):
        project.edit(datasets={"mine": {"split": {**split, "seed": seed}}})
        printed = project.run("--dry-run", TABLE, rc=None)
        if "one clip" in printed:
            break
    line = line_with(printed, "one clip")
    assert first in line
    assert "needs at least" in line
    assert shards(project) == before


def test_an_unseen_class_that_is_also_seen(project):
    rows = project.rows()
    unseen = next(row[1] for row in rows if row[2] == "test_unseen")
    next(row for row in rows if row[2] == "train")[1] = unseen
    project.write_rows(rows)
    line = line_with(project.run(rc=1), "test_unseen and train")
    assert unseen in line


def test_a_class_without_a_word(project):
    rows = project.rows()
    name = rows[1][1]
    for row in rows:
        row[1] = "???" if row[1] == name else row[1]
    project.write_rows(rows)
    before = shards(project)
    line = line_with(project.run(rc=1), "???")
    assert "error" in line
    assert shards(project) == before


def test_no_clip_can_be_decoded(tmp_path, finished):
    project = finished.copy(tmp_path / "project")
    shutil.rmtree(project.path / "results")
    for path in (project.path / "resources").rglob("videos/*"):
        path.write_bytes(b"this is no video")
    line = line_with(project.run(rc=1), "clips failed")
    assert "max_failure_rate" in line


def test_no_clip_has_sound(tmp_path, finished):
    """Absences are no failures, but a dataset without any sound cannot go on."""
    project = finished.copy(tmp_path / "project")
    shutil.rmtree(project.path / "results")
    pictures = np.random.default_rng(0).integers(0, 255, (30, 64, 64, 3), dtype=np.uint8)
    mute = encode_file(pictures, None, container="mp4", fps=Fraction(15), sample_rate=16000)
    rows = project.rows()
    for row in rows[1:]:
        (project.path / row[0]).write_bytes(mute)
    line = line_with(project.run(rc=1), "no-stream")
    assert "signal-audio" in line
