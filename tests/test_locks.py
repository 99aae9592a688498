"""Locks between processes."""

from __future__ import annotations

import errno
import multiprocessing
import threading
import time
from pathlib import Path

import pytest

from avzsl.locks import exclusive, try_lock

FORK = multiprocessing.get_context("fork")


def add_one(path: Path) -> None:
    """Read, wait and write: two at once would lose a count."""
    for _ in range(5):
        with exclusive(path.with_suffix(".lock"), wait_seconds=20, what="the count"):
            value = int(path.read_text())
            time.sleep(0.005)
            path.write_text(str(value + 1))


def test_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avzsl.locks._POLL_SECONDS", 0.001)
    path = tmp_path / "count"
    path.write_text("0")
    processes = [FORK.Process(target=add_one, args=(path,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert path.read_text() == "20"
    assert [p.name for p in tmp_path.iterdir()] == ["count"]


def test_try_lock_does_not_wait(tmp_path: Path) -> None:
    first = try_lock(tmp_path / "deep" / "lock")
    assert first is not None
    assert try_lock(tmp_path / "deep" / "lock") is None
    first.close()
    second = try_lock(tmp_path / "deep" / "lock")
    assert second is not None
    second.close()


def test_waiting_ends_with_a_clear_error(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "lock", wait_seconds=0, what="x"),
        pytest.raises(OSError, match=r"writing out\.h5 for 0\.1 seconds \(it holds .*lock\)"),
        exclusive(tmp_path / "lock", wait_seconds=0.1, what="out.h5"),
    ):
        raise AssertionError("two holders")


def test_waiting_ends_when_the_lock_is_free(tmp_path: Path) -> None:
    holder = try_lock(tmp_path / "lock")
    assert holder is not None
    timer = threading.Timer(0.1, holder.close)
    timer.start()
    with exclusive(tmp_path / "lock", wait_seconds=10, what="x"):
        pass
    timer.join()


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), exclusive(tmp_path / "lock", wait_seconds=0, what="x"):
        raise KeyError
    with exclusive(tmp_path / "lock", wait_seconds=0, what="x"):
        pass


def test_a_file_system_without_locks_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", flock)
    with exclusive(tmp_path / "lock", wait_seconds=0, what="x"):
        assert "No file locks at" in caplog.text
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(
        "fcntl.flock", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken disk"))
    )
    with (
        pytest.raises(OSError, match="broken disk"),
        exclusive(tmp_path / "lock", wait_seconds=0, what="x"),
    ):
        pass
