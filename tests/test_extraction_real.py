"""Extraction of real, encoded files by the real decoder and the encoders that need no weights."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from extraction_job import CHUNK, SEGMENTS, extract_for_real, segments
from extraction_spy import bits

from avzsl.extraction import chunks
from avzsl.extraction.chunks import parts_folder
from avzsl.shards.reader import read_shard
from avzsl.types import ClipRef

RATE = 16_000
FPS = 12


def write_video(path: Path, *, seconds: float, sound: bool = True, seed: int = 0) -> None:
    """A square that moves over a grey picture, and a tone."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=FPS, width=64, height=48)
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono") if sound else None
        for number in range(round(seconds * FPS)):
            picture = np.full((48, 64, 3), 90, dtype=np.uint8)
            left = (5 * seed + 3 * number) % 48
            picture[16:32, left : left + 16] = (200, 40 * seed % 256, 10)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
        if audio is not None:
            times = np.arange(round(seconds * RATE)) / RATE
            tone = 0.3 * np.sin(2 * np.pi * (300 + 100 * seed) * times, dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
            container.mux(audio.encode(frame))
            container.mux(audio.encode())


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four whole videos."""
    folder = tmp_path_factory.mktemp("videos")
    for seed in range(4):
        write_video(folder / f"ü {seed}.mp4", seconds=2.0, seed=seed)
    return folder


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory, videos: Path) -> list[ClipRef]:
    """One whole video, and one of each kind that lacks something."""
    folder = tmp_path_factory.mktemp("odd")
    whole = (videos / "ü 0.mp4").read_bytes()
    write_video(folder / "mute.mp4", seconds=2.0, sound=False)
    write_video(folder / "short.mp4", seconds=0.3)
    (folder / "whole.mp4").write_bytes(whole)
    (folder / "zero.mp4").write_bytes(b"")
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 3])
    names = ["whole", "mute", "short", "zero", "cut", "absent"]
    return [ClipRef(video_id=n, path=str(folder / f"{n}.mp4"), stamp="1") for n in names]


@pytest.mark.parametrize(
    ("kind", "encoded", "stages"),
    [
        (
            "signal-audio",
            {"whole"},
            {"mute": "no-stream", "short": "too-short", "zero": "decode", "cut": "decode"},
        ),
        (
            "signal-visual",
            {"whole", "mute", "short"},
            {"zero": "decode", "cut": "decode"},
        ),
    ],
)
def test_odd_files_are_rows_with_a_reason(
    odd: list[ClipRef], tmp_path: Path, kind: str, encoded: set[str], stages: dict[str, str]
) -> None:
    report = extract_for_real(kind, odd, tmp_path / "s.h5")
    rows, failures = read_shard(tmp_path / "s.h5")
    assert {row.video_id for row in rows} == encoded
    assert {failure.video_id: failure.stage for failure in failures} == {
        **stages,
        "absent": "missing",
    }
    assert all(failure.reason and ".mp4: " not in failure.reason for failure in failures)
    (whole,) = (row for row in rows if row.video_id == "whole")
    assert len(whole.features) >= 2
    assert (np.diff(whole.times, axis=1) > 0.9).all()
    assert whole.times[-1, 1] <= 2.1
    assert report.timings.decode_wait_seconds > 0


def test_killed_while_really_decoding(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_CLIPS", CHUNK)  # as the job does for itself
    extract_for_real("signal-audio", segments(videos), tmp_path / "undisturbed.h5")
    expected = bits(tmp_path / "undisturbed.h5")
    assert len(read_shard(tmp_path / "undisturbed.h5")[0]) == 4 * SEGMENTS
    out = tmp_path / "jobs" / "s.h5"
    script = Path(__file__).with_name("extraction_job.py")
    for parts in (1, 3):
        process = subprocess.Popen([sys.executable, script, "signal-audio", videos, out])
        while len(list(parts_folder(out).rglob("*.h5"))) < parts and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not out.exists()
    report = extract_for_real("signal-audio", segments(videos), out)
    assert report.resumed >= 3 * CHUNK
    assert report.encoded == 4 * SEGMENTS - report.resumed
    assert bits(out) == expected
    wait_for_the_end_of_decoders(videos)


def wait_for_the_end_of_decoders(videos: Path) -> None:
    """The workers of a killed job must not live on."""
    deadline = time.monotonic() + 10
    while left := [pid for pid in processes_that_mention("avzsl.decode") if is_orphan(pid)]:
        assert time.monotonic() < deadline, f"decoding processes outlive their job: {left}"
        time.sleep(0.1)


def processes_that_mention(word: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


def is_orphan(pid: int) -> bool:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) == 1
    except OSError:
        return False
