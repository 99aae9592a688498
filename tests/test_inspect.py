"""``avzsl inspect dataset``: counts, and what test clips share with training clips."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from avzsl.cli.inspect import overview
from avzsl.cli.main import main
from avzsl.datasets.kinds.benchmark import BenchmarkDataset
from avzsl.datasets.manifest import MISSING, ManifestRow
from avzsl.datasets.overview import (
    HELD_OUT,
    SubsetCounts,
    count_classes,
    in_several_clips,
    shared_with_training,
)
from avzsl.types import SUBSETS, ClipRef

SHARED = {
    "ucf": {"test_seen": (555, 555), "test_unseen": (1267, 0)},
    "activitynet": {"test_seen": (1615, 784), "test_unseen": (4199, 1)},
    "vggsound": {"test_seen": (9032, 3144), "test_unseen": (3450, 0)},
}
"""Test clips, and those whose source is in training, too."""
EXTREMES = {
    "ucf": {"train": (30, 3174), "test_seen": (10, 17)},
    "activitynet": {"val_unseen": (51, 4307), "test_seen": (6, 22)},
    "vggsound": {"test_unseen": (69, 3450), "test_seen": (5, 105)},
}
"""Fewest and most clips of a class in test_seen; elsewhere, classes and clips."""


@pytest.fixture(scope="module")
def published(shared: Path) -> Path:
    folder = shared / "benchmark"
    if not folder.is_dir():
        pytest.skip(f"the published split files are not in {folder}")
    return folder


def benchmark(splits: Path, name: str, root: Path, **options: Any) -> BenchmarkDataset:
    values = {"benchmark": name, "videos": "videos", "splits": str(splits), **options}
    return BenchmarkDataset(name, values, root)


@pytest.mark.parametrize("name", sorted(SHARED))
def test_leakage_is_that_of_the_published_splits(
    published: Path, tmp_path: Path, name: str
) -> None:
    dataset = benchmark(published, name, tmp_path)
    rows = dataset.listed()
    found = {x.subset: (x.clips, x.shared) for x in shared_with_training(rows, dataset.source_of)}
    assert found == SHARED[name]
    if name == "vggsound":
        assert in_several_clips(rows, dataset.source_of, HELD_OUT) == 827
    counts: dict[str, SubsetCounts] = {own.subset: own for own in count_classes(rows)}
    for subset, expected in EXTREMES[name].items():
        own = counts[subset]
        ends = tuple(own.clips[end] for end in own.extremes)
        sizes = (len(own.clips), sum(own.clips.values()))
        assert (ends if subset == "test_seen" else sizes) == expected


def test_without_videos_the_command_says_so(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, root: Path
) -> None:
    dataset = {"kind": "benchmark", "benchmark": "ucf", "videos": "v", "splits": str(published)}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"datasets": {"ucf": dataset}}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AVZSL_DATASETS", raising=False)
    schema = ["--schema", str(root / "workflow" / "schemas" / "config.schema.json")]
    assert main(["inspect", "dataset", "ucf", *schema]) == 0
    text = capsys.readouterr().out
    assert "51 classes, 6,816 clips, 6,816 of them missing" in text
    assert "No clip is on disk." in text
    assert "555 of 555 clips of test_seen share their group with training clips" in text
    assert re.search(r"^test_unseen +9 +1,267 +1,267 ", text, re.M)
    assert main(["inspect", "dataset", "ufc", *schema]) == 1


# --- on a small table ---------------------------------------------------------------------------


def row(subset: str, name: str, clip: str, *, present: bool = True) -> ManifestRow:
    ref = ClipRef(video_id=clip, path=f"{clip.split('#')[0]}.mp4")
    if not present:
        ref = replace(ref, stamp=MISSING)
    return ManifestRow(clip=ref, class_name=name, subset=subset)  # type: ignore[arg-type]


ROWS = [
    row("train", "dog", "v1#0"),
    row("train", "dog", "v2#0"),
    row("train", "cat", "v3#0", present=False),
    row("val_seen", "dog", "v4#0"),
    row("val_unseen", "bee", "v5#0"),
    row("test_seen", "dog", "v1#1"),
    row("test_seen", "dog", "v5#1"),
    row("test_seen", "dog", "v5#2"),
    row("test_seen", "cat", "v6#0"),
    row("test_unseen", "owl", "v6#1"),
    row("test_unseen", "owl", "v7#0", present=False),
]


class Listed:
    name, kind, source_word = "small", "table", "file"

    @staticmethod
    def source_of(own: ManifestRow) -> str:
        return own.clip.path


def test_each_subset_is_counted_by_class() -> None:
    counts = {own.subset: own for own in count_classes(ROWS)}
    assert list(counts) == list(SUBSETS)
    assert counts["train"].clips == {"cat": 1, "dog": 2}
    assert counts["train"].missing == {"cat": 1} and counts["train"].empty == ["cat"]
    assert counts["train"].extremes == ("cat", "dog")
    assert counts["test_unseen"].missing == {"owl": 1} and counts["test_unseen"].empty == []


def test_a_source_is_shared_with_any_of_the_three_training_subsets_and_no_other() -> None:
    seen, unseen = shared_with_training(ROWS, Listed.source_of)
    assert (seen.clips, seen.shared, seen.sources, seen.example) == (4, 3, 2, "v1.mp4")
    assert (unseen.clips, unseen.shared, unseen.example) == (2, 0, "")
    assert in_several_clips(ROWS, Listed.source_of, SUBSETS) == 3
    assert in_several_clips(ROWS, Listed.source_of) == 2


def test_what_is_printed() -> None:
    text = "\n".join(overview(Listed, ROWS, by_class=True))  # type: ignore[arg-type]
    assert "small (table): 4 classes, 11 clips, 2 of them missing on disk" in text
    assert "train: classes left without a clip, 1: cat" in text
    assert "leakage: 3 of 4 clips of test_seen share their file" in text
    assert "(2 such, as v1.mp4)" in text
    assert re.search(r"^test_unseen +2 +1  owl$", text, re.M)
    assert "owl$" not in "\n".join(overview(Listed, ROWS)).split("leakage")[1]  # type: ignore[arg-type]


def test_a_table_of_segments_is_grouped_by_file(
    tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    lines = ["path,class,start_seconds,end_seconds,id"]
    for name in ("dog", "bee", "wasp", "cat"):
        (tmp_path / f"{name}.mp4").write_bytes(b"x")
        lines += [f"{name}.mp4,{name},{n},{n + 1},{name}-{n}" for n in range(10)]
    (tmp_path / "clips.csv").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    options = json.dumps({"path": "clips.csv", "split": {"unseen_test": ["owl"]}})
    command = ["inspect", "dataset", "mine", "--dataset-kind", "table", "--dataset-options"]
    assert main([*command, options]) == 1  # there is no owl
    options = json.dumps({"path": "clips.csv", "split": {"unseen_test": ["cat"]}})
    assert main([*command, options]) == 0
    text = capsys.readouterr().out
    assert re.search(r"leakage: (\d+) of \1 clips of test_seen share their file", text)
    assert "leakage: 0 of 10 clips of test_unseen" in text
    assert "Every class of every subset has a clip on disk." in text
