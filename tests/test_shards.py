"""Feature shards: what is written is read, and what is not whole is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from avzsl import __version__
from avzsl.shards.failures import check_failures, describe_failures
from avzsl.shards.layout import Header
from avzsl.shards.reader import ShardReader, read_shard
from avzsl.shards.writer import write_shard
from avzsl.types import ClipFeatures, Failure

HEADER = Header(
    dataset="demo",
    encoder="ears",
    encoder_kind="spy",
    modality="audio",
    fingerprint="f" * 16,
    options={"scale": 1.0, "name": "ü"},
    members_id="m" * 16,
    dim=3,
    decoders=("PyAV 18, FFmpeg 8 on cpu", "torchcodec"),
)


def clip(video_id: str, windows: int, *, dim: int = 3) -> ClipFeatures:
    random = np.random.default_rng(len(video_id) + windows)
    return ClipFeatures(
        video_id=video_id,
        stamp=f"stamp of {video_id}",
        features=random.standard_normal((windows, dim)).astype(np.float32),
        times=np.stack([np.arange(windows), np.arange(windows) + 0.96], axis=1),
    )


FAILURE = Failure(video_id='-zero, "bytes"', stage="decode", reason="no frame in 'a.mp4' – ü")
CLIPS = [clip("-ünï (çødé)", 4), clip("--help", 1), clip("b'/;$x", 2), clip("日本", 7)]


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / "000.h5"
    write_shard(path, HEADER, CLIPS, [FAILURE], timings={"wall_seconds": 1.5})
    return path


def test_round_trip_in_the_order_of_ids(shard: Path) -> None:
    rows, failures = read_shard(shard, expected_fingerprint=HEADER.fingerprint)
    expected = sorted(CLIPS, key=lambda row: row.video_id)
    assert [row.video_id for row in rows] == [row.video_id for row in expected]
    for row, other in zip(rows, expected, strict=True):
        assert row.stamp == other.stamp
        assert row.features.dtype == np.float32
        assert row.features.tobytes() == other.features.tobytes()
        assert row.times.tobytes() == other.times.tobytes()
    assert list(failures) == [FAILURE]


def test_reader_by_id_header_and_origin(shard: Path) -> None:
    with ShardReader(shard) as reader:
        assert reader.header == HEADER
        assert reader.timings == {"wall_seconds": 1.5}
        row = reader.read("日本")
        assert np.array_equal(row.features, CLIPS[3].features)
        with pytest.raises(LookupError, match=r"decode: no frame in 'a\.mp4' – ü"):
            reader.read(FAILURE.video_id)
        with pytest.raises(LookupError, match="no features of 'nobody'"):
            reader.read("nobody")
    with h5py.File(shard) as file:
        assert f'"avzsl": "{__version__}"' in file.attrs["origin"]
        assert file["features"].dtype == "<f4"
        assert file["offsets"].dtype == "<i8"
        assert file["times"].dtype == "<f8"


def test_gather_reads_what_is_asked_for(tmp_path: Path) -> None:
    clips = [clip(f"{i:03d}", 1 + i % 5) for i in range(200)]
    write_shard(tmp_path / "s.h5", HEADER, clips, [])
    with ShardReader(tmp_path / "s.h5") as reader:
        for wanted in ([0], [3, 4, 4, 5, 190], list(range(0, 200, 2)), [], [199]):
            features, times = reader.gather(np.array(wanted, dtype=np.int64))
            naive = [clips[i] for i in wanted]
            assert np.array_equal(
                features, np.concatenate([np.empty((0, 3)), *(row.features for row in naive)])
            )
            assert np.array_equal(
                times, np.concatenate([np.empty((0, 2)), *(row.times for row in naive)])
            )


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.h5", HEADER, CLIPS, [FAILURE])
    write_shard(tmp_path / "b.h5", HEADER, CLIPS[::-1], [FAILURE])
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_empty_shard(tmp_path: Path) -> None:
    write_shard(tmp_path / "e.h5", HEADER, [], [])
    assert read_shard(tmp_path / "e.h5") == ([], ())
    with ShardReader(tmp_path / "e.h5") as reader:
        assert reader.header.dim == 3
        assert reader.offsets.tolist() == [0]


def test_writer_refuses_what_no_reader_should_get(tmp_path: Path) -> None:
    out = tmp_path / "s.h5"
    with pytest.raises(ValueError, match=r"twice: --help"):
        write_shard(out, HEADER, [CLIPS[1], CLIPS[1]], [])
    with pytest.raises(ValueError, match=r"twice: --help"):
        write_shard(out, HEADER, [CLIPS[1]], [replace(FAILURE, video_id="--help")])
    with pytest.raises(ValueError, match=r"length 4, but the encoder ears gives 3"):
        write_shard(out, HEADER, [clip("a", 2, dim=4)], [])
    for bad in (np.nan, np.inf):
        row = clip("a", 2)
        row.features[1, 1] = bad
        with pytest.raises(ValueError, match=r"a: features hold NaN or infinity"):
            write_shard(out, HEADER, [row], [])
    assert list(tmp_path.iterdir()) == []


def test_truncated_and_foreign_files_are_refused(shard: Path, tmp_path: Path) -> None:
    whole = shard.read_bytes()
    for length in (0, 7, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.h5").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut\.h5 is truncated or no HDF5 file"):
            read_shard(tmp_path / "cut.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["features"] = [1.0]
    with pytest.raises(ValueError, match="HDF5 file of another program; a feature-shard"):
        read_shard(tmp_path / "other.h5")
    with pytest.raises(FileNotFoundError, match="no feature-shard"):
        read_shard(tmp_path / "none.h5")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.attrs.__setitem__("format_version", 2), "format version 2"),
        (lambda file: file.attrs.__setitem__("kind", "feature-index"), "is a feature-index; a"),
        (lambda file: file.attrs.__delitem__("dim"), "the attribute 'dim' is missing"),
        (lambda file: file.__delitem__("times"), "'times' with 2 dimension"),
        (lambda file: file["offsets"].__setitem__(1, 0), "columns do not fit together"),
    ],
)
def test_damaged_files_are_refused(shard: Path, damage: object, message: str) -> None:
    with h5py.File(shard, "r+") as file:
        damage(file)  # type: ignore[operator]
    with pytest.raises(ValueError, match=message):
        read_shard(shard)


@pytest.mark.parametrize("modality", ["audio", "visual"])
def test_wrong_fingerprint_names_the_rule(tmp_path: Path, modality: str) -> None:
    write_shard(tmp_path / "s.h5", replace(HEADER, modality=modality), CLIPS, [])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=rf"found f{{16}}, expected 0.*extract_{modality}"):
        ShardReader(tmp_path / "s.h5", expected_fingerprint="0")


def failures(count: int, stage: str, reason: str = "why") -> list[Failure]:
    return [
        Failure(video_id=f"{stage}{i}", stage=stage, reason=reason)  # type: ignore[arg-type]
        for i in range(count)
    ]


def test_messages_name_ten_clips_and_count_the_rest() -> None:
    text = describe_failures(failures(3, "timeout") + failures(12, "decode", "Bad file."))
    assert text.startswith("12 x decode: Bad file (decode0, decode1,")
    assert "decode9" in text
    assert "decode10" not in text
    assert text.endswith("; and 5 more")
    assert describe_failures(failures(2, "crash")) == "2 x crash: why (crash0, crash1)"


@pytest.mark.parametrize(
    ("clips", "rate", "allowed"),
    [(1, 0.0, 1), (72, 0.1, 7), (100, 0.07, 7), (20, 0.05, 1), (39, 0.05, 1), (40, 0.05, 2)],
)
def test_failure_limit(clips: int, rate: float, allowed: int) -> None:
    absences = failures(clips, "no-stream")
    check_failures(
        absences + failures(allowed, "decode"), clips=clips, max_failure_rate=rate, what="Shard"
    )
    with pytest.raises(ValueError, match=rf"Shard: {allowed + 1} of {clips} .*allows {allowed}\)"):
        check_failures(
            absences + failures(allowed + 1, "decode"),
            clips=clips,
            max_failure_rate=rate,
            what="Shard",
        )
