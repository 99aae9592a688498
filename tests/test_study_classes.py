"""A study seen from its class embeddings: summaries as a table, neighbours before and after."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from study_files import read, write, write_neighbours, write_summary
from test_study import check_latex, study

from avzsl.report.study.classes import COLUMNS, class_rows, classes_sheet
from avzsl.report.study.neighbours import neighbour_rows, neighbour_sheets
from avzsl.report.study.spec import Spec, SpecRow, read_spec


def sweep(folder: Path) -> Spec:
    """Return a study of three rows, of which the last has the original embeddings."""
    rows = tuple(
        SpecRow(
            label=f"alpha {alpha}",
            dataset="demo",
            features="signal",
            encoder="signal-text",
            classes=str(write_summary(folder, f"s{alpha}", alpha=alpha, rank_correlation=known)),
            classes_id=f"s{alpha}",
        )
        for alpha, known in ((0.1, 0.9), (0.5, None))
    )
    return Spec(study="t9", title="Sweep", rows=(*rows, SpecRow(label="none", dataset="demo")))


def test_rows_with_original_embeddings_are_left_out(tmp_path: Path) -> None:
    first, second = class_rows(sweep(tmp_path))
    assert tuple(first) == COLUMNS
    assert (first["label"], first["encoder"], first["alpha"]) == ("alpha 0.1", "signal-text", "0.1")
    assert (first["rank_correlation"], second["rank_correlation"]) == ("0.9000", "")
    assert first["margin"] == "1"
    assert (first["nearest_after"], first["steps"], first["converged"]) == ("0.6123", "400", "yes")


def test_a_study_without_any_is_refused() -> None:
    with pytest.raises(ValueError, match=r"No row of t optimises its class embeddings"):
        class_rows(Spec(study="t", rows=(SpecRow(label="a", dataset="d"),)))


def test_summaries_of_other_embeddings_are_refused(tmp_path: Path) -> None:
    spec = sweep(tmp_path)
    first, *others = spec.rows
    wrong = dataclasses.replace(spec, rows=(dataclasses.replace(first, classes_id="x"), *others))
    with pytest.raises(ValueError, match=r"its id is 's0.1', expected was 'x'"):
        class_rows(wrong)


def test_distances_of_several_kinds_are_not_to_be_compared(tmp_path: Path) -> None:
    spec = sweep(tmp_path)
    rows = class_rows(spec)
    assert not any("cannot be compared" in note for note in classes_sheet(spec, rows).notes)
    rows[0]["distance"] = "l2"
    assert any("cannot be compared" in note for note in classes_sheet(spec, rows).notes)


def test_the_table_of_classes_is_written(tmp_path: Path) -> None:
    spec = sweep(tmp_path)
    inline = {
        "study": "t9",
        "rows": [{"label": r.label, "dataset": r.dataset, "classes": r.classes} for r in spec.rows],
    }
    out = tmp_path / "t9.classes.csv"
    study("classes", "--spec", json.dumps(inline), "--table-id", "C", "--out", out)
    assert [row["alpha"] for row in read(out)] == ["0.1", "0.5"]
    assert "| alpha 0.1 | margin-ranking | cosine | 0.1 | 1 |" in (
        tmp_path / "t9.classes.md"
    ).read_text(encoding="utf-8")
    check_latex((tmp_path / "t9.classes.tex").read_text(encoding="utf-8"))


NEIGHBOURS = [
    ("ice hockey", "playing field, etc.", "0.3000", "skiing", "0.9000", "0.5000"),
    ("skiing", "ice hockey", "0.1000", "ice hockey", "0.7000", "0.7000"),
    ("c_d", "skiing", "0.2600", "skiing", "0.8600", ""),
]


OTHERS = [(*row[:4], "0.9500", row[5]) for row in NEIGHBOURS]


def neighbours(folder: Path, **names: Sequence[tuple[str, ...]]) -> tuple[Spec, list[Path]]:
    """Return a study with a row for each feature set, and the files of neighbours of its rows."""
    paths = [write_neighbours(folder, name, rows) for name, rows in names.items()]
    rows = [
        {"label": "rank", "dataset": "ucf", "features": path.stem}
        | {"classes": str(path.with_suffix(".json")), "classes_id": path.stem}
        for path in paths
    ]
    return read_spec(json.dumps({"study": "t8", "rows": rows})), paths


def test_neighbours_are_kept_whole_and_shown_by_distance(tmp_path: Path) -> None:
    spec, paths = neighbours(tmp_path, a=NEIGHBOURS, b=NEIGHBOURS)
    rows = neighbour_rows(spec, paths)
    assert [row["class"] for row in rows] == ["ice hockey", "skiing", "c_d"] * 2
    sheets = neighbour_sheets(spec, rows, most=2)
    assert [sheet.title for sheet in sheets] == ["t8 (rank, a)", "t8 (rank, b)"]
    assert len({sheet.name for sheet in sheets}) == 2
    *shown, means = sheets[0].body
    assert [cells[0] for cells in shown] == ["skiing", "c_d"]
    assert means == ("mean of 3 classes", "", "0.2200", "", "0.8200", "0.6000")
    assert sheets[0].rules == {2}
    assert "The 2 of 3 classes" in sheets[0].notes[0]
    assert sheets[0].align == "llrlrr" and len(sheets[0].notes) == 1, "nothing else was measured"


def test_semantic_terms_of_classes_are_shown_where_there_are_any(tmp_path: Path) -> None:
    terms = [("0.0000", "0.2000"), ("0.0000", "0.1000"), ("", "")]
    spec, paths = neighbours(
        tmp_path, a=[(*row, *term) for row, term in zip(NEIGHBOURS, terms, strict=True)]
    )
    (sheet,) = neighbour_sheets(spec, neighbour_rows(spec, paths))
    assert sheet.head[-2:] == ("L_sem before", "L_sem after") and sheet.align == "llrlrrrr"
    assert sheet.body[-1][-2:] == ("0.0000", "0.1500")
    assert sheet.notes[-1].startswith("L_sem")


def test_rows_without_neighbours_are_left_out(tmp_path: Path) -> None:
    spec, paths = neighbours(tmp_path, a=NEIGHBOURS)
    spec = dataclasses.replace(spec, rows=(SpecRow(label="none", dataset="ucf"), *spec.rows))
    rows = neighbour_rows(spec, paths)
    assert {row["label"] for row in rows} == {"rank"}
    assert [sheet.title for sheet in neighbour_sheets(spec, rows)] == ["t8 (rank)"]


def test_the_table_of_neighbours_is_written(tmp_path: Path) -> None:
    made, paths = neighbours(tmp_path, n=NEIGHBOURS)
    spec = write(tmp_path / "spec.json", dataclasses.asdict(made))
    out = tmp_path / "t8.csv"
    study("neighbours", "--spec", spec, "--out", out, "--", *paths)
    assert len(read(out)) == 3 and read(out)[0]["nearest_before"] == "playing field, etc."
    assert r"c\_d" in (tmp_path / "t8.md").read_text(encoding="utf-8")
    check_latex((tmp_path / "t8.tex").read_text(encoding="utf-8"))


def test_files_of_neighbours_must_fit_the_rows(tmp_path: Path) -> None:
    spec, _ = neighbours(tmp_path, a=NEIGHBOURS)
    with pytest.raises(ValueError, match="wants a file of neighbours for each, got 0"):
        neighbour_rows(spec, [])
    other = tmp_path / "x.csv"
    other.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="is no file of neighbours"):
        neighbour_rows(spec, [other])


def test_neighbours_of_other_embeddings_are_refused(tmp_path: Path) -> None:
    spec, (path,) = neighbours(tmp_path, a=NEIGHBOURS)
    (row,) = spec.rows
    with pytest.raises(ValueError, match=r"its id is 'a', expected was 'x'"):
        neighbour_rows(
            dataclasses.replace(spec, rows=(dataclasses.replace(row, classes_id="x"),)), [path]
        )
    head, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for found, message in ((lines * 2, "has 6 classes .* the second 3"), ([], "has 0 classes")):
        path.write_text("".join([head, *found]), encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            neighbour_rows(spec, [path])


def test_neighbours_in_another_order_are_refused(tmp_path: Path) -> None:
    spec, paths = neighbours(tmp_path, a=NEIGHBOURS, b=OTHERS)
    assert len(neighbour_rows(spec, paths)) == 6
    with pytest.raises(ValueError, match=r"b\.csv and .*a\.json are not of the same .*0\.9500"):
        neighbour_rows(spec, paths[::-1])


@pytest.mark.parametrize("step", ["classes", "neighbours"])
@pytest.mark.parametrize("rows", [[], [{"label": "a", "dataset": "d"}]])
def test_a_study_of_original_embeddings_is_refused(
    step: str, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    spec = json.dumps({"study": "t8", "rows": rows})
    with pytest.raises(ValueError, match=r"t8 .*optimises? (its|their) class embeddings"):
        study(step, "--spec", spec, "--out", tmp_path / "t8.csv")
