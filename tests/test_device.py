"""Which device is chosen, and that jobs do not share a GPU unawares."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from avzsl import device
from avzsl.device import choose_device
from avzsl.locks import try_lock


@pytest.fixture(autouse=True)
def no_gpus_held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(device, "_held", {})
    monkeypatch.setattr(device, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    yield
    for handle in device._held.values():
        handle.close()


def pretend(monkeypatch: pytest.MonkeyPatch, gpus: int) -> list[int]:
    """Make torch see that many GPUs; returns the list of devices made current."""
    current: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU {index}")
    return current


def folder(tmp_path: Path) -> Path:
    return tmp_path / f"avzsl-{os.getuid()}"


def test_the_cpu_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 2)
    assert choose_device("cpu") == (torch.device("cpu"), "the CPU was asked for")


def test_auto_without_cuda_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 0)
    monkeypatch.setattr(torch.version, "cuda", None)
    assert choose_device("auto") == (torch.device("cpu"), "this build of torch has no CUDA")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert "built for CUDA 13.0 and finds no device" in choose_device("auto")[1]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert choose_device("auto")[1] == "CUDA_VISIBLE_DEVICES is empty"


def test_cuda_asked_for_and_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 0)
    with pytest.raises(ValueError, match=r"'cuda' was asked for, but .* Use device auto or cpu"):
        choose_device("cuda")
    pretend(monkeypatch, 2)
    with pytest.raises(ValueError, match=r"'cuda:2' was asked for, but there are 2 CUDA devices"):
        choose_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:1", "auto:0", "", "cuda:-1"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"must be auto, cpu, cuda or cuda:<number>, got"):
        choose_device(name)


def test_the_first_free_gpu_is_taken_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    current = pretend(monkeypatch, 3)
    other_job = try_lock(folder(tmp_path) / "gpu0.lock")
    assert other_job is not None
    assert choose_device("auto") == (torch.device("cuda", 1), "GPU 1, free")
    assert try_lock(folder(tmp_path) / "gpu1.lock") is None
    assert choose_device("cuda") == (
        torch.device("cuda", 1),
        "GPU 1, taken before by this process",
    )
    assert current == [1, 1]
    other_job.close()


def test_a_job_waits_for_a_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pretend(monkeypatch, 1)
    other_job = try_lock(folder(tmp_path) / "gpu0.lock")
    assert other_job is not None
    timer = threading.Timer(0.1, other_job.close)
    timer.start()
    assert choose_device("auto")[0] == torch.device("cuda", 0)
    timer.join()
    assert caplog.text.count("All 1 GPUs are taken") == 1


def test_the_schedulers_or_the_users_choice_is_not_locked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pretend(monkeypatch, 2)
    assert choose_device("cuda:1") == (torch.device("cuda", 1), "GPU 1, asked for by its number")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,6")
    assert choose_device("auto")[1] == "GPU 0, first of CUDA_VISIBLE_DEVICES=5,6"
    assert not folder(tmp_path).exists()
