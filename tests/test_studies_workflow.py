"""Studies in the workflow: what runs, what is shared, what runs again; real jobs, tiny models."""

import csv

import pytest
from project import Project, make_project

pytestmark = pytest.mark.slow

ONE_EPOCH = {"depth": 1, "training": {"epochs": 1}}
STUDIES = {
    "objectives": {
        "title": "Objectives & more",
        "dataset": "mine",
        "features": "signal",
        "figures": ["bars", "confusion", "embeddings"],
        "base": {"method": "ez-avgzl", "options": ONE_EPOCH},
        "variants": {
            "none": {"options": {"classes": "original"}},
            "prox_only": {"classes": {"objective": "proximity"}},
            "rank": {},
        },
    },
    "sweep": {
        "dataset": "mine",
        "features": "signal",
        "figures": ["sweep"],
        "base": {"method": "ez-avgzl", "options": ONE_EPOCH},
        "variants": {"alpha 0.5": {}, "alpha 0.9": {"classes": {"alpha": 0.9}}},
    },
    "near": {
        "dataset": "mine",
        "features": "signal",
        "shows": "neighbours",
        "variants": {"ranking": {"method": "ez-avgzl"}},
    },
    "linear": {"dataset": "mine", "features": "signal", "variants": ["devise"]},
}
CLASSES = "results/tables/objectives.classes.csv"
TABLE = "results/tables/objectives.csv"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("studies") / "project")
    project.edit(studies=STUDIES)
    project.jobs("tables")
    return project


@pytest.fixture()
def project(finished, tmp_path):
    return finished.copy(tmp_path / "project")


def rows(project: Project, name: str) -> list[dict[str, str]]:
    with (project.path / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def kinds(jobs: list[str]) -> set[str]:
    return {job.split()[0] for job in jobs}


def test_every_table_and_figure_of_every_study_is_there(finished):
    found = {
        str(path.relative_to(finished.path / "results"))
        for folder in ("tables", "figures/studies")
        for path in (finished.path / "results" / folder).glob("*")
        if not path.name.startswith(".")
    }
    names = ["objectives", "objectives.classes", "sweep", "sweep.classes", "near", "linear"]
    wanted = {f"tables/{name}.{kind}" for name in names for kind in ("csv", "md", "tex")}
    figures = ["objectives", "objectives.confusion", "objectives.embeddings"]
    figures += ["sweep.sweep", "linear"]
    wanted |= {f"figures/studies/{name}.{kind}" for name in figures for kind in ("png", "pdf")}
    assert found == wanted
    assert "Nothing to be done" in finished.run("tables")


def test_rows_are_the_variants_and_equal_ones_share_their_runs(finished):
    found = rows(finished, TABLE)
    assert [row["label"] for row in found] == ["none", "prox_only", "rank"]
    assert {row["seeds"] for row in found} == {"1"}
    runs = finished.path / "results/models/mine/signal"
    assert len(list(runs.glob("*/seed0.pt"))) == 5  # two studies have "rank" in common
    hm = {row["label"]: row["hm_mean"] for row in rows(finished, "results/tables/sweep.csv")}
    assert found[2]["hm_mean"] == hm["alpha 0.5"]
    latex = (finished.path / "results/tables/objectives.tex").read_text(encoding="utf-8")
    assert r"Objectives \& more" in latex and r"prox\_only" in latex


def test_a_changed_variant_trains_that_one_alone(project):
    changed = {"rank": {"classes": {"margin": 0.5}}}
    project.edit(studies={"objectives": {"variants": changed}})
    jobs = project.jobs(TABLE)
    assert kinds(jobs) == {"optimise_classes", "train", "evaluate", "study"}
    assert len(jobs) == 4


def test_a_changed_label_trains_nothing(project):
    project.edit(studies={"objectives": {"title": "Other"}})
    assert project.jobs(TABLE) == ["study"]


def test_a_table_of_other_settings_does_not_outlive_a_failed_run(project):
    project.edit(encoders={"signal-visual": {"size": 48}}, extraction={"timeout_seconds": 0.001})
    assert "clips failed" in project.run("--keep-going", TABLE, rc=1)
    for suffix in ("csv", "md", "tex"):
        assert not (project.path / f"results/tables/objectives.{suffix}").exists()
        assert (project.path / f"results/tables/objectives.{suffix}.outdated").exists()


def test_class_tables_need_neither_clips_nor_training(project):
    for folder in ("features", "models", "evaluations", "tables", "classes"):
        (project.path / "results" / folder).rename(project.path / f"{folder}.gone")
    jobs = project.jobs(CLASSES, "results/tables/near.csv")
    wanted = {"embed_classes", "optimise_classes", "study_classes", "study_neighbours"}
    assert kinds(jobs) == wanted
    found = rows(project, CLASSES)
    assert [row["label"] for row in found] == ["prox_only", "rank"]
    assert all(float(row["nearest_after"]) > 0 for row in found)


def test_a_study_is_carried_out_elsewhere(project):
    project.edit(datasets={"again": {"kind": "table", "path": "clips.csv", "features_of": "mine"}})
    target = "results/tables/again_signal/objectives.csv"
    jobs = project.jobs(target)
    assert kinds(jobs) >= {"manifest", "train", "study_on"}
    assert not any(job.startswith(("extract", "index")) for job in jobs)
    assert {row["dataset"] for row in rows(project, target)} == {"again"}
    here = [row["hm_mean"] for row in rows(project, TABLE)]
    assert [row["hm_mean"] for row in rows(project, target)] == here


def test_a_study_without_its_dataset_says_so(project):
    project.edit(studies={"linear": {"dataset": "vggsound"}})
    printed = project.run("results/tables/linear.csv", rc=1)
    assert "studies.linear needs 'vggsound'" in printed
