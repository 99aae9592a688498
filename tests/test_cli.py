"""The command line: help, errors in one line, tables and files shown."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest

from avzsl.cli.main import COMMANDS, main
from avzsl.report.tables import (
    COLUMNS,
    as_text,
    id_file,
    read_table,
    result_rows,
    set_aside_outdated,
    write_table,
)


def evaluation(folder, method, seed, **values):
    """Write what ``avzsl evaluate`` writes, for a run of two seen and two unseen classes."""
    content = {
        "run_id": f"{method}-{seed}",
        "method": method,
        "seed": seed,
        "epoch": 3,
        "seen": 50.0 + seed,
        "unseen": 25.0,
        "hm": 33.0,
        "zsl": 60.0,
        "zsl_chance": 50.0,
        "clips_seen": 10,
        "clips_unseen": 8,
        "classes_seen": 2,
        "classes_unseen": 2,
        "left_out": [],
        "candidates": {"seen": ["a", "b, (c)"], "unseen": ["d", "ü"]},
        "confusions": {"a": {"a": 3, "d": 2}, "ü": {"ü": 1}},
        **values,
    }
    path = folder / f"{method}{seed}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture()
def evaluations(tmp_path):
    return [evaluation(tmp_path, method, seed) for method in ("ez", "devise") for seed in (0, 1, 2)]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0


def test_help_and_errors_need_no_torch(tmp_path):
    code = (
        "import sys\nfrom avzsl.cli.main import main\n"
        f"assert main(['show', {str(tmp_path / 'none.csv')!r}]) == 1\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("avzsl show: error: There is no file")


def test_an_error_is_in_the_log_too(tmp_path, capsys):
    assert main(["--log", str(tmp_path / "x" / "log"), "show", "none.csv"]) == 1
    assert "There is no file none.csv" in (tmp_path / "x" / "log").read_text(encoding="utf-8")
    assert "There is no file none.csv" in capsys.readouterr().err


def test_a_table_has_the_fixed_columns_and_reads_well(tmp_path, evaluations, capsys):
    out = tmp_path / "demo_signal.csv"
    assert main(["table", "--table-id", "t1", "--out", str(out), *map(str, evaluations)]) == 0
    printed = capsys.readouterr().out
    assert "51.00 ± 1.00" in printed
    assert "Chance for ZSL: 50.00 (2 unseen classes, 8 clips" in printed
    header = out.read_text(encoding="utf-8").splitlines()[0]
    assert header == (
        "method,seeds,seen_mean,seen_sd,unseen_mean,unseen_sd,hm_mean,hm_sd,zsl_mean,zsl_sd,"
        "zsl_chance,clips_seen,clips_unseen,classes_seen,classes_unseen,published_seen,"
        "published_unseen,published_hm,published_zsl,published_source,notes"
    )
    rows = read_table(out)
    assert [row["method"] for row in rows] == ["ez", "devise"]
    assert (rows[0]["seen_mean"], rows[0]["seen_sd"]) == ("51.00", "1.00")
    assert main(["show", str(out)]) == 0
    assert capsys.readouterr().out == printed


def test_one_seed_has_no_standard_deviation(tmp_path):
    path = evaluation(tmp_path, "ez", 0)
    out = tmp_path / "t.csv"
    assert main(["table", "--out", str(out), str(path)]) == 0
    assert read_table(out)[0]["seen_sd"] == ""


def test_runs_on_different_clips_are_not_averaged(tmp_path, evaluations, capsys):
    evaluation(tmp_path, "ez", 1, clips_unseen=7)
    assert main(["table", "--out", str(tmp_path / "t.csv"), *map(str, evaluations)]) == 1
    assert "differ in clips_unseen: [7, 8]" in capsys.readouterr().err


def test_evaluations_of_other_runs_are_refused(tmp_path, evaluations, capsys):
    ids = json.dumps([path.stem[:-1] + "-" + path.stem[-1] for path in evaluations])
    arguments = ["--out", str(tmp_path / "t.csv"), *map(str, evaluations)]
    assert main(["table", "--run-ids", ids, *arguments]) == 0
    assert main(["table", "--run-ids", ids.replace("ez-1", "ez-x"), *arguments]) == 1
    assert "is of another run (found ez-1, expected ez-x)" in capsys.readouterr().err


def test_an_outdated_table_is_set_aside(tmp_path, evaluations):
    table = tmp_path / "t.csv"
    main(["table", "--table-id", "old", "--out", str(table), *map(str, evaluations)])
    set_aside_outdated(table, "old")
    assert table.exists()
    set_aside_outdated(table, "new")
    assert not table.exists()
    assert (tmp_path / "t.csv.outdated").exists()
    set_aside_outdated(table, "new")


def test_a_table_without_an_id_is_outdated(tmp_path):
    table = tmp_path / "t.csv"
    write_table(table, [], table_id="x")
    id_file(table).unlink()
    set_aside_outdated(table, "x")
    assert not table.exists()


def test_an_empty_table_can_be_printed():
    assert "method" in as_text(result_rows([]), "title")
    assert len(COLUMNS) == 21


def test_an_hdf5_file_can_be_shown(tmp_path, capsys):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["kind"] = "feature-shard"
        file["features"] = np.zeros((3, 2), np.float32)
    assert main(["show", str(tmp_path / "x.h5")]) == 0
    assert "features" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        ["classes", "embed", "demo", "--kind", "signal-text", "--classes-id", "other"],
        ["manifest", "demo", "--manifest-id", "other"],
        ["demo", "demo", "--clips-id", "other"],
        [
            "extract",
            "demo",
            "--shard",
            "0000",
            "--buckets",
            "1",
            "--kind",
            "signal-audio",
            "--members-id",
            "other",
        ],
    ],
)
def test_a_dataset_that_changed_after_planning_is_refused(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    assert main([*command, "--dataset-kind", "demo", "--out", "out"]) == 1
    assert "not those that the workflow was planned with" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_lists_and_plan(root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    for what, name in (
        ("encoders", "signal-audio"),
        ("methods", "ez-avgzl"),
        ("datasets", "table"),
    ):
        assert main(["list", what]) == 0
        assert name in capsys.readouterr().out
    assert main(["plan"]) == 0
    assert "table results/demo_signal.csv: id " in capsys.readouterr().out
    assert main(["doctor", "--device", "cpu"]) == 0
    assert "decoder" in capsys.readouterr().out
