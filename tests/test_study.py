"""The table of a study: its rows, what stands beside them, and how Markdown and LaTeX show them."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_files import read, write, write_evaluation, write_summary

from avzsl.cli import study as command
from avzsl.report.collect import read_evaluations
from avzsl.report.markup import Sheet, as_latex, as_markdown, escape_latex
from avzsl.report.study import results
from avzsl.report.study.results import COLUMNS, results_sheet, study_rows
from avzsl.report.study.spec import read_spec
from avzsl.report.tables import COLUMNS as RESULT_COLUMNS
from avzsl.report.tables import LABELS, METRICS, id_file, set_aside_outdated

ROWS = [
    {"label": "prox only", "method": "ez-avgzl@1", "published": "EZ-AVGZL Table 5: prox only"},
    {"label": "rank + sep", "method": "ez-avgzl", "published": "EZ-AVGZL Table 5: rank + sep"},
    {"label": "a_b & 50 % | {x}", "method": "ez-avgzl@2"},
]


def study(step: str, *arguments: object) -> None:
    """Run ``avzsl study`` as the command line does."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(parser.parse_args([step, *map(str, arguments)]))


def spec_of(rows: list[dict[str, Any]], **values: Any) -> dict[str, Any]:
    """Return a study of rows on VGGSound with VGGish and C3D features, two runs each."""
    shared = {"dataset": "vggsound", "benchmark": "vggsound", "features": "vggish-c3d", "runs": 2}
    made = [shared | row for row in rows]
    return {"study": "table5", "title": "T_5", "caption": "All of it.", "rows": made} | values


@pytest.fixture
def evaluations(tmp_path: Path) -> list[Path]:
    hms = {"ez-avgzl@1": 10.0, "ez-avgzl": 14.0, "ez-avgzl@2": 14.0}
    return [
        write_evaluation(tmp_path, method, seed, hm=hm + seed, notes=["untrained features"])
        for method, hm in hms.items()
        for seed in (0, 1)
    ]


def made(evaluations: list[Path], rows: list[dict[str, Any]] = ROWS) -> list[dict[str, str]]:
    return study_rows(read_spec(json.dumps(spec_of(rows))), read_evaluations(evaluations))


def test_rows_hold_means_published_numbers_and_differences(evaluations: list[Path]) -> None:
    first, second, third = made(evaluations)
    assert tuple(first) == COLUMNS
    assert (first["label"], first["dataset"], first["features"]) == (
        "prox only",
        "vggsound",
        "vggish-c3d",
    )
    assert (first["method"], first["seeds"]) == ("ez-avgzl@1", "2")
    assert (first["hm_mean"], first["hm_sd"], first["seen_mean"]) == ("10.50", "0.71", "17.50")
    assert (first["published_hm"], first["difference_hm"]) == ("10.46", "0.04")
    assert second["difference_unseen"] == "-2.28"
    assert second["published_source"] == "EZ-AVGZL Table 5"
    assert third["published_hm"] == third["difference_hm"] == third["nearest_after"] == ""
    assert third["notes"] == "untrained features"


def test_columns_are_those_of_result_tables_and_more() -> None:
    assert [name for name in COLUMNS if name in RESULT_COLUMNS] == list(RESULT_COLUMNS)
    assert [name for name in COLUMNS if name not in RESULT_COLUMNS] == [
        *("study", "label", "dataset", "features"),
        *(f"difference_{metric}" for metric in METRICS),
        *results.GEOMETRY,
    ]
    assert COLUMNS[-5:] == ("published_source", "notes", *results.GEOMETRY)
    assert tuple(LABELS) == METRICS == ("seen", "unseen", "hm", "zsl")


def test_a_misprint_is_said_at_the_source(evaluations: list[Path]) -> None:
    rows = [{"label": "x", "published": "EZ-AVGZL Table 5: no CEP"}]
    (row,) = made(evaluations[:2], rows)
    assert "HM misprinted" in row["published_source"]
    assert (row["published_zsl"], row["difference_zsl"]) == ("", "")


def test_numbers_of_other_data_do_not_stand_beside(evaluations: list[Path]) -> None:
    over: list[dict[str, Any]] = [
        {"benchmark": "ucf", "dataset": "ucf"},
        {"features": "imagebind"},
        {"benchmark": None},
    ]
    elsewhere, other, own = made(
        evaluations, [row | ROWS[0] | {"label": str(i)} for i, row in enumerate(over)]
    )
    for row in (elsewhere, other, own):
        assert row["published_hm"] == row["difference_hm"] == row["published_source"] == ""
    assert "EZ-AVGZL Table 5 is of vggsound with vggish-c3d" in elsewhere["notes"]
    assert "no published number" in other["notes"]
    assert "no published number" not in own["notes"]


def test_numbers_of_another_split_do_not_stand_beside(evaluations: list[Path]) -> None:
    splits = ("main", "cls", None)
    rows: list[dict[str, Any]] = [{**ROWS[0], "split": s, "label": str(s)} for s in splits]
    main, cls, unknown = made(evaluations, rows)
    assert main["published_hm"] == main["difference_hm"] == main["published_source"] == ""
    assert main["notes"] == (
        "untrained features; no published number, EZ-AVGZL Table 5 is of vggsound with vggish-c3d, "
        "split cls"
    )
    for row in (cls, unknown):
        assert (row["published_hm"], row["notes"]) == ("10.46", "untrained features")


def test_a_paper_of_several_tables_is_named_by_each_of_them(evaluations: list[Path]) -> None:
    rows = [ROWS[0] | {"published": "EZ-AVGZL: TCaF", "split": "main"}]
    (row,) = made(evaluations[:2], rows)
    for place, data in (("1", "vggsound"), ("2", "ucf"), ("3", "activitynet")):
        assert f"EZ-AVGZL Table {place} is of {data} with vggish-c3d, split cls" in row["notes"]


def test_class_embeddings_stand_beside_rows_that_optimise_them(
    tmp_path: Path, evaluations: list[Path]
) -> None:
    summary = write_summary(tmp_path, "s")
    rows = made(evaluations, [ROWS[0] | {"classes": str(summary)}, *ROWS[1:]])
    assert (rows[0]["nearest_before"], rows[0]["nearest_after"]) == ("0.3000", "0.6123")
    assert (rows[0]["rank_correlation"], rows[1]["rank_correlation"]) == ("0.9000", "")


def test_class_embeddings_of_another_id_are_refused(
    tmp_path: Path, evaluations: list[Path]
) -> None:
    row = ROWS[0] | {"classes": str(write_summary(tmp_path, "s")), "classes_id": "s"}
    assert made(evaluations, [row, *ROWS[1:]])[0]["nearest_before"] == "0.3000"
    with pytest.raises(ValueError, match=r"its id is 's', expected was 'other'"):
        made(evaluations, [row | {"classes_id": "other"}, *ROWS[1:]])


def test_the_table_reads_well(evaluations: list[Path]) -> None:
    rows = made(evaluations)
    sheet = results_sheet(read_spec(json.dumps(spec_of(ROWS))), rows)
    text = as_markdown([sheet])
    assert sheet.head[:5] == ("variant", "S", "U", "HM", "ZSL")
    assert "| 15.75 / 7.83 / 10.46 / 8.26 | +1.75 / +0.17 / +0.04 / +0.74 |" in text
    assert "| rank + sep | 17.50 ± 0.71 | 8.00 ± 0.00 | **14.50 ± 0.71** |" in text
    assert text.count("**14.50 ± 0.71**") == 2 and "**8.00" not in text, "ties and all alike"
    assert "- Chance for ZSL: 50.00; 2 unseen classes with 8 clips, 2 seen classes" in text
    assert "- Published: EZ-AVGZL Table 5: prox only, rank + sep." in text
    assert "- all rows: untrained features." in text
    assert "dataset" not in sheet.head and "features" not in sheet.head


def test_the_best_is_of_its_dataset_and_rows_say_theirs(evaluations: list[Path]) -> None:
    rows = [{"label": "a"}, {"label": "b"}, {"label": "a", "dataset": "ucf"}]
    found = made(evaluations, rows)
    found[2]["zsl_chance"] = "11.11"
    sheet = results_sheet(read_spec(json.dumps(spec_of(rows))), found)
    assert sheet.head[:2] == ("variant", "dataset") and sheet.align.startswith("llr")
    assert {row for row, _ in sheet.bold} == {1}, "one row alone is not the best of its dataset"
    assert sheet.rules == {2}
    assert any(note.startswith("Chance for ZSL (ucf): 11.11") for note in sheet.notes)
    assert any(note.startswith("Chance for ZSL (vggsound): 50.00") for note in sheet.notes)


def test_all_files_are_written(
    tmp_path: Path, evaluations: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [path.stem for path in evaluations]
    spec = write(tmp_path / "spec.json", spec_of(ROWS, run_ids=ids))
    out = tmp_path / "tables" / "table5.csv"
    arguments = ["--spec", spec, "--table-id", "T", "--out", out, "--", *evaluations]
    study("table", *arguments)
    assert [row["label"] for row in read(out)] == [row["label"] for row in ROWS]
    assert json.loads(id_file(out).read_text(encoding="utf-8")) == {"table_id": "T"}
    text = out.with_suffix(".md").read_text(encoding="utf-8")
    assert text.strip() == capsys.readouterr().out.strip()
    assert r"a\_b & 50 % \| {x}" in text
    tex = out.with_suffix(".tex").read_text(encoding="utf-8")
    assert r"a\_b \& 50 \% $|$ \{x\}" in tex and r"17.50\,{\scriptsize$\pm$0.71}" in tex
    check_latex(tex)
    set_aside_outdated(out, "other")
    assert sorted(path.suffix for path in out.parent.glob("table5*")) == [".outdated"] * 3
    wrong = [*arguments[:1], json.dumps(spec_of(ROWS, run_ids=[*ids[:-1], "x"])), *arguments[2:]]
    with pytest.raises(ValueError, match="is of another run"):
        study("table", *wrong)


def check_latex(text: str) -> None:
    """Check what a compiler would refuse: environments, braces, cells of a row, bare signs."""
    opened: list[str] = []
    for step, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        opened.append(name) if step == "begin" else None
        assert step == "begin" or opened.pop() == name
    assert not opened
    bare = re.sub(r"\\.|%.*", "", text)
    assert bare.count("{") == bare.count("}") and bare.count("$") % 2 == 0
    assert not re.search(r"[±−→≤≥α]", text)
    for table in text.split(r"\begin{tabular}")[1:]:
        columns = re.match(r"\{([lr]+)\}", table)
        assert columns
        assert not re.search(r"(\\toprule|\\midrule|\\\\)\s*\[", table), "read as an option"
        for line in re.findall(r"^(.*) \\\\$", table.split(r"\end{tabular}")[0], re.M):
            assert len(re.findall(r"(?<!\\)&", line)) == len(columns[1]) - 1


def test_latex_escapes_what_it_would_read_otherwise() -> None:
    assert escape_latex("a_b\\{50 %}") == r"a\_b\textbackslash{}\{50 \%\}"
    assert escape_latex("α ± 1\n<x>") == r"$\alpha$ $\pm$ 1 $<$x$>$"
    sheet = Sheet(name="x_1", title="", caption="", head=("[a]",), align="l", body=(("[b]",),))
    text = as_latex([sheet])
    check_latex(text)
    assert r"\label{tab:x-1}" in text and r"\caption" not in text and "{}[b]" in text


@given(st.text(alphabet="ab {}[]\\$&%#_^~<>|\"'±−→α\n", max_size=12))
def test_any_label_makes_latex_that_compiles_and_a_markdown_row(text: str) -> None:
    body = ((text, "1"), ("x", text))
    sheet = Sheet(
        name=text, title=text, caption=text, head=("a", text), align="lr", body=body, notes=(text,)
    )
    check_latex(as_latex([sheet]))
    table = [line for line in as_markdown([sheet]).splitlines() if line.startswith("| ")]
    assert len(table) == 4
    assert {len(re.sub(r"\\.", "", line).split("|")) for line in table} == {4}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": []}, r"rows of table5 must be .* at least one row.*that optimise.*one must"),
        ({"rowz": []}, r"has no key 'rowz'. Did you mean 'rows'"),
        ({"rows": [{"label": "a"}]}, "row 0 lacks 'dataset'"),
        ({"rows": [{"label": "a", "dataset": "d", "run": 1}]}, "Did you mean 'runs'"),
        ({"rows": [{"label": "a", "dataset": "d"}] * 2}, "stand twice"),
    ],
)
def test_a_wrong_spec_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_spec(json.dumps(spec_of(ROWS) | change))


def test_a_spec_that_is_no_json_or_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--spec is no JSON"):
        read_spec("{")
    with pytest.raises(FileNotFoundError):
        read_spec(str(tmp_path / "none.json"))
    with pytest.raises(ValueError, match="lacks 'study'"):
        read_spec(str(write(tmp_path / "empty.json", {})))


def test_evaluations_that_do_not_fit_the_rows_are_refused(evaluations: list[Path]) -> None:
    with pytest.raises(ValueError, match=r"wants 6 evaluations.*got 5"):
        made(evaluations[:5])
    with pytest.raises(ValueError, match=r"wants 4 evaluations.*got 6"):
        made(evaluations, ROWS[:2])
    with pytest.raises(ValueError, match=r"at least one a row .*b: 0"):
        made(evaluations[:2], [{"label": "a"}, {"label": "b", "runs": 0}])
    with pytest.raises(ValueError, match="one method with different seeds"):
        made([evaluations[0], evaluations[3], *evaluations[2:]])
    with pytest.raises(ValueError, match="one method with different seeds"):
        made([evaluations[0], evaluations[0], *evaluations[2:]])
    with pytest.raises(LookupError, match="Did you mean 'prox only'"):
        wrong = {"label": "x", "published": "EZ-AVGZL Table 5: prox", "benchmark": None}
        made(evaluations[:2], [wrong])


def test_no_torch_is_needed() -> None:
    code = (
        "import sys, avzsl.report.study.results, avzsl.report.study.classes\n"
        "import avzsl.report.study.neighbours, avzsl.report.study.bars, avzsl.report.study.sweep\n"
        "import avzsl.classes.summary\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
