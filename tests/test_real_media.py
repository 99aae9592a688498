"""Real clips through the whole workflow: sound and mute, whole files and segments, odd ones."""

import csv

import pytest
from project import CONFIG, TABLE, Project

from avzsl.decode.probe import probe
from avzsl.shards.feature_index import FeatureIndex

pytestmark = pytest.mark.slow

SEGMENTS = ((0.0, 3.0), (3.0, 6.0), (6.0, 9.0))
"""Of every labelled clip of ten seconds, so that each class has clips to train and to test."""


@pytest.fixture(scope="module")
def lines(media):
    with (media / "labels.csv").open(newline="", encoding="utf-8") as file:
        return [(row["path"], row["class"]) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def finished(lines, media, tmp_path_factory):
    path = tmp_path_factory.mktemp("real")
    project = Project(path)
    table = [["path", "class", "start_seconds", "end_seconds"]]
    for name, label in lines:
        if label == "unknown" or name.startswith("audio/"):
            table.append([name, "unknown", "", ""])
        else:
            table += [[name, label, start, end] for start, end in SEGMENTS]
    project.write_rows(table)
    split = {"unseen_test": ["fireworks banging", "playing double bass"], "unseen_val": 2}
    mine = {
        "kind": "table",
        "path": "clips.csv",
        "videos": str(media),
        "buckets": 2,
        "split": split,
    }
    project.write_config({**CONFIG, "datasets": {"mine": mine}})
    project.run()
    return project


def index_of(project, encoder):
    return FeatureIndex(project.path / f"results/features/mine/{encoder}/index.h5")


def test_there_is_a_table_with_both_methods(finished):
    rows = list(csv.DictReader(finished.table().decode().splitlines()))
    assert [row["method"] for row in rows] == list(CONFIG["methods"])
    assert all(float(row["zsl_chance"]) == 50.0 for row in rows)


def test_the_damaged_clip_alone_fails(finished, lines):
    for encoder in ("signal-audio", "signal-visual"):
        index = index_of(finished, encoder)
        failed = {f.video_id: f.reason for f in index.failures() if not f.is_absence}
        assert list(failed) == ["odd/corrupted.mp4"]
        assert failed["odd/corrupted.mp4"]


def test_what_has_no_features_has_no_such_stream(finished, lines, media):
    streams = {"signal-audio": "audio", "signal-visual": "video"}
    for encoder, stream in streams.items():
        index = index_of(finished, encoder)
        absent = {f.video_id for f in index.failures() if f.is_absence}
        known = {name: name for name, _ in lines if name != "odd/corrupted.mp4"}
        without = {name for name in known if getattr(probe(str(media / name)), stream) is None}
        assert absent == without


def test_segments_lie_where_they_were_asked_for(finished, lines):
    labelled = [n for n, c in lines if c != "unknown" and not n.startswith("audio/")]
    for encoder in ("signal-audio", "signal-visual"):
        index = index_of(finished, encoder)
        ids = [f"{name}#{a:g}-{b:g}" for name in labelled for a, b in SEGMENTS]
        present = [video_id for video_id in ids if video_id in index.video_ids]
        assert len(present) >= len(ids) - 1
        for _, times in index.read(present):
            assert times.min() >= 0
            assert times.max() <= 3.0 + 0.05


def test_a_rerun_does_nothing(finished):
    assert "Nothing to be done" in finished.run(TABLE)
