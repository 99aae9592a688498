"""Extraction jobs that are killed, run out of disk, or run twice at once: in real processes."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from extraction_spy import DIM, bits, fake_ahead, make_clips, run
from test_shards import HEADER

from avzsl.extraction import chunks, engine
from avzsl.extraction.chunks import parts_folder
from avzsl.shards.reader import read_shard
from avzsl.shards.writer import write_shard

FORK = multiprocessing.get_context("fork")  # spares every job the import of torch
CLIPS = 40
CHUNK = 4


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    torch.set_num_threads(1)
    monkeypatch.setattr(chunks, "CHUNK_CLIPS", CHUNK)
    monkeypatch.setattr(engine, "DecodeAhead", fake_ahead())
    yield


def job(out: Path, delay_seconds: float, lock_seconds: float = 5.0) -> None:
    """Extract in this process, slowly."""
    engine.DecodeAhead.delay_seconds = delay_seconds  # type: ignore[attr-defined]
    run(make_clips(CLIPS), out, reuse=out.parent / ".reuse" / out.name, lock_seconds=lock_seconds)


def job_on_a_full_disk(out: Path, limit_bytes: int) -> None:
    """Extract, with no file larger than ``limit_bytes``; exit code 3 and the message in a file."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    try:
        job(out, 0.0)
    except OSError as error:
        (out.parent / "message").write_text(str(error)[: limit_bytes // 2])
        sys.exit(3)


def test_killed_at_random_moments_and_run_again(tmp_path: Path) -> None:
    job(tmp_path / "undisturbed.h5", 0.0)
    expected = bits(tmp_path / "undisturbed.h5")
    random = np.random.default_rng(0)
    killed = resumed_from = 0
    for trial in range(10):
        out = tmp_path / f"{trial}" / "s.h5"
        for _ in range(2):  # killed twice before it may end
            process = FORK.Process(target=job, args=(out, 0.005))
            process.start()
            time.sleep(random.uniform(0.02, 0.25))
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            killed += process.exitcode == -signal.SIGKILL
        if out.exists():
            assert bits(out) == expected
        resumed_from += parts_folder(out).exists()
        job(out, 0.0)
        assert bits(out) == expected
        left = sorted(path.name for path in out.parent.iterdir())
        assert left == [".reuse", "s.h5"]
    assert killed >= 15
    assert resumed_from >= 5


@pytest.mark.parametrize("limit_bytes", [4096, 12_000])
def test_a_full_disk_is_one_clear_message_and_loses_nothing(
    tmp_path: Path, limit_bytes: int
) -> None:
    """The smaller limit stops the first part, the larger lets all parts through but no shard."""
    out = tmp_path / "jobs" / "s.h5"
    process = FORK.Process(target=job_on_a_full_disk, args=(out, limit_bytes))
    process.start()
    process.join()
    assert process.exitcode == 3
    message = (out.parent / "message").read_text()
    assert "The disk or the quota is full" in message
    assert " bytes" in message
    assert "run the same command again" in message
    parts = sorted(parts_folder(out).rglob("*.h5"))
    whole_parts = limit_bytes > 4096
    assert len(parts) == (CLIPS // CHUNK if whole_parts else 0)
    assert str(out if whole_parts else parts_folder(out)) in message
    assert not out.exists()
    assert not list(out.parent.rglob("*.partial"))
    report = run(make_clips(CLIPS), out)
    assert report.resumed == (CLIPS if whole_parts else 0)
    job(tmp_path / "undisturbed.h5", 0.0)
    assert bits(out) == bits(tmp_path / "undisturbed.h5")


def test_a_really_full_device(tmp_path: Path) -> None:
    """The kernel's own error, from a device that is always full."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this machine")
    out = tmp_path / "s.h5"
    (tmp_path / ".s.h5.partial").symlink_to("/dev/full")
    job(tmp_path / "whole.h5", 0.0)
    rows, _ = read_shard(tmp_path / "whole.h5")
    with pytest.raises(OSError, match=r"full: .*s\.h5 needs [\d,]+ bytes, .* bytes free"):
        write_shard(out, replace(HEADER, dim=DIM), rows, [])
    assert not out.exists()


def test_two_jobs_take_turns(tmp_path: Path) -> None:
    out = tmp_path / "s.h5"
    processes = [FORK.Process(target=job, args=(out, 0.002)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    job(tmp_path / "undisturbed.h5", 0.0)
    assert bits(out) == bits(tmp_path / "undisturbed.h5")


def test_the_lock_of_a_killed_job_is_free(tmp_path: Path) -> None:
    out = tmp_path / "s.h5"
    process = FORK.Process(target=job, args=(out, 1.0))
    process.start()
    while not out.with_name(".s.h5.lock").exists():
        time.sleep(0.01)
    time.sleep(0.05)
    with pytest.raises(OSError, match="Another process has been writing"):
        job(out, 0.0, lock_seconds=0.0)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    job(out, 0.0, lock_seconds=0.0)
