"""What the report page says of clips and of costs."""

import types

from avzsl.datasets.manifest import MISSING, ManifestRow
from avzsl.report.page.costs import cost_table, read_costs, read_devices
from avzsl.report.page.data import FeaturePair, data_section
from avzsl.types import ClipRef, Failure

EVIL = '<script>alert("a & b")</script>'


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def clip(video_id, class_name, subset, *, stamp="1-1", note=""):
    ref = ClipRef(video_id=video_id, path=f"{video_id}.mp4", stamp=stamp)
    return ManifestRow(clip=ref, class_name=class_name, subset=subset, note=note)


def index(name, ids, failures=()):
    """Return what the page needs of a feature index."""
    return types.SimpleNamespace(
        path=name,
        header=types.SimpleNamespace(encoder=name),
        video_ids=tuple(ids),
        failures=lambda: tuple(failures),
    )


def test_clips_that_are_missing_failed_or_not_scored_are_counted():
    rows = [
        clip("a", "dog", "train"),
        clip("b", EVIL, "test_unseen"),
        clip("c", "cat", "test_unseen", stamp=MISSING, note="no such file"),
        clip("d", "dog", "test_seen"),
    ]
    failures = [
        Failure(video_id="c", stage="missing", reason="there is no such file"),
        Failure(video_id="b", stage="decode", reason="broken <header>"),
        Failure(video_id="elsewhere", stage="decode", reason="of another dataset"),
    ]
    pair = FeaturePair(
        name="signal", audio=index("hear", "ad", failures), visual=index("see", "abd")
    )
    section = data_section("mine", rows, [pair])
    subsets, missing, failed, left_out = section.tables
    assert texts(subsets) == [
        ["train", "1", "1", "0", "1"],
        ["test_seen", "1", "1", "0", "1"],
        ["test_unseen", "2", "2", "1", "0"],
    ]
    assert "3 classes: 1 seen" in section.paragraphs[0]
    assert "1 of them missing on disk" in section.paragraphs[0]
    assert texts(missing) == [["no such file", "1", "c"]]
    assert ["hear", "missing", "there is no such file", "absent", "1", "c"] in texts(failed)
    assert ["hear", "decode", "broken <header>", "failed", "1", "b"] in texts(failed)
    assert len(failed.rows) == 2
    gone = f"{EVIL}; cat"
    assert sorted(texts(left_out)) == [
        ["signal", "test_unseen", "audio", "1", gone],
        ["signal", "test_unseen", "audio and visual", "1", gone],
    ]


def test_a_complete_dataset_says_so():
    rows = [clip("a", "dog", "train"), clip("b", "cat", "test_unseen")]
    pair = FeaturePair(name="signal", audio=index("hear", "ab"), visual=index("see", "ab"))
    section = data_section("mine", rows, [pair])
    assert len(section.tables) == 1
    assert "No test clip is left out of the scores." in section.paragraphs


BENCHMARK = "s\th:m:s\tmax_rss\tcpu_time\n{}\t0:00:02\t{}\t{}\n"


def test_costs_are_added_up_and_what_is_missing_is_said(tmp_path):
    for name, text in {
        "train/a/seed0.tsv": BENCHMARK.format("2.5", "300.5", "4.0"),
        "train/a/seed1.tsv": BENCHMARK.format("1.5", "-", "1.0"),
        "train/a/seed2.tsv": "",
        "report/report.tsv": BENCHMARK.format("9", "9", "9"),
        "train/a/seed0.log": "",
        "train/a/seed2.log": "then INFO avzsl.cli: device: cuda (a GPU is there)\n",
        "other/x.log": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    table = cost_table(read_costs(tmp_path))
    found = {row[0]: row[1:] for row in texts(table)}
    assert found["train"] == ["2", "4.0", "2.5", "5.0", "300.5"]
    assert found["evaluate"] == ["0", *["–"] * 4]
    assert "report" not in found
    assert "train: 1 job(s) have a log and no benchmark file." in table.notes
    assert any("No benchmark files of: manifest, extract" in note for note in table.notes)
    assert read_devices(tmp_path) == {"train": {"cuda (a GPU is there)": 1}}


def test_no_logs_at_all_are_no_error(tmp_path):
    table = cost_table(read_costs(tmp_path / "nowhere"))
    assert all(row[1].text == "0" for row in table.rows)
    assert not read_devices(tmp_path / "nowhere")
