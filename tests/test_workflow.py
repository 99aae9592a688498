"""What the workflow runs, and when it runs it again; with real clips, real jobs, tiny models."""

import shutil
import subprocess
import sys

import h5py
import pytest
from project import TABLE, Project, make_project

pytestmark = pytest.mark.slow

RUN = ["devise 0", "ez-avgzl 0"]
TRAIN = [f"{rule} {run}" for rule in ("evaluate", "train") for run in RUN]
AUDIO = ["extract_audio 0000", "extract_audio 0001"]
VISUAL = ["extract_visual 0000", "extract_visual 0001"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("finished") / "project")
    once = ["manifest", "embed_classes", "optimise_classes", "index", "index", "table"]
    assert project.jobs() == sorted([*once, *AUDIO, *VISUAL, *TRAIN])
    return project


@pytest.fixture()
def project(finished, tmp_path):
    return finished.copy(tmp_path / "project")


def test_a_second_run_does_nothing(project):
    assert "Nothing to be done" in project.run()


def test_a_touched_config_or_log_runs_nothing(project):
    (project.path / "config.yaml").touch()
    shutil.rmtree(project.path / "logs")
    assert project.jobs() == []


def test_an_added_clip_extracts_one_shard_per_encoder(project):
    rows = project.rows()
    name = "one more.mp4"
    shutil.copy(project.path / rows[1][0], project.path / name)
    project.write_rows([*rows, [name, *rows[1][1:]]])
    jobs = project.jobs()
    extracted = [job for job in jobs if job.startswith("extract")]
    assert [job.split()[0] for job in extracted] == ["extract_audio", "extract_visual"]
    assert len({job.split()[1] for job in extracted}) == 1
    assert sorted(set(jobs) - set(extracted)) == sorted(["manifest", "index", "table", *TRAIN])
    with h5py.File(project.path / "results/features/mine/signal-audio/index.h5") as index:
        assert name.encode() in index["video_id"][:]


def test_a_changed_visual_option_extracts_no_audio(project):
    project.edit(encoders={"signal-visual": {"size": 48}})
    assert project.jobs() == sorted([*VISUAL, "index", "table", *TRAIN])


def test_a_changed_learning_rate_trains_that_method_alone(project):
    project.edit(methods={"devise": {"training": {"learning_rate": 0.01}}})
    assert project.jobs() == ["evaluate devise 0", "table", "train devise 0"]


def test_changed_class_optimisation_reaches_only_methods_that_use_it(project):
    project.edit(classes={"alpha": 0.25})
    assert project.jobs() == [
        "evaluate ez-avgzl 0",
        "optimise_classes",
        "table",
        "train ez-avgzl 0",
    ]


def test_a_new_split_extracts_nothing(project):
    rows = project.rows()
    header, first = rows[0], rows[1]
    assert header == ["path", "class", "subset"]
    row = next(row for row in rows if row[2] == "train" and row[1] != first[1])
    row[2] = "val_seen"
    project.write_rows(rows)
    assert project.jobs() == sorted(["manifest", "table", *TRAIN])


def test_a_deleted_shard_is_made_again(project):
    """The index is virtual: without its shards it holds nothing, though it is still there."""
    (project.path / "results/features/mine/signal-visual/0001.h5").unlink()
    (project.path / TABLE).unlink()
    table = project.path / "results/evaluations/mine/signal/devise/seed0.json"
    before = table.read_bytes()
    table.unlink()
    assert project.jobs() == sorted(["extract_visual 0001", "index", "table", *TRAIN])
    assert table.read_bytes() == before


def test_a_failure_after_a_change_is_planned_again_and_leaves_no_current_table(project):
    """An encoder changes and all its shards fail: the old table must not pass for the new one."""
    project.edit(encoders={"signal-visual": {"size": 48}}, extraction={"timeout_seconds": 0.001})
    printed = project.run("--keep-going", TABLE, rc=1)
    assert "clips failed" in printed
    assert not (project.path / TABLE).exists()
    assert (project.path / f"{TABLE}.outdated").exists()
    project.edit(extraction={"timeout_seconds": 60})
    assert project.jobs() == sorted([*VISUAL, "index", "table", *TRAIN])
    assert (project.path / TABLE).exists()


def test_statistics_come_from_the_evaluations_and_do_not_outlive_them(project):
    target = "results/mine_signal.statistics.csv"
    assert project.jobs(target) == ["statistics"]
    assert project.jobs(target) == []
    files = [project.path / name for name in (target, target.replace(".csv", ".md"))]
    assert all("ez-avgzl" in path.read_text(encoding="utf-8") for path in files)
    project.edit(encoders={"signal-visual": {"size": 48}}, extraction={"timeout_seconds": 0.001})
    assert "clips failed" in project.run("--keep-going", target, rc=1)
    assert not any(path.exists() for path in files)


def test_lost_metadata_cannot_pass_off_old_features(project):
    project.edit(encoders={"signal-visual": {"size": 48}})
    shutil.rmtree(project.path / ".snakemake")
    (project.path / TABLE).unlink()
    printed = project.run(rc=1)
    assert "is of another run" in printed
    shutil.rmtree(project.path / "results/evaluations")
    shutil.rmtree(project.path / "results/models")
    assert "index of other features" in project.run(rc=1)
    (project.path / "results/features/mine/signal-visual/index.h5").unlink()
    assert "another version of the encoder" in project.run(rc=1)
    assert not (project.path / TABLE).exists()


def test_rows_of_an_unchanged_clip_are_taken_over_bit_for_bit(project):
    """Only the new clip of a touched shard is encoded; the others keep their features."""
    shard = project.path / "results/features/mine/signal-audio/0000.h5"

    def features(path):
        with h5py.File(path) as file:
            ids = [x.decode() for x in file["video_id"][:]]
            parts = zip(ids, file["offsets"][:-1], file["offsets"][1:], strict=True)
            return {name: file["features"][a:b].tobytes() for name, a, b in parts}

    before = features(shard)
    rows = project.rows()
    for i in range(8):
        shutil.copy(project.path / rows[1][0], project.path / f"more {i}.mp4")
    project.write_rows([*rows, *([f"more {i}.mp4", *rows[1][1:]] for i in range(8))])
    project.run()
    after = features(shard)
    assert len(after) > len(before)
    assert before == {name: after[name] for name in before}


def test_lint_and_format(root):
    lint = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"], cwd=root, capture_output=True, text=True
    )
    assert lint.returncode == 0, lint.stdout + lint.stderr
    assert "Congratulations" in lint.stdout + lint.stderr


def test_parsing_the_shipped_config_is_quick_and_torch_free(root):
    code = (
        "import sys, yaml, time\n"
        "from pathlib import Path\n"
        "from avzsl.config import load_config\n"
        "from avzsl.planning import Plan\n"
        "raw = yaml.safe_load(open('config.yaml'))\n"
        "plan = Plan(load_config(raw, 'workflow/schemas/config.schema.json'), Path.cwd())\n"
        "print(plan.table_id('demo', 'signal'))\n"
        "assert 'torch' not in sys.modules and 'av' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


def test_a_copy_of_a_finished_project_is_finished(project: Project):
    assert project.jobs() == []
