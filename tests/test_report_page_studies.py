"""Studies on the report page: their runs, their class embeddings, and tables of something else."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from study_files import write_evaluation, write_summary

from avzsl.classes.store import write_classes
from avzsl.cli.report import study_rows
from avzsl.config import load_config
from avzsl.planning import Plan
from avzsl.report.page.contents import Inputs, studies_section
from avzsl.report.page.features import class_table
from avzsl.report.page.runs import count_origins, each_once
from avzsl.report.page.study_runs import StudyRowFiles, read_row_runs, study_runs_section
from avzsl.types import ClassEmbeddings


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def evaluation(root, run, seed, **values):
    """Write an evaluation where the workflow has it."""
    folder = root / "results/evaluations/ucf/clip" / run
    folder.mkdir(parents=True, exist_ok=True)
    return write_evaluation(folder, run, seed, **values).rename(folder / f"seed{seed}.json")


def row(study, label, evaluations=(), *, classes="clip/optimised@0a1b2c3d", **more):
    files = {"classes_file": Path("classes.h5"), "evaluations": tuple(evaluations)}
    return StudyRowFiles(study=study, label=label, classes=classes, **files | more)


def test_runs_of_a_study_stand_with_their_row_epoch_bias_and_id(tmp_path):
    seeds = [evaluation(tmp_path, "ez@12", seed, bias=0.25, epoch=7 + seed) for seed in (0, 1)]
    rows = [row("table9", "alpha 0.5", seeds)]
    section = study_runs_section(rows, read_row_runs(rows))
    (table,) = section.tables
    assert table.folded and table.caption == "Runs of the study table9"
    assert [head.label for head in table.heads] == [
        "rows", "class embeddings", "run", "dataset", "features", "seed", "epoch", "bias",
        "run id", "classes left out",
    ]  # fmt: skip
    assert texts(table) == [
        ["alpha 0.5", "clip/optimised@0a1b2c3d", "ez@12", "ucf", "clip", str(seed), str(7 + seed),
         "0.25", f"ez@12-{seed}", "none"]
        for seed in (0, 1)
    ]  # fmt: skip


def test_a_shared_run_stands_once_with_the_rows_of_all_studies(tmp_path):
    shared, own = evaluation(tmp_path, "ez@12", 0), evaluation(tmp_path, "ez@34", 0)
    rows = [
        row("table5", "rank", [shared]),
        row("ucf_clip/table9", "alpha 0.5", [shared]),
        row("ucf_clip/table9", "alpha 0.9", [own]),
        row("figure1", "ours", [shared]),
        row("table6", "no runs"),
    ]
    runs = read_row_runs(rows)
    section = study_runs_section(rows, runs)
    assert [table.caption for table in section.tables] == [
        "Runs of the study table5",
        "Runs of the study ucf_clip/table9",
    ]
    first, second = map(texts, section.tables)
    assert first[0][0] == "rank; ucf_clip/table9: alpha 0.5; figure1: ours"
    assert len(first) == 1 and [cells[0] for cells in second] == ["alpha 0.9"]
    assert section.paragraphs[1:] == (
        "ucf_clip/table9 shares the runs of: alpha 0.5 (under table5).",
        "figure1 shares the runs of: ours (under table5).",
    )
    assert study_runs_section(rows[-1:], {}) is None


def test_versions_count_a_run_once_that_a_table_and_a_study_share(tmp_path):
    path = evaluation(tmp_path, "devise", 0, origin={"trained_by": {"git": "abc"}})
    rows = [row("table1", "DeViSE", [path])]
    runs = read_row_runs(rows)
    origins = count_origins(each_once([*runs.values(), *runs.values()]), {})
    assert list(origins.values()) == [1]


def test_a_run_that_is_none_is_refused(tmp_path):
    path = evaluation(tmp_path, "ez@12", 0)
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"seed0\.json is no evaluation of avzsl: it has no"):
        read_row_runs([row("table9", "alpha 0.5", [path])])


def test_class_embeddings_of_studies_are_told_of_by_their_summaries(tmp_path):
    folder = tmp_path / "ucf" / "clip"
    folder.mkdir(parents=True)
    original, optimised = folder / "original.h5", folder / "optimised@0a1b2c3d.h5"
    embeddings = ClassEmbeddings(names=("a", "b"), vectors=np.eye(2, dtype=np.float32))
    write_classes(original, embeddings, id="the original", options={})
    values = {"classes_id": "the optimised", "alpha": 0.9, "converged": False}
    summary = write_summary(folder, "optimised@0a1b2c3d", **values)
    rows = [
        row("table5", "none", classes_file=original),
        row("table9", "alpha 0.9", classes_file=optimised, summary=summary),
        row("table6", "cosine", classes_file=optimised, summary=summary),
    ]
    table = class_table([original], rows)
    assert texts(table) == [
        ["ucf/clip/original.h5", "original", "–", "–", "the original", "–", "table5: none"],
        ["ucf/clip/optimised@0a1b2c3d.h5", "optimised", "400", "no", "the optimised",
         'objective "margin-ranking", distance "cosine", alpha 0.9, margin 1.0',
         "table9: alpha 0.9; table6: cosine"],
    ]  # fmt: skip
    assert "rows of studies" not in [head.label for head in class_table([original]).heads]


@pytest.mark.parametrize("name", ["table9", "ucf_clip/table9"])
def test_a_table_of_class_embeddings_of_something_else_is_refused(tmp_path, name):
    path = tmp_path / "tables" / f"{name}.classes.csv"
    path.parent.mkdir(parents=True)
    path.write_text("label,alpha\nx,0.5\n")
    (path.parent / ".table9.classes.csv.id.json").write_text(json.dumps({"table_id": "one"}))
    ids = {name: "of the accuracies", f"{name}.classes": "one"}
    assert studies_section(Inputs(raw={}, config=None, studies=[path], table_ids=ids))
    ids[f"{name}.classes"] = "other"
    with pytest.raises(ValueError, match=r"classes\.csv was made from something else"):
        studies_section(Inputs(raw={}, config=None, studies=[path], table_ids=ids))


STUDIES = {
    "both": {
        "dataset": "demo",
        "features": "signal",
        "base": {"method": "ez-avgzl"},
        "variants": {"none": {"options": {"classes": "original"}}, "moved": {}},
    },
    "near": {
        "dataset": "demo",
        "features": "signal",
        "shows": "neighbours",
        "variants": {"ranking": {"method": "ez-avgzl"}},
    },
}


@pytest.fixture()
def plan(root, tmp_path):
    page = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    schema = root / "workflow" / "schemas" / "config.schema.json"
    return Plan(load_config(page | {"studies": STUDIES}, schema), tmp_path, is_job=True)


def test_the_command_finds_the_files_of_rows_in_the_configuration(plan):
    tables = [Path("results/tables/both.csv"), Path("results/tables/near.csv")]
    rows = study_rows(plan, ["both", "near"], tables)
    none, moved, near = rows
    seeds = plan.seeds
    assert [path.name for path in moved.evaluations] == [f"seed{seed}.json" for seed in seeds]
    assert none.classes == "signal-text/original" and none.summary is None
    assert none.classes_file == Path("results/classes/demo/signal-text/original.h5")
    assert moved.summary == moved.classes_file.with_suffix(".json")
    assert (near.study, near.label, near.evaluations) == ("near", "ranking", ())


def test_a_study_with_a_table_of_classes_alone_has_no_runs(plan):
    tables = [Path("results/tables/demo_signal/both.classes.csv")]
    (moved,) = study_rows(plan, ["demo_signal/both"], tables)
    assert (moved.study, moved.label, moved.evaluations) == ("demo_signal/both", "moved", ())


def test_a_study_that_is_not_configured_is_refused(plan):
    with pytest.raises(LookupError, match=r"There is no study 'bot'.*both"):
        study_rows(plan, ["bot"], [])
