"""Real clips through the whole workflow: sound and mute, whole files and segments, odd ones."""

import csv

import pytest
from project import CONFIG, TABLE, Project

from avzsl.decode.probe import probe
from avzsl.shards.feature_index import FeatureIndex

pytestmark = pytest.mark.slow

SEGMENTS = ((0.0, 2.0), (2.0, 4.0), (4.0, 6.0))
"""Of every labelled clip, so that each class has clips to train and to test; all last longer."""
DAMAGED = "odd/corrupted.mp4"
"""Its pictures cannot be decoded; it has no sound."""


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


def test_the_damaged_clip_alone_fails(finished):
    failed = {
        encoder: {f.video_id: f.stage for f in index_of(finished, encoder).failures()}
        for encoder in ("signal-audio", "signal-visual")
    }
    assert failed["signal-visual"].pop(DAMAGED) == "decode"
    assert {stage for stages in failed.values() for stage in stages.values()} == {"no-stream"}


def test_what_has_no_features_has_no_such_stream(finished, lines, media):
    for encoder, stream in {"signal-audio": "audio", "signal-visual": "video"}.items():
        absent = {f.video_id for f in index_of(finished, encoder).failures() if f.is_absence}
        media_of = {name: probe(str(media / name)) for name, _ in lines if name != DAMAGED}
        without = {name for name, info in media_of.items() if getattr(info, stream) is None}
        assert absent - {DAMAGED} == without


def test_segments_lie_where_they_were_asked_for(finished, lines):
    labelled = [n for n, c in lines if c != "unknown" and not n.startswith("audio/")]
    for encoder in ("signal-audio", "signal-visual"):
        index = index_of(finished, encoder)
        ids = [f"{name}#{a:g}-{b:g}" for name in labelled for a, b in SEGMENTS]
        for _, times in index.read(ids):
            assert times.min() >= 0
            assert times.max() <= 2.0 + 0.05


def test_a_rerun_does_nothing(finished):
    assert "Nothing to be done" in finished.run(TABLE)
