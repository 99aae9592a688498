"""Published numbers: they agree with themselves or say why not, and are found by their names."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from study_files import write_evaluation

from avzsl.cli.main import main
from avzsl.config import load_config
from avzsl.methods.base import methods
from avzsl.report.published import (
    Published,
    all_published,
    find_published,
    published,
    published_rows,
)
from avzsl.report.tables import read_table

ELSEWHERE = {"f-vaegan-d2"}
"""Methods with published numbers that are no methods here."""
NOT_OURS = {"clip-clap"}
"""Feature sets with published numbers that the shipped configuration does not name."""


def by_id(row: Published) -> str:
    return f"{row.id}-{row.benchmark}-{row.features}"


def test_rows_are_of_known_things(root: Path) -> None:
    shipped = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    papers = (root / "src" / "avzsl" / "references.bib").read_text(encoding="utf-8")
    for row in all_published():
        assert row.benchmark in ("vggsound", "ucf", "activitynet")
        assert row.features in {*shipped["features"], *NOT_OURS}
        assert row.method in {*methods.names(), *ELSEWHERE}
        assert row.split in ("main", "cls", "") and row.main in ("yes", "")
        assert row.source.startswith("https://") or f"{{{row.source}," in papers
        assert ": " not in row.printed_in


def test_ids_are_unique_and_a_method_has_one_main_row() -> None:
    assert len(all_published()) == 115
    assert len({by_id(row) for row in all_published()}) == 115
    main = [(row.benchmark, row.features, row.method) for row in all_published() if row.main]
    assert len(set(main)) == len(main) == 93


@pytest.mark.parametrize("row", all_published(), ids=by_id)
def test_numbers_agree_with_themselves_or_a_note_says_why_not(row: Published) -> None:
    assert 0 <= float(row.hm) <= 100
    assert bool(row.seen) == bool(row.unseen)
    if row.seen:
        seen, unseen = float(row.seen), float(row.unseen)
        if abs(2 * seen * unseen / (seen + unseen) - float(row.hm)) > 0.012:
            assert "HM" in row.note
        if row.zsl and unseen > float(row.zsl):
            assert "U above ZSL" in row.note
    if not row.zsl:
        assert "ZSL not at hand" in row.note


def test_known_contradictions_are_noted() -> None:
    noted = {row.id for row in all_published() if "U above ZSL" in row.note}
    assert noted == {"EZ-AVGZL Table 9: alpha 0.5, m 0", "EZ-AVGZL Table 10: l2"}
    (row,) = published_rows("EZ-AVGZL Table 5: no CEP")
    assert row.hm == "9.32" and "9.69" in row.note


def test_what_was_not_read_in_the_paper_says_so() -> None:
    for row in all_published():
        assert (row.split == "main") == ("recalled from the paper" in row.note)


def test_result_tables_get_main_rows_only() -> None:
    assert published("vggsound", "vggish-c3d")["ez-avgzl"].printed_in == "EZ-AVGZL Table 1"
    assert published("vggsound", "imagebind")["ez-avgzl"].hm == "26.90"
    assert published("ucf", "vggish-c3d")["tcaf"].seen == "67.14"
    assert set(published("ucf", "clip-clap")) == {
        "cjme",
        "avgzslnet",
        "avca",
        "hyper-multiple",
        "clipclap",
    }
    assert not published("ucf", "mine")


def test_numbers_of_another_split_are_left_out() -> None:
    assert published("vggsound", "vggish-c3d", "cls") == published("vggsound", "vggish-c3d")
    assert not published("vggsound", "vggish-c3d", "main")
    assert published("ucf", "selavi", "main") and not published("ucf", "selavi", "cls")
    assert published("vggsound", "imagebind", "main")["ez-avgzl"].hm == "26.90", "split unknown"
    with pytest.raises(ValueError, match=r"no split 'a\.json' of a benchmark; there are cls, main"):
        published("vggsound", "vggish-c3d", "a.json")


@pytest.mark.parametrize(("split", "there"), [("cls", True), ("main", False), (None, True)])
def test_a_row_of_another_split_is_not_found(split: str | None, there: bool) -> None:
    row_id = "EZ-AVGZL Table 5: prox only"
    found = find_published(row_id, benchmark="vggsound", features="vggish-c3d", split=split)
    assert (found is not None) == there


@pytest.mark.parametrize(
    ("words", "hm"), [([], ""), (["cls"], "10.46"), (["main"], ""), (["cls", "x"], None)]
)
def test_a_result_table_names_benchmark_features_and_split(
    tmp_path: Path, words: list[str], hm: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_evaluation(tmp_path, "ez-avgzl", 0)
    out = tmp_path / "t.csv"
    found = ["--published", "vggsound", "vggish-c3d", *words] if words else []
    code = main(["table", *found, "--out", str(out), "--", str(path)])
    if hm is None:
        assert code == 1
        assert "takes BENCHMARK FEATURES [SPLIT], got: vggsound" in capsys.readouterr().err
        return
    assert code == 0
    printed = published("vggsound", "vggish-c3d")["ez-avgzl"].hm
    assert read_table(out)[0]["published_hm"] == (printed if hm else "")


def test_a_row_is_found_by_its_id_in_any_case() -> None:
    (row,) = published_rows("ez-avgzl table 5: Prox Only")
    assert (row.seen, row.unseen, row.hm, row.zsl) == ("15.75", "7.83", "10.46", "8.26")
    assert row.id == "EZ-AVGZL Table 5: prox only"


@pytest.mark.parametrize(
    ("benchmark", "table", "hm"),
    [
        ("vggsound", "Table 1", "4.95"),
        ("ucf", "Table 2", "24.97"),
        ("activitynet", "Table 3", "5.18"),
    ],
)
@pytest.mark.parametrize("row", ["AttentionFusion", "attention-fusion"])
def test_a_paper_alone_means_its_main_rows(benchmark: str, table: str, hm: str, row: str) -> None:
    found = find_published(f"EZ-AVGZL: {row}", benchmark=benchmark, features="vggish-c3d")
    assert found is not None and (found.table, found.hm) == (table, hm)


def test_benchmark_and_features_choose_among_rows_of_one_id() -> None:
    def found(features: str) -> Published | None:
        return find_published(
            "EZ-AVGZL Table 7: without CEP", benchmark="vggsound", features=features
        )

    assert len(published_rows("EZ-AVGZL Table 7: without CEP")) == 3
    assert found("clap-xclip").hm == "18.63"  # type: ignore[union-attr]
    assert found("imagebind").hm == "19.34"  # type: ignore[union-attr]
    assert found("signal") is None


def test_shipped_studies_name_rows_that_there_are(root: Path) -> None:
    raw = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    config = load_config(raw, root / "workflow" / "schemas" / "config.schema.json")
    named = {
        variant.published
        for study in config.studies.values()
        for variant in study.variants
        if variant.published
    }
    assert "EZ-AVGZL Table 5: rank + sep" in named
    for row_id in sorted(named):
        assert published_rows(row_id)


def test_every_id_finds_its_row() -> None:
    for row in all_published():
        assert find_published(row.id, benchmark=row.benchmark, features=row.features) is row


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("EZ-AVGZL Table 55: prox only", "'EZ-AVGZL Table 5'"),
        ("EZ-AVGZL Table 5: prox onyl", r"has no row 'prox onyl'.*Did you mean 'prox only'"),
        ("EZ-AVGZL Table 5", "has no row ''"),
        ("KDA: KDA", "No published numbers of 'KDA'"),
        ("EZ-AVGZL: prox only", "has no row 'prox only'"),
    ],
)
def test_wrong_names_are_answered_with_near_ones(wrong: str, message: str) -> None:
    with pytest.raises(LookupError, match=message):
        published_rows(wrong)
