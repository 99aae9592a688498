"""The rule ``figures`` on a small project: every figure, from files that the rules leave."""

import h5py
import pytest
from project import make_project

pytestmark = pytest.mark.slow

FOLDER = "results/figures/mine_signal"
NAMES = {"methods", "training", "confusion", "bias", "per_class", "embeddings"}


def test_every_figure_comes_from_one_job_and_is_then_up_to_date(tmp_path):
    project = make_project(tmp_path / "project")
    target = f"{FOLDER}/bias.png"
    jobs = project.jobs(target)
    assert jobs.count("figures") == 1
    assert {"embed_classes", "evaluate devise 0", "evaluate ez-avgzl 0"} <= set(jobs)
    folder = project.path / FOLDER
    assert {path.name for path in folder.iterdir()} == {
        f"{name}.{kind}" for name in NAMES for kind in ("png", "pdf")
    }
    assert project.jobs(*(f"{FOLDER}/{name}.png" for name in NAMES)) == []
    evaluated = project.path / "results/evaluations/mine/signal"
    for method, has_classes in (("devise", True), ("ez-avgzl", False)):
        with h5py.File(evaluated / method / "seed0.h5") as file:
            assert len(file["clips"]) == len(file["labels"]) > 0
            assert ("classes" in file) is has_classes
    (evaluated / "devise" / "seed0.h5").unlink()
    (project.path / target).unlink()
    assert project.jobs(target) == ["evaluate devise 0", "figures"]
