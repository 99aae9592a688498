"""The index over feature shards: one file to the eye, checked, and fast to read by id."""

from __future__ import annotations

import os
import pickle
import shutil
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from test_shards import FAILURE, HEADER, clip, failures

from avzsl.shards.feature_index import FeatureIndex
from avzsl.shards.index import IndexReport, write_index
from avzsl.shards.writer import write_shard
from avzsl.types import ClipFeatures, Failure

CLIPS = [clip(f"-{'é' * (i % 4)}{i:03d}", 1 + i * 7 % 11) for i in range(60)]
ABSENT = Failure(video_id="mute", stage="no-stream", reason="no sound track")


def make_shards(folder: Path, *, count: int = 5) -> list[Path]:
    """Shards of ``CLIPS`` in turn, the last but one empty, the first with two failures."""
    paths = []
    for number in range(count):
        rows = [] if number == count - 2 else CLIPS[number::count]
        lost = [FAILURE, ABSENT] if number == 0 else []
        path = folder / "shards" / f"{number:03d}.h5"
        head = replace(HEADER, members_id=f"m{number}")
        write_shard(path, head, rows, lost, timings={"wall_seconds": 2.0, "clips": len(rows)})
        paths.append(path)
    return paths


def index(shards: list[Path], out: Path, **options: object) -> IndexReport:
    settings = {
        "expected_fingerprint": HEADER.fingerprint,
        "features_id": "all",
        "max_failure_rate": 0.05,
        **options,
    }
    return write_index(shards, out, **settings)  # type: ignore[arg-type]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    index(make_shards(tmp_path / "results"), tmp_path / "results" / "deep" / "index.h5")
    return tmp_path / "results"


def present(count: int = 5) -> list[ClipFeatures]:
    """The clips of all shards in the order of their rows."""
    shards = [CLIPS[number::count] for number in range(count) if number != count - 2]
    return [row for rows in shards for row in sorted(rows, key=lambda row: row.video_id)]


def test_plain_h5py_sees_one_file_even_after_a_move(tree: Path, tmp_path: Path) -> None:
    expected = np.concatenate([row.features for row in present()])
    times = np.concatenate([row.times for row in present()])
    moved = tmp_path / "elsewhere é" / "results"
    moved.parent.mkdir()
    for folder in (tree, moved):
        if folder is moved:
            shutil.move(tree, moved)
        with h5py.File(folder / "deep" / "index.h5") as file:
            assert np.array_equal(file["features"][:], expected)
            assert np.array_equal(file["times"][:], times)
            ids = file["video_id"].asstr()[:].tolist()
            assert ids == [row.video_id for row in present()]
            start, end = file["offsets"][7:9]
            assert np.array_equal(file["features"][start:end], present()[7].features)
            shard, row = file["shard"][7], file["row"][7]
            name = file["shards"]["path"][shard].decode()
        with h5py.File(folder / "deep" / name) as source:
            assert source["video_id"].asstr()[row] == present()[7].video_id


def test_a_lost_shard_reads_as_nan_and_not_as_zero(tree: Path) -> None:
    (tree / "shards" / "000.h5").unlink()
    with h5py.File(tree / "deep" / "index.h5") as file:
        assert np.isnan(file["features"][0]).all()
    with pytest.raises(FileNotFoundError, match=r"000\.h5"):
        FeatureIndex(tree / "deep" / "index.h5").read([CLIPS[0].video_id])


def test_read_and_mean_by_id_in_any_order(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = pickle.loads(pickle.dumps(FeatureIndex(tree / "deep" / "index.h5")))
    assert (features.dim, features.modality, features.features_id) == (3, "audio", "all")
    assert features.failures() == (FAILURE, ABSENT)
    by_id = {row.video_id: row for row in present()}
    assert sorted(features.video_ids) == sorted(by_id)
    random = np.random.default_rng(0)
    wanted = [str(video_id) for video_id in random.permutation(list(features.video_ids))[:30]]
    wanted.append(wanted[3])
    ragged = features.read(wanted)
    assert len(ragged) == 31
    for video_id, (values, times) in zip(wanted, ragged, strict=True):
        assert np.array_equal(values, by_id[video_id].features)
        assert np.array_equal(times, by_id[video_id].times)
    assert features.lengths(wanted).tolist() == [len(by_id[v].features) for v in wanted]
    naive = np.stack([by_id[v].features.astype(np.float64).mean(axis=0) for v in wanted])
    monkeypatch.setattr("avzsl.shards.feature_index._MEAN_CLIPS", 7)
    assert np.allclose(features.mean(wanted), naive, rtol=1e-6, atol=0)
    assert features.mean([]).shape == (0, 3)
    assert len(features.read([])) == 0


def test_clips_without_features_are_named_with_the_reason(tree: Path) -> None:
    features = FeatureIndex(tree / "deep" / "index.h5")
    with pytest.raises(LookupError, match=r"2 of the 3 .*no sound track \(mute\)"):
        features.read([CLIPS[0].video_id, "mute", FAILURE.video_id])
    with pytest.raises(LookupError, match="nobody"):
        features.mean(["nobody"])


def test_an_index_of_other_features_or_over_changed_shards_is_refused(tree: Path) -> None:
    path = tree / "deep" / "index.h5"
    with pytest.raises(ValueError, match=r"found all, expected new.*--forcerun index"):
        FeatureIndex(path, expected_features_id="new")
    shard = tree / "shards" / "000.h5"
    write_shard(shard, replace(HEADER, members_id="m0"), CLIPS[1:2], [])
    with pytest.raises(ValueError, match=r"000\.h5 has changed since .*index\.h5 was written"):
        FeatureIndex(path).read([CLIPS[0].video_id])


def test_the_report_adds_up(tmp_path: Path) -> None:
    report = index(make_shards(tmp_path), tmp_path / "index.h5")
    assert report.clips == len(present())
    assert report.windows == sum(len(row.features) for row in present())
    assert report.timings == {"wall_seconds": 10.0, "clips": len(present())}


def test_other_encoder_version_names_the_shards_and_the_command(tmp_path: Path) -> None:
    shards = make_shards(tmp_path)
    for number in (1, 4):
        write_shard(shards[number], replace(HEADER, fingerprint="old"), [], [])
    with pytest.raises(
        ValueError, match=r"2 of 5 shards are of another version.*001\.h5 \(old\).*extract_audio"
    ):
        index(shards, tmp_path / "index.h5")
    assert not (tmp_path / "index.h5").exists()


def test_members_are_checked(tmp_path: Path) -> None:
    shards = make_shards(tmp_path)
    members = {f"{i:03d}": f"m{i}" for i in range(5)}
    index(shards, tmp_path / "index.h5", members_ids=members)
    with pytest.raises(ValueError, match=r"1 of 5 shards were made of other clips.*002\.h5"):
        index(shards, tmp_path / "index.h5", members_ids={**members, "002": "x"})
    with pytest.raises(ValueError, match="needs these shards too: 005"):
        index(shards, tmp_path / "index.h5", members_ids={**members, "005": "x"})


def test_shards_that_do_not_belong_together(tmp_path: Path) -> None:
    shards = make_shards(tmp_path)
    write_shard(shards[2], replace(HEADER, dataset="other"), [], [])
    with pytest.raises(ValueError, match=r"different datasets .*'other'.*'demo'"):
        index(shards, tmp_path / "index.h5")
    with pytest.raises(ValueError, match="at least one shard"):
        index([], tmp_path / "index.h5")


def test_a_clip_in_two_shards(tmp_path: Path) -> None:
    shards = make_shards(tmp_path)
    lost = replace(FAILURE, video_id=CLIPS[0].video_id)
    write_shard(shards[3], HEADER, [], [lost])
    with pytest.raises(ValueError, match=rf"'{CLIPS[0].video_id}' is in two .*000.*003"):
        index(shards, tmp_path / "index.h5")


def test_no_clip_at_all(tmp_path: Path) -> None:
    path = tmp_path / "000.h5"
    write_shard(path, HEADER, [], failures(12, "no-stream", "no sound track"))
    with pytest.raises(
        ValueError, match=r"No clip of dataset demo could be encoded by ears: 12 x no-stream: no"
    ):
        index([path], tmp_path / "index.h5")
    write_shard(path, HEADER, [], [])
    with pytest.raises(ValueError, match="the shards list no clips"):
        index([path], tmp_path / "index.h5")


def test_too_many_failures_over_all_shards(tmp_path: Path) -> None:
    shards = make_shards(tmp_path)
    write_shard(shards[3], HEADER, [], failures(3, "decode") + failures(9, "missing"))
    with pytest.raises(ValueError, match=r"encoder ears: 4 of \d+ clips failed .*allows 3\)"):
        index(shards, tmp_path / "index.h5")
    index(shards, tmp_path / "index.h5", max_failure_rate=0.1)


def test_reading_is_fast_enough_for_a_hundred_thousand_clips(tmp_path: Path) -> None:
    """A tenth of VGGSound in a tenth of its shards; the bound is loose, for a busy machine."""
    shards = []
    values = np.random.default_rng(0).standard_normal((10, 64)).astype(np.float32)
    times = np.stack([np.arange(10.0), np.arange(1.0, 11.0)], axis=1)
    header = replace(HEADER, dim=64)
    for number in range(12):
        rows = [
            ClipFeatures(video_id=f"{number}-{i}", stamp="", features=values + i, times=times)
            for i in range(800)
        ]
        shards.append(tmp_path / f"{number:03d}.h5")
        write_shard(shards[-1], header, rows, [])
    index(shards, tmp_path / "index.h5")
    started = time.perf_counter()
    features = FeatureIndex(tmp_path / "index.h5")
    wanted = [features.video_ids[i] for i in np.random.default_rng(1).permutation(9600)[:5000]]
    means = features.mean(wanted)
    seconds = time.perf_counter() - started
    expected = np.array([int(video_id.split("-")[1]) for video_id in wanted])
    assert np.allclose(means, values.mean(axis=0) + expected[:, None], atol=1e-4)
    assert seconds < 5, f"{os.cpu_count()} cores, {seconds:.2f} s"
