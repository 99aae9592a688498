"""Published features in: archives to shards, by both layouts, with every odd thing they hold."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import published_archive as made
import pytest

from avzsl.cli.main import main
from avzsl.datasets import archive_import
from avzsl.datasets.archive_import import import_shard
from avzsl.datasets.archives import read_class_file
from avzsl.datasets.kinds.benchmark import STEMS, BenchmarkDataset
from avzsl.encoders.published import STAGES
from avzsl.shards.reader import read_shard
from avzsl.types import ClipRef

LAYOUTS = ("avca", "tcaf")
LOST = "v_HandStandPushups_g01_c01"


def test_stages_are_those_of_the_split_files() -> None:
    assert tuple(STEMS) == STAGES


def test_a_benchmark_without_videos_lists_all_its_clips(tmp_path: Path) -> None:
    made.write_splits(tmp_path / "splits")
    options = {"benchmark": "ucf", "videos": None, "splits": "splits"}
    dataset = BenchmarkDataset("ucf", options, tmp_path)
    rows = dataset.rows()
    assert len(rows) == made.CLIPS * sum(map(len, made.STAGES.values()))
    assert all(row.present and row.clip.path == "" and row.clip.stamp == "" for row in rows)
    assert {row.class_name for row in rows} == set(made.ALL)
    assert not dataset.has_videos and dataset.archive_name == "UCF"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("kind", "step"), [("audio", 0.96), ("visual", 0.64)])
def test_features_come_out_as_they_went_in(
    tmp_path: Path, layout: str, kind: str, step: float
) -> None:
    made.write_archive(tmp_path / "archive", layout, without=[LOST])
    encoder = made.published(tmp_path / "archive", layout, kind)
    path, failures = made.bring_in(tmp_path, encoder, made.clips(tmp_path))
    rows, kept = read_shard(path, expected_fingerprint=encoder.fingerprint_of("UCF"))
    assert failures == list(kept)
    assert [(f.video_id, f.stage, f.is_absence) for f in failures] == [(LOST, "missing", True)]
    assert len(rows) == len(made.clips(tmp_path)) - 1
    for row in rows:
        wanted = made.windows(row.video_id, "video" if kind == "visual" else "audio")
        if layout == "avca":
            wanted = wanted.mean(0, dtype=float)[None].astype(np.float32)
        np.testing.assert_array_equal(row.features, wanted)
        begins = np.arange(len(wanted)) * step
        np.testing.assert_allclose(row.times, np.stack([begins, begins + step], 1), rtol=1e-12)
    with h5py.File(path) as file:
        assert (file.attrs["encoder"], file.attrs["encoder_kind"]) == (
            "c3d-published",
            f"published-{kind}",
        )


def test_capitals_of_ucf_do_not_count_and_those_of_other_ids_do(tmp_path: Path) -> None:
    folder = made.write_archive(tmp_path / "archive", "tcaf") / "video" / "stage_2_test_unseen"
    held = {"features": [np.ones((2, 12))], "video_names": [b"v_aBcDeFgHi_000010"]}
    (folder / "Other.pkl").write_bytes(pickle.dumps(held))
    here, other = "v_HandStandPushups_g01_c02", "v_HandstandPushups_g01_c02"
    wanted = [ClipRef(video_id=v, path="") for v in (other, "v_abcdefghi_000010")]
    encoder = made.published(tmp_path / "archive", "tcaf")
    path, failures = made.bring_in(tmp_path, encoder, wanted)
    rows, _ = read_shard(path)
    assert [row.video_id for row in rows] == [other]
    np.testing.assert_array_equal(rows[0].features, made.windows(here, "video"))
    assert [failure.video_id for failure in failures] == ["v_abcdefghi_000010"]


def test_names_as_python_prints_bytes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "Archery.pkl"
    held = {"features": [np.zeros((2, 3))] * 3, "video_names": ["b'v_1'", "v_2", b"v_3"]}
    path.write_bytes(pickle.dumps(held))
    assert [name for name, _ in read_class_file(path, "tcaf")] == ["v_1", "v_2", "v_3"]


def test_unusable_clips_become_failures_and_repeated_ones_are_taken_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "archive" / "UCF" / "features" / "cls_features" / "video"
    features = [np.ones((2, 3)), np.full((1, 3), np.nan), np.ones((0, 3)), np.zeros((2, 3))]
    names = [b"good", b"nan", b"empty", b"good"]
    (folder / "stage_1_train").mkdir(parents=True)
    path = folder / "stage_1_train" / "bee, wasp, etc. buzzing.pkl"
    path.write_bytes(pickle.dumps({"features": features, "video_names": names}))
    wanted = [ClipRef(video_id=v, path="") for v in ("good", "nan", "empty", "lost")]
    shard, failures = made.bring_in(tmp_path, made.published(tmp_path / "archive", "tcaf"), wanted)
    rows, _ = read_shard(shard)
    assert [row.video_id for row in rows] == ["good"] and (rows[0].features == 1).all()
    reasons = {f.video_id: (f.stage, f.reason) for f in failures}
    assert reasons["nan"] == ("encode", "the archive holds NaN or infinity")
    assert reasons["empty"] == ("encode", "the archive holds no window")
    assert reasons["lost"][0] == "missing"
    assert "1 clips occur again" in caplog.text


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "pwned"),)

    path = tmp_path / "Archery.pkl"
    path.write_bytes(pickle.dumps({"features": [Evil()], "video_names": [b"v"]}))
    with pytest.raises(ValueError, match="mkdir"):
        read_class_file(path, "tcaf")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("layout", "held", "message"),
    [
        ("tcaf", {"data": []}, "expected a dict with 'features' and 'video_names', got the keys"),
        ("tcaf", [1, 2], "expected a dict"),
        ("tcaf", {"features": [np.ones(3)], "video_names": []}, "0 names for the features of 1"),
        ("tcaf", {"features": [np.ones((1, 2, 3))], "video_names": [b"v"]}, r"\(1, 2, 3\)"),
        ("tcaf", {"features": [np.ones(3)], "video_names": [7]}, "the name of a clip is 7"),
        ("avca", b"no hdf5", "expected an HDF5 file with 'data'"),
    ],
)
def test_other_content_is_named(tmp_path: Path, layout: Any, held: Any, message: str) -> None:
    path = tmp_path / "Archery"
    path.write_bytes(held if isinstance(held, bytes) else pickle.dumps(held))
    with pytest.raises(ValueError, match=message):
        read_class_file(path, layout)


def test_files_of_different_lengths_are_refused(tmp_path: Path) -> None:
    folder = made.write_archive(tmp_path / "archive", "avca") / "video" / "stage_2_test_seen"
    with h5py.File(folder / "Typing.h5", "w") as file:
        file["data"], file["video_urls"] = np.ones((1, 5)), [b"new"]
    with pytest.raises(ValueError, match=r"Typing\.h5: features of length 5; those before have 12"):
        made.bring_in(tmp_path, made.published(tmp_path / "archive"), [])
    assert not (tmp_path / "converted.h5").exists()


def test_no_archive_is_a_clear_error(tmp_path: Path) -> None:
    made.write_archive(tmp_path / "archive", "avca")
    for changes in ({"layout": "tcaf"}, {"features": "main_features"}):
        with pytest.raises(FileNotFoundError, match="Set folder, features and layout"):
            made.published(tmp_path / "archive", **changes).archive("UCF")
    with pytest.raises(FileNotFoundError, match="VGGSound/features/cls_features/video"):
        made.published(tmp_path / "archive").archive("VGGSound")


def test_the_id_changes_with_the_files_alone(tmp_path: Path) -> None:
    folder = made.write_archive(tmp_path / "archive", "avca")
    encoder = made.published(tmp_path / "archive")
    before = encoder.fingerprint_of("UCF")
    unread = folder / "video" / "stage_2_train"
    unread.mkdir()
    (unread / "Archery.h5").write_bytes(b"x")
    (folder / "audio" / "stage_1_train" / "Archery.h5").write_bytes(b"the other modality")
    (folder / "video" / "stage_1_train" / "notes.txt").write_bytes(b"no class file")
    assert made.published(tmp_path / "archive").fingerprint_of("UCF") == before
    path = folder / "video" / "stage_1_train" / "Archery.h5"
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    touched = encoder.fingerprint_of("UCF")
    path.rename(path.with_name("archery.h5"))
    renamed = encoder.fingerprint_of("UCF")
    assert len({before, touched, renamed, made.published(tmp_path, "avca").fingerprint}) == 4


def test_a_converted_archive_of_other_files_is_refused(tmp_path: Path) -> None:
    made.write_archive(tmp_path / "archive", "avca")
    encoder = made.published(tmp_path / "archive")
    made.bring_in(tmp_path, encoder, made.clips(tmp_path))
    with pytest.raises(ValueError, match="made of other files or options"):
        import_shard(
            [],
            encoder,
            tmp_path / "converted.h5",
            tmp_path / "1.h5",
            dataset="ucf",
            encoder_name="e",
            members_id="m",
            fingerprint="other",
        )


def test_a_full_disk_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.write_archive(tmp_path / "archive", "avca")
    usage = dataclasses.make_dataclass("Usage", ["free"])(free=10)
    monkeypatch.setattr(archive_import.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match="its file system has 10 free"):
        made.bring_in(tmp_path, made.published(tmp_path / "archive"), [])


def test_one_class_is_in_memory_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made.write_archive(tmp_path / "archive", "tcaf")
    alive: list[Any] = []

    class Watched(list):
        def __del__(self) -> None:
            alive.remove(id(self))

    def read(path: Path, layout: Any) -> list:
        assert not alive, "the class before is still held"
        held = Watched(read_class_file(path, layout))
        alive.append(id(held))
        return held

    monkeypatch.setattr(archive_import, "read_class_file", read)
    made.bring_in(tmp_path, made.published(tmp_path / "archive", "tcaf"), made.clips(tmp_path))
    assert not alive


def test_convert_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made.write_splits(tmp_path / "splits")
    made.write_archive(tmp_path / "archive", "avca")
    options = {"benchmark": "ucf", "videos": None, "splits": str(tmp_path / "splits")}
    command = ["convert", "ucf", "--dataset-kind", "benchmark", "--out", str(tmp_path / "c.h5")]
    command += ["--dataset-options", json.dumps(options)]
    folder = ["--options", json.dumps({"folder": str(tmp_path / "archive")})]
    assert main([*command, "--kind", "published-audio", *folder]) == 0
    assert main([*command, "--kind", "published-audio", *folder, "--fingerprint", "old"]) == 1
    assert "files changed meanwhile" in capsys.readouterr().err
    assert main([*command, "--kind", "signal-audio"]) == 1
