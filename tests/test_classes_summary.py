"""An optimisation in numbers: what is said is true, survives the disk, and needs no torch."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from avzsl.classes.neighbours import compare_neighbours
from avzsl.classes.optimise import optimise_classes
from avzsl.classes.options import ClassOptimisation
from avzsl.classes.records import NeighbourChange
from avzsl.classes.store import read_optimised, write_classes
from avzsl.classes.summary import read_summary, summarise, write_summary
from avzsl.cli.main import main
from avzsl.types import ClassEmbeddings

OPTIONS = ClassOptimisation(max_steps=30, alpha=0.25, margin=0.5, distance="l2")


def some_classes(classes=14):
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(classes, 8)) + 1).astype(np.float32)
    return ClassEmbeddings(names=tuple(f"class {k}" for k in range(classes)), vectors=vectors)


@pytest.fixture(scope="module")
def optimised():
    return optimise_classes(some_classes(), OPTIONS)


@pytest.fixture
def summary(optimised):
    changes = compare_neighbours(optimised, distance="l2")
    return summarise(optimised, changes, OPTIONS, classes_id="abc", seconds=1.5)


def test_numbers_equal_those_computed_from_the_vectors(optimised, summary):
    nearest, names = {}, {}
    for when, held in (("before", optimised.original), ("after", optimised.embeddings)):
        x = held.vectors.astype(float)
        d = np.linalg.norm(x[:, None] - x[None], axis=2) + np.diag(np.full(len(x), np.inf))
        nearest[when], names[when] = d.min(1), d.argmin(1)
    assert summary.nearest_before == pytest.approx(nearest["before"].mean(), abs=1e-6)
    assert summary.nearest_after == pytest.approx(nearest["after"].mean(), abs=1e-6)
    assert summary.nearest_smallest_before == pytest.approx(nearest["before"].min(), abs=1e-6)
    assert summary.nearest_smallest_after == pytest.approx(nearest["after"].min(), abs=1e-6)
    assert summary.nearest_kept == np.mean(names["before"] == names["after"])
    assert 0 < summary.rank_correlation < 1


def test_terms_are_those_of_the_step_that_was_kept(optimised, summary):
    assert summary.separation_after == pytest.approx(-summary.nearest_after, abs=1e-5)
    assert summary.separation_before == pytest.approx(-summary.nearest_before, abs=1e-5)
    assert summary.loss_after == optimised.trace.loss.min() < summary.loss_before
    for when in ("before", "after"):
        loss, apart, semantic = (
            getattr(summary, f"{name}_{when}") for name in ("loss", "separation", "semantic")
        )
        assert loss == pytest.approx(0.75 * semantic + 0.25 * apart)
    assert (summary.alpha, summary.margin, summary.distance) == (0.25, 0.5, "l2")
    assert (summary.steps, summary.converged, summary.classes) == (30, False, 14)
    assert summary.best_step == optimised.best_step


def test_classes_without_a_correlation_are_left_out(optimised):
    def change(correlation):
        return NeighbourChange(
            name="a",
            nearest_before="b",
            distance_before=1.0,
            nearest_after="b",
            distance_after=1.0,
            rank_correlation=correlation,
        )

    def mean_of(*correlations):
        changes = [change(value) for value in correlations]
        made = summarise(optimised, changes, OPTIONS, classes_id="", seconds=0.0)
        return made.rank_correlation

    assert mean_of(0.5, None, 0.0) == 0.25
    assert mean_of(None, None) is None


def test_survives_the_disk(tmp_path, summary):
    path = tmp_path / "new folder" / "summary.json"
    for made in (summary, dataclasses.replace(summary, rank_correlation=None, nearest_kept=1)):
        write_summary(path, made)
        assert read_summary(path) == read_summary(path, expected_id="abc") == made


def test_another_id_is_refused(tmp_path, summary):
    write_summary(tmp_path / "s.json", summary)
    with pytest.raises(ValueError, match=r"id is 'abc', expected was 'xyz'\. .*again"):
        read_summary(tmp_path / "s.json", expected_id="xyz")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        read_summary(tmp_path / "nowhere.json")


@pytest.mark.parametrize("text", ["[]", "3", "{}", '{"kind": "other", "format_version": 1}'])
def test_a_file_of_another_kind_is_refused(tmp_path, text):
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="not a summary of a class optimisation of format ver"):
        read_summary(path)


def test_a_truncated_file_is_refused(tmp_path, summary):
    path = tmp_path / "s.json"
    write_summary(path, summary)
    path.write_text(path.read_text()[:200])
    with pytest.raises(ValueError, match=r"truncated or no JSON.*again"):
        read_summary(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": None}, "alpha is None"),
        ({"steps": 2.5}, "steps is 2.5"),
        ({"steps": True}, "steps is True"),
        ({"converged": 1}, "converged is 1"),
        ({"mood": "good"}, "mood is unknown"),
        ({"rank_correlation": "high"}, "rank_correlation is 'high'"),
    ],
)
def test_wrong_fields_are_named(tmp_path, summary, change, message):
    path = tmp_path / "s.json"
    write_summary(path, summary)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=f"is damaged: {message}. Delete"):
        read_summary(path)


def test_missing_fields_are_named(tmp_path, summary):
    path = tmp_path / "s.json"
    write_summary(path, summary)
    held = json.loads(path.read_text())
    del held["alpha"], held["seconds"]
    path.write_text(json.dumps(held))
    with pytest.raises(ValueError, match="alpha is missing, seconds is missing"):
        read_summary(path)


def test_reading_imports_no_torch():
    code = "import sys, avzsl.classes.summary; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_command_writes_it_beside_the_neighbours(tmp_path):
    original, out, table = (tmp_path / name for name in ("original.h5", "out.h5", "n.csv"))
    write_classes(original, some_classes(), id="t", options={})
    command = ["classes", "optimise", str(original), "--classes-id", "w"]
    command += ["--options", '{"max_steps": 20}', "--out", str(out), "--neighbours", str(table)]
    assert main(command) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["n.csv", "original.h5", "out.h5"]
    path = tmp_path / "summary.json"
    assert main([*command, "--summary", str(path)]) == 0
    summary, made = read_summary(path, expected_id="w"), read_optimised(out)
    assert summary.loss_after == made.trace.loss.min()
    assert (summary.classes, summary.steps, summary.distance) == (14, 20, "cosine")
    assert summary.seconds > 0
