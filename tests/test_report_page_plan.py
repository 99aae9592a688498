"""Which studies the report page takes, and what it may make for them; dry runs of its rule."""

import re
from collections import Counter

import pytest
from project import CONFIG, Project, jobs_in

PAGE = "results/report.html"
ONE_EPOCH = {"depth": 1, "training": {"epochs": 1}}
STUDIES = {
    "ours": {
        "dataset": "mine",
        "features": "signal",
        "figures": ["bars"],
        "base": {"method": "ez-avgzl", "options": ONE_EPOCH},
        "variants": {"raw": {"options": {"classes": "original"}}, "optimised": {}},
    },
    "theirs": {"dataset": "vggsound", "features": "signal", "variants": ["devise"]},
    "near": {
        "dataset": "mine",
        "features": "signal",
        "shows": "neighbours",
        "variants": {"ranking": {"method": "ez-avgzl"}},
    },
}

pytestmark = pytest.mark.slow


@pytest.fixture()
def project(tmp_path):
    """A project of clips that are nothing but names: nothing runs."""
    project = Project(tmp_path)
    rows = [
        [f"{name}{i}.mp4", name, subset]
        for name, subset in (("dog", "train"), ("cat", "val_unseen"), ("cow", "test_unseen"))
        for i in range(2)
    ]
    rows += [["dog8.mp4", "dog", "val_seen"], ["dog9.mp4", "dog", "test_seen"]]
    for path, _, _ in rows:
        (tmp_path / path).write_bytes(path.encode())
    project.write_rows([["path", "class", "subset"], *rows])
    project.write_config(CONFIG)
    project.edit(tables=["mine_signal"], studies=STUDIES, studies_on=["mine_signal"])
    return project


def plan(project, *files):
    """Return jobs of a dry run, what the page is made from, and what is left out.

    The ``files`` are there.
    """
    for name in files:
        (project.path / name).parent.mkdir(parents=True, exist_ok=True)
        (project.path / name).write_bytes(b"")
    printed = project.run("--dry-run", PAGE)
    (inputs,) = re.findall(r"^(?:local)?rule report:\n    input: (.*)$", printed, re.M)
    jobs = Counter(job.split()[0] for job in jobs_in(printed))
    return jobs, inputs.split(", "), re.findall(r"Not on the report page: (\S+)\.", printed)


def test_a_figure_without_its_table_trains_nothing(project):
    folder = "results/figures/studies"
    jobs, inputs, left_out = plan(project, f"{folder}/ours.png", f"{folder}/mine_signal/ours.png")
    assert jobs["train"] == 2, "the methods of the result table, and nothing of a study"
    assert not [path for path in inputs if "studies" in path] and not left_out
    assert not any(name.startswith("study") for name in jobs)


def test_a_study_is_taken_wherever_it_was_carried_out(project):
    here, there = "results/tables/ours.csv", "results/tables/mine_signal/theirs.csv"
    gone = "results/tables/theirs.csv"
    jobs, inputs, left_out = plan(project, here, there, gone, "results/figures/studies/ours.png")
    assert {here, there, "results/figures/studies/ours.png"} <= set(inputs)
    assert gone not in inputs, "its dataset is not configured"
    assert left_out == [gone]
    folder = "results/evaluations/mine/signal"
    runs = [path for path in inputs if path.startswith(f"{folder}/ez-avgzl@")]
    assert len(runs) == 2 and f"{folder}/devise/seed0.json" in inputs
    assert jobs["study"] == jobs["study_on"] == jobs["study_bars"] == 1


def test_tables_of_class_embeddings_need_no_runs(project):
    tables = ["results/tables/near.csv", "results/tables/mine_signal/ours.classes.csv"]
    jobs, inputs, left_out = plan(project, *tables)
    assert set(tables) <= set(inputs)
    assert "results/classes/mine/signal-text/optimised.json" in inputs
    assert jobs["train"] == 2 and not left_out
    assert not [path for path in inputs if "@" in path and "evaluations" in path]
