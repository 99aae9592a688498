"""The report page: tables of any columns, studies, figures, escaping, and what is refused."""

import csv
import html
import json
import struct
import subprocess
import sys

import pytest
from browser import require_chromium

from avzsl.report.page.contents import Inputs, check_id, results_section, studies_section
from avzsl.report.page.csv_tables import csv_table
from avzsl.report.page.features import weights_of
from avzsl.report.page.intervals import interval_tables
from avzsl.report.page.pictures import PNG_BEGIN, read_picture
from avzsl.report.page.records import Section, is_number, text_table
from avzsl.report.page.render import render
from avzsl.report.statistics import COLUMNS as STATISTICS
from avzsl.report.tables import COLUMNS

EVIL = '<script>alert("a & b")</script>'


def write_csv(path, rows, columns=None):
    columns = columns or list(rows[0])
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def result(method, hm, **more):
    scores = {"seen_mean": "40.00", "unseen_mean": "30.00", "hm_mean": hm, "zsl_mean": "35.00"}
    counts = {"clips_seen": "18", "clips_unseen": "24", "classes_seen": "18"}
    fixed = {"method": method, "seeds": "3", "zsl_chance": "16.67", "classes_unseen": "6"}
    return fixed | scores | counts | more


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_published_numbers_stand_beside_ours_with_the_difference(tmp_path):
    rows = [
        result("avca", "34.29", hm_sd="0.50", published_hm="35.00", published_source="AVCA T1"),
        result("devise", "36.10", notes="untrained"),
    ]
    table = csv_table(write_csv(tmp_path / "t.csv", rows, COLUMNS), "a table")
    assert [head.label for head in table.heads] == [
        "method", "S", "U", "ours", "published", "Δ", "ZSL",
    ]  # fmt: skip
    assert [(group.label, group.span) for group in table.groups] == [
        ("", 1), ("", 1), ("", 1), ("HM", 3), ("", 1),
    ]  # fmt: skip
    assert texts(table)[0][3:6] == ["34.29 ± 0.50", "35.00", "−0.71"]
    assert texts(table)[1][3:6] == ["36.10", "–", "–"]
    assert all(head.is_number for head in table.heads[1:])
    below = " ".join(table.notes)
    assert "Chance for ZSL: 16.67 %." in below
    assert "Published: AVCA T1: avca." in below
    assert "devise: untrained" in below


def test_the_best_is_marked_and_ties_are_both_best(tmp_path):
    rows = [result("a", "34.29"), result("b", "36.10"), result("c", "36.10")]
    table = csv_table(write_csv(tmp_path / "t.csv", rows, COLUMNS), "a table")
    column = [head.label for head in table.heads].index("HM")
    assert not any(row[column - 1].is_best for row in table.rows), "all of them are the same"
    assert [row[column].is_best for row in table.rows] == [False, True, True]
    page = render([Section(title="t", tables=(table,))])
    assert page.count('<strong><span role="img" aria-label="best">★</span> 36.10</strong>') == 2


def test_a_study_of_two_datasets_has_a_best_in_each(tmp_path):
    rows = [
        {"study": "s", "label": label, "dataset": data, "hm_mean": hm, "nearest_after": "0.9"}
        for label, data, hm in (
            ("x", "a", "1.0"),
            ("y", "a", "2.0"),
            ("x", "b", "9"),
            ("y", "b", "8"),
        )
    ]
    table = csv_table(write_csv(tmp_path / "t.csv", rows), "a study")
    assert [head.label for head in table.heads] == ["label", "dataset", "HM", "nearest after"]
    assert [row[2].is_best for row in table.rows] == [False, True, True, False]


def test_differences_of_the_file_are_taken_as_they_are(tmp_path):
    row = {"label": "x", "hm_mean": "2.00", "published_hm": "1.00", "difference_hm": "-0.25"}
    table = csv_table(write_csv(tmp_path / "t.csv", [row]), "a study")
    assert texts(table) == [["x", "2.00", "1.00", "−0.25"]]


def test_a_table_without_numbers_of_the_kind_is_shown_column_by_column(tmp_path):
    rows = [{"rank": "1", "class": "dog, barking", "distance": "0.10", "empty": ""}] * 100
    table = csv_table(write_csv(tmp_path / "t.csv", rows), "neighbours")
    assert [(head.label, head.is_number) for head in table.heads] == [
        ("class", False), ("rank", True), ("distance", True),
    ]  # fmt: skip
    assert table.folded and not table.groups


@pytest.mark.parametrize("text", ["", "a,b\n1\n", "a,b\n1,2,3\n"])
def test_a_damaged_table_is_refused(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=r"t\.csv is (empty|damaged)"):
        csv_table(tmp_path / "t.csv", "a table")


@pytest.mark.parametrize(
    "text", ["1", "-1.5", "−1.5", "38.0 ± 0.2", "1.2 [1.0, 1.4], p = 0.2", "–"]
)
def test_numbers(text):
    assert is_number(text)


@pytest.mark.parametrize("text", ["", "avca", "7d0bceb9719747da", "x 1", "3 clips", "nan"])
def test_no_numbers(text):
    assert not is_number(text)


def test_intervals_and_differences(tmp_path):
    fixed = {"reference": "b", "seeds": "1", "clips": "42", "resamples": "50"}
    rows = [
        {"method": method, "metric": metric, "mean": "5", "ci_low": "4", "ci_high": "6", **fixed}
        for method in "ab"
        for metric in ("seen", "unseen", "hm", "zsl")
    ]
    difference = {"difference": "-1.00", "difference_ci_low": "-2", "difference_ci_high": "0.001"}
    for row in rows[:4]:
        row |= {**difference, "p_clips_holm": "0.0003999"}
    path = write_csv(tmp_path / "t.statistics.csv", rows, STATISTICS)
    intervals, differences = interval_tables(path, "t")
    assert texts(intervals)[0] == ["a", *["5 [4, 6]"] * 4]
    assert texts(differences) == [["a", *["−1.00 [−2.00, 0.00], p = 0.0004"] * 4]]
    assert all(head.is_number for head in differences.heads[1:])
    assert len(interval_tables(write_csv(path, rows[4:], STATISTICS), "t")) == 1
    with pytest.raises(ValueError, match="holds no statistics"):
        interval_tables(write_csv(path, [{"method": "a"}]), "t")


def test_everything_is_escaped():
    table = text_table(EVIL, ["name", EVIL], [[EVIL, EVIL]], notes=[EVIL])
    part = Section(title=EVIL, paragraphs=(EVIL,), tables=(table,))
    page = render([Section(title="all", parts=(part,))])
    assert EVIL not in page and "<script" not in page
    assert str(html.escape(EVIL, quote=False).replace('"', "&#34;")) in page


def test_weights_are_found_at_any_depth():
    options = {"encoders": [{"kind": "dino", "options": {"weights": "dino-vitb16"}}]}
    assert "github.com/facebookresearch/dino" in weights_of(options)[0]
    assert "UNTRAINED" in weights_of({"weights": "random:dino-vitb16"})[0]
    assert weights_of({"weights": "/data/own/mine.pth"}) == ["a file of the user's own: mine.pth"]
    assert weights_of({"weights": None, "bands": 40}) == []


def test_a_table_of_something_else_is_refused(tmp_path):
    table = tmp_path / "t.csv"
    check_id(table, None)
    (tmp_path / ".t.csv.id.json").write_text(json.dumps({"table_id": "one"}))
    check_id(table, "one")
    with pytest.raises(ValueError, match=r"t\.csv was made from something else \(found one"):
        check_id(table, "other")


def test_a_picture_that_is_none_is_refused(tmp_path):
    (tmp_path / "methods.png").write_bytes(b"<svg/>")
    with pytest.raises(ValueError, match=r"methods\.png is no PNG"):
        read_picture(tmp_path / "methods.png", "t", "methods", "")


def test_it_needs_no_torch():
    code = (
        "import sys, avzsl.cli.report, avzsl.report.page.contents, avzsl.report.page.render\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def write_png(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PNG_BEGIN + struct.pack(">I4sII", 13, b"IHDR", 640, 480))
    return path


def test_a_result_table_stands_with_its_intervals_and_figures_alone(tmp_path):
    (tmp_path / "results").mkdir()
    path = write_csv(tmp_path / "results/a_b.csv", [result("x", "1.00")], COLUMNS)
    (tmp_path / "results/.a_b.csv.id.json").write_text(json.dumps({"table_id": "c0ffee"}))
    figures = [write_png(tmp_path / "figures" / name / "bias.png") for name in ("a_b", "a_c")]
    captions = {"bias": "What the bias does."}
    inputs = Inputs(raw={}, config=None, tables=[path], figures=figures, captions=captions)
    (part,) = results_section(inputs).parts
    assert part.title == "a_b" and "c0ffee" in part.paragraphs[0]
    (picture,) = part.pictures
    assert (picture.width, picture.height) == (640, 480)
    assert picture.caption == "a_b, bias. What the bias does."
    assert picture.alt.startswith("a_b: Curves of S, U and HM")
    other = Inputs(raw={}, config=None, tables=[path], table_ids={"a_b": "decaf"})
    with pytest.raises(ValueError, match="found c0ffee, expected decaf"):
        results_section(other)


def test_files_of_a_study_stand_together(tmp_path):
    (tmp_path / "a_b").mkdir()
    study = write_csv(tmp_path / "a_b/table5.csv", [{"label": "x", "hm_mean": "1.00"}])
    classes = write_csv(tmp_path / "a_b/table5.classes.csv", [{"label": "x", "alpha": "0.5"}])
    figures = [write_png(tmp_path / f"a_b/table5{kind}.png") for kind in ("", ".sweep")]
    given = {"studies": [study, classes], "study_figures": figures}
    captions = {"table5": "Objectives", "study_sweep": "What alpha does."}
    inputs = Inputs(raw={}, config=None, captions=captions, **given)
    (part,) = studies_section(inputs).parts
    assert part.title == "a_b/table5"
    assert [table.caption for table in part.tables] == [
        "a_b/table5: Objectives",
        "a_b/table5, classes: Objectives",
    ]
    assert [picture.alt.partition(" ")[0] for picture in part.pictures] == ["a_b/table5:"] * 2
    assert "Curves over the weight alpha" in part.pictures[1].alt
    assert part.pictures[1].caption == "a_b/table5, sweep. What alpha does."
    other = Inputs(raw={}, config=None, table_ids={"a_b/table5": "decaf"}, **given)
    with pytest.raises(ValueError, match="expected decaf"):
        studies_section(other)
    assert studies_section(Inputs(raw={}, config=None)) is None


def test_without_a_browser_tests_skip_unless_one_was_promised(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("AVZSL_CHROMIUM", raising=False)
    monkeypatch.delenv("AVZSL_REQUIRE_BROWSER", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no browser on the PATH"):
        require_chromium()
    monkeypatch.setenv("AVZSL_REQUIRE_BROWSER", "1")
    with pytest.raises(pytest.fail.Exception, match="AVZSL_REQUIRE_BROWSER=1 asks for one"):
        require_chromium()
    monkeypatch.setenv("AVZSL_CHROMIUM", "/opt/a/browser")
    assert require_chromium() == "/opt/a/browser"
