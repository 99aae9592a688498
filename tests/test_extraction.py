"""The extraction engine, with an encoder that counts and clips that need no file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from extraction_spy import (
    WINDOW,
    FakeAhead,
    SpyEncoder,
    bits,
    fake_ahead,
    lose,
    make_clips,
    make_sound,
    run,
)

from avzsl.extraction import engine
from avzsl.extraction.chunks import CHUNK_CLIPS, parts_folder
from avzsl.locks import exclusive, try_lock
from avzsl.shards.reader import ShardReader, read_shard


@pytest.fixture(autouse=True)
def ahead(monkeypatch: pytest.MonkeyPatch) -> type[FakeAhead]:
    torch.set_num_threads(1)
    fake = fake_ahead()
    monkeypatch.setattr(engine, "DecodeAhead", fake)
    return fake


def test_features_belong_to_their_clips(tmp_path: Path) -> None:
    encoder = SpyEncoder()
    clips = make_clips(150)
    report = run(clips, tmp_path / "s.h5", encoder=encoder)
    rows, failures = read_shard(tmp_path / "s.h5", expected_fingerprint=encoder.fingerprint)
    assert (report.encoded, report.resumed, report.reused, failures) == (150, 0, 0, ())
    assert [row.video_id for row in rows] == sorted(clip.video_id for clip in clips)
    for row, clip in zip(rows, sorted(clips, key=lambda clip: clip.video_id), strict=True):
        sound = make_sound(clip)
        windows = sound.waveform.samples.reshape(-1, WINDOW)
        assert np.allclose(row.features, windows @ encoder._weights.numpy(), atol=1e-4)
        assert np.array_equal(row.times, sound.spans)
        assert row.stamp == "1"
    assert encoder.loads == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.h5"]


def test_header_and_timings(tmp_path: Path) -> None:
    report = run(make_clips(10), tmp_path / "s.h5")
    with ShardReader(tmp_path / "s.h5") as shard:
        header = shard.header
        assert (header.dataset, header.encoder, header.encoder_kind) == ("demo", "spy", "spy")
        assert (header.modality, header.members_id, header.dim) == ("audio", "members", 5)
        assert header.options == {"scale": 1.0}
        assert len(header.decoders) == 1
        assert header.decoders[0].startswith("PyAV") and header.decoders[0].endswith("on cpu")
        assert shard.timings["clips"] == 10
        assert shard.timings["windows"] == shard.offsets[-1] == report.timings.windows
        assert shard.timings["media_seconds"] == pytest.approx(shard.offsets[-1] * 0.5)
        assert 0 < shard.timings["wall_seconds"] <= report.timings.wall_seconds
    assert "10 clips encoded, 0 resumed, 0 reused, 0 absent, 0 failed" in str(report)


def test_batches_fill_across_clips_but_not_across_chunks(tmp_path: Path) -> None:
    encoder = SpyEncoder()
    clips = sorted(make_clips(CHUNK_CLIPS + 20), key=lambda clip: clip.video_id)
    run(clips, tmp_path / "s.h5", encoder=encoder)
    windows = [len(make_sound(clip).spans) for clip in clips]
    chunks = [sum(windows[:CHUNK_CLIPS]), sum(windows[CHUNK_CLIPS:])]
    expected = [
        size for total in chunks for size in [16] * (total // 16) + [total % 16] * (total % 16 > 0)
    ]
    assert [len(batch) for batch in encoder.batches] == expected


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    run(make_clips(70), tmp_path / "a.h5")
    run(make_clips(70)[::-1], tmp_path / "b.h5")
    assert bits(tmp_path / "a.h5") == bits(tmp_path / "b.h5")


def test_a_shard_without_members_or_without_sound_is_legal(
    tmp_path: Path, ahead: type[FakeAhead]
) -> None:
    encoder = SpyEncoder()
    run([], tmp_path / "empty.h5", encoder=encoder)
    assert encoder.loads == 0
    clips = make_clips(5)
    ahead.fail.update({clip.video_id: lose(clip, "no-stream", "no sound") for clip in clips})
    report = run(clips, tmp_path / "mute.h5", max_failure_rate=0.0)
    assert read_shard(tmp_path / "empty.h5") == ([], ())
    rows, failures = read_shard(tmp_path / "mute.h5")
    assert rows == []
    assert len(failures) == len(report.failures) == 5


def test_clips_listed_twice(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"listed twice: -"):
        run(make_clips(3) + make_clips(1), tmp_path / "s.h5")


class TestFailures:
    """What a failing clip costs, and when a shard gives up."""

    def test_one_clip_that_cannot_be_preprocessed(
        self, tmp_path: Path, ahead: type[FakeAhead]
    ) -> None:
        clips = make_clips(3)
        sound = make_sound(clips[1])
        bad = replace(sound, waveform=replace(sound.waveform, codec="unreadable"))
        ahead.sounds[clips[1].video_id] = bad
        report = run(clips, tmp_path / "s.h5", max_failure_rate=0.0)
        assert [failure.video_id for failure in report.failures] == [clips[1].video_id]
        assert report.failures[0].stage == "encode"
        assert report.failures[0].reason == "RuntimeError: cannot make sense of this sound"

    def test_preprocessing_must_give_a_window_for_every_span(
        self, tmp_path: Path, ahead: type[FakeAhead]
    ) -> None:
        clips = make_clips(2)
        sound = make_sound(clips[0])
        spans = np.concatenate([sound.spans, sound.spans[-1:] + 0.5])
        short = replace(sound, spans=spans)
        ahead.sounds[clips[0].video_id] = short
        (failure,) = run(clips, tmp_path / "s.h5").failures
        assert (
            failure.reason == f"preprocessing gave {len(spans) - 1} windows, expected {len(spans)}"
        )

    def test_non_finite_sound_is_a_failure_of_its_clip(
        self, tmp_path: Path, ahead: type[FakeAhead]
    ) -> None:
        clips = make_clips(4)
        sound = make_sound(clips[2])
        samples = sound.waveform.samples.copy()
        samples[0, 7] = np.nan
        ahead.sounds[clips[2].video_id] = replace(
            sound, waveform=replace(sound.waveform, samples=samples)
        )
        report = run(clips, tmp_path / "s.h5")
        assert "NaN or infinity" in report.failures[0].reason
        assert report.encoded == 3

    def test_too_many_failures_keep_what_was_computed(
        self, tmp_path: Path, ahead: type[FakeAhead]
    ) -> None:
        clips = make_clips(100)
        for clip in clips[:11]:
            ahead.fail[clip.video_id] = lose(clip)
        out = tmp_path / "017.h5"
        with pytest.raises(
            ValueError, match=r"Shard 017 .*11 of 100 clips failed .*0\.1 allows 10\): 11 x decode"
        ):
            run(clips, out, max_failure_rate=0.1)
        assert not out.exists()
        assert len(list(parts_folder(out).rglob("*.h5"))) == 2
        ahead.asked.clear()
        report = run(clips, out, max_failure_rate=0.11)
        assert (report.resumed, report.encoded, len(report.failures)) == (89, 0, 11)
        assert sorted(ahead.asked) == sorted(clip.video_id for clip in clips[:11])
        assert not parts_folder(out).exists()

    def test_a_bug_of_the_encoder_is_what_the_shard_says(self, tmp_path: Path) -> None:
        class Broken(SpyEncoder):
            def encode(self, windows: torch.Tensor) -> torch.Tensor:
                raise TypeError("forgot a dimension")

        with pytest.raises(ValueError, match=r"64 of 200 .*64 x encode: TypeError: forgot a dim"):
            run(make_clips(200), tmp_path / "s.h5", encoder=Broken())  # stops after a chunk


def test_another_writer_is_waited_for_and_then_refused(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / ".s.h5.lock", wait_seconds=0, what="it"),
        pytest.raises(OSError, match=r"Another process has been writing .*s\.h5 for 0\.3 sec"),
    ):
        run(make_clips(2), tmp_path / "s.h5", lock_seconds=0.3)
    run(make_clips(2), tmp_path / "s.h5")
    handle = try_lock(tmp_path / ".s.h5.lock")
    assert handle is not None
    handle.close()
