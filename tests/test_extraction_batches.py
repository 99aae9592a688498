"""Batches across clips: how full they are, and who pays when one fails."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from torch import Tensor

from avzsl.extraction.batches import WindowBatcher


class Encode:
    """Squares a window's first two values; fails where told, and keeps the batches."""

    def __init__(self, bad: float | None = None, memory: int = 10**9) -> None:
        self.batches: list[list[float]] = []
        self.bad, self.memory = bad, memory

    def __call__(self, windows: Tensor) -> Tensor:
        if len(windows) > self.memory:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.batches.append(windows[:, 0].tolist())
        if self.bad is not None and (windows[:, 0] == self.bad).any():
            raise RuntimeError(f"cannot encode\n {self.bad}")
        return windows.flatten(1)[:, :2] ** 2


def clip(first: int, count: int) -> Tensor:
    """Windows that hold first, first + 1, ... and their negatives."""
    values = torch.arange(first, first + count, dtype=torch.float32)
    return torch.stack([values, -values], dim=1)


def run(encode: Encode, clips: dict[str, Tensor], batch_windows: int = 4) -> tuple:
    batcher = WindowBatcher(encode, dim=2, batch_windows=batch_windows)
    for video_id, windows in clips.items():
        batcher.add(video_id, windows)
    return batcher.finish()


CLIPS = {"a": clip(1, 3), "b": clip(10, 6), "c": clip(20, 1), "d": clip(30, 4)}


def check(features: dict[str, np.ndarray], names: str) -> None:
    assert sorted(features) == list(names)
    for name in names:
        assert np.array_equal(features[name], CLIPS[name].numpy() ** 2)


def test_batches_are_full_whatever_the_clips_lengths() -> None:
    encode = Encode()
    features, failures = run(encode, CLIPS)
    check(features, "abcd")
    assert failures == {}
    assert encode.batches == [[1, 2, 3, 10], [11, 12, 13, 14], [15, 20, 30, 31], [32, 33]]


@pytest.mark.parametrize("batch_windows", [1, 2, 3, 5, 14, 100])
def test_every_batch_size_gives_the_same(batch_windows: int) -> None:
    encode = Encode()
    features, _ = run(encode, CLIPS, batch_windows)
    check(features, "abcd")
    assert all(len(batch) == batch_windows for batch in encode.batches[:-1])


@pytest.mark.parametrize(("bad", "guilty"), [(2, "a"), (10, "b"), (15, "b"), (20, "c"), (33, "d")])
def test_only_the_guilty_clip_is_lost(bad: float, guilty: str) -> None:
    features, failures = run(Encode(bad=bad), CLIPS)
    check(features, "abcd".replace(guilty, ""))
    assert list(failures) == [guilty]
    assert failures[guilty].stage == "encode"
    assert failures[guilty].reason == f"RuntimeError: cannot encode {bad}"


def test_a_given_up_clip_is_not_encoded_further() -> None:
    encode = Encode(bad=10)
    run(encode, CLIPS)
    assert 15 not in [value for batch in encode.batches for value in batch]


def test_non_finite_features_cost_the_clip_alone() -> None:
    clips = {**CLIPS, "b": CLIPS["b"].clone()}
    clips["b"][2, 1] = torch.nan
    clips["b"][3, 0] = torch.inf
    features, failures = run(Encode(), clips)
    check(features, "acd")
    assert failures["b"].reason == "2 of 6 windows give NaN or infinity"


def test_windows_of_several_sizes_do_not_share_a_batch() -> None:
    encode = Encode()
    wide = torch.ones(2, 5)
    features, failures = run(encode, {"a": CLIPS["a"], "w": wide, "c": CLIPS["c"]}, 100)
    assert failures == {}
    assert [len(batch) for batch in encode.batches] == [3, 2, 1]
    assert np.array_equal(features["w"], np.ones((2, 2), dtype=np.float32))


@pytest.mark.parametrize(
    "encode", [lambda x: x[:, :1], lambda x: x.double(), lambda x: x[:-1]], ids=["D", "dtype", "B"]
)
def test_an_encoder_that_breaks_its_contract_fails_every_clip(encode: object) -> None:
    features, failures = run(encode, CLIPS)  # type: ignore[arg-type]
    assert features == {}
    assert sorted(failures) == list("abcd")
    assert "expected (3, 2) torch.float32" in failures["a"].reason


def test_out_of_memory_halves_the_batches_for_good(caplog: pytest.LogCaptureFixture) -> None:
    encode = Encode(memory=3)
    batcher = WindowBatcher(encode, dim=2, batch_windows=8)
    for video_id, windows in CLIPS.items():
        batcher.add(video_id, windows)
    features, failures = batcher.finish()
    check(features, "abcd")
    assert failures == {}
    assert batcher.batch_windows == 2
    assert max(len(batch) for batch in encode.batches) == 2
    assert "batches have 2 from now on" in caplog.text


def test_out_of_memory_and_a_bad_clip_at_once() -> None:
    features, failures = run(Encode(bad=12, memory=3), CLIPS, 8)
    check(features, "acd")
    assert list(failures) == ["b"]


def test_a_single_window_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(OSError, match="single window does not fit"):
        run(Encode(memory=0), CLIPS)


def test_the_log_shows_where_a_reason_arose_once(caplog: pytest.LogCaptureFixture) -> None:
    def encode(windows: Tensor) -> Tensor:
        raise RuntimeError("every time")

    with caplog.at_level(logging.INFO):
        run(encode, CLIPS)  # type: ignore[arg-type]
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 1
    assert len([r for r in caplog.records if r.exc_info]) == 1
    assert len(caplog.records) == 4


def test_finish_forgets() -> None:
    batcher = WindowBatcher(Encode(bad=2), dim=2, batch_windows=4)
    batcher.add("a", CLIPS["a"])
    assert list(batcher.finish()[1]) == ["a"]
    batcher.add("b", CLIPS["b"])
    features, failures = batcher.finish()
    check(features, "b")
    assert failures == {}
    assert batcher.finish() == ({}, {})
