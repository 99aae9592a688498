"""What an extraction takes over: rows of the shard's earlier version, parts of a stopped run."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from extraction_spy import (
    FakeAhead,
    SpyEncoder,
    SpyOptions,
    bits,
    fake_ahead,
    lose,
    make_clips,
    run,
)

from avzsl.extraction import engine
from avzsl.extraction.chunks import CHUNK_CLIPS, parts_folder
from avzsl.shards.reader import read_shard
from avzsl.types import ClipRef


@pytest.fixture(autouse=True)
def ahead(monkeypatch: pytest.MonkeyPatch) -> type[FakeAhead]:
    torch.set_num_threads(1)
    fake = fake_ahead()
    monkeypatch.setattr(engine, "DecodeAhead", fake)
    return fake


class TestReuse:
    """Rows of the earlier version of a shard, through its side copy."""

    def test_only_new_and_changed_clips_are_encoded(
        self, tmp_path: Path, ahead: type[FakeAhead]
    ) -> None:
        out, reuse = tmp_path / "s.h5", tmp_path / ".reuse" / "s.h5"
        clips = make_clips(80)
        run(clips[:78], out, reuse=reuse)
        before = {row.video_id: row for row in read_shard(out)[0]}
        assert out.stat().st_ino == reuse.stat().st_ino  # a hard link costs no space
        out.unlink()  # as Snakemake does before it runs a changed rule
        clips[5] = replace(clips[5], stamp="2")
        clips[6] = replace(clips[6], start_seconds=0.5)
        ahead.asked.clear()
        encoder = SpyEncoder()
        report = run(clips[1:], out, reuse=reuse, encoder=encoder)
        new = [clips[5], clips[6], clips[78], clips[79]]
        assert sorted(ahead.asked) == sorted(clip.video_id for clip in new)
        assert len(encoder.preprocessed) == 4
        assert (report.encoded, report.reused) == (4, 75)
        rows = {row.video_id: row for row in read_shard(out)[0]}
        assert sorted(rows) == sorted(clip.video_id for clip in clips[1:])
        for clip in clips[1:78]:
            if clip not in new:
                now, then = rows[clip.video_id], before[clip.video_id]
                assert now.features.tobytes() == then.features.tobytes()
        assert rows[clips[5].video_id].stamp == "2"

    def test_nothing_to_encode_loads_no_encoder(
        self, tmp_path: Path, ahead: type[FakeAhead]
    ) -> None:
        out, reuse = tmp_path / "s.h5", tmp_path / ".reuse" / "s.h5"
        run(make_clips(70), out, reuse=reuse)
        whole = bits(out)
        out.unlink()
        ahead.asked.clear()
        encoder = SpyEncoder()
        run(make_clips(70), out, reuse=reuse, encoder=encoder)
        assert (encoder.loads, ahead.asked) == (0, [])
        assert bits(out) == whole

    def test_another_fingerprint_reuses_nothing(self, tmp_path: Path) -> None:
        out, reuse = tmp_path / "s.h5", tmp_path / ".reuse" / "s.h5"
        run(make_clips(5), out, reuse=reuse)
        report = run(make_clips(5), out, reuse=reuse, encoder=SpyEncoder(SpyOptions(scale=2.0)))
        assert (report.encoded, report.reused) == (5, 0)

    def test_a_damaged_side_copy_is_not_used(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        reuse = tmp_path / "side.h5"
        reuse.write_bytes(b"\x89HDF nonsense")
        with caplog.at_level(logging.INFO):
            assert run(make_clips(5), tmp_path / "s.h5", reuse=reuse).encoded == 5
        assert "Nothing is reused" in caplog.text
        assert len(read_shard(reuse)[0]) == 5

    def test_failed_clips_are_tried_again(self, tmp_path: Path, ahead: type[FakeAhead]) -> None:
        out, reuse = tmp_path / "s.h5", tmp_path / ".reuse" / "s.h5"
        clips = make_clips(30)
        ahead.fail[clips[3].video_id] = lose(clips[3], "timeout")
        assert len(run(clips, out, reuse=reuse).failures) == 1
        ahead.fail.clear()
        ahead.asked.clear()
        report = run(clips, out, reuse=reuse)
        assert ahead.asked == [clips[3].video_id]
        assert (report.encoded, report.reused, report.failures) == (1, 29, ())


class TestResume:
    """Parts of a run that was stopped."""

    def stop_after(self, tmp_path: Path, clips: list[ClipRef], **settings: object) -> Path:
        """Run until the encoder is cut off in the second chunk."""

        class Stopped(SpyEncoder):
            def preprocess(self, *args: object) -> torch.Tensor:
                if len(self.preprocessed) == CHUNK_CLIPS + 10:
                    raise KeyboardInterrupt
                return super().preprocess(*args)  # type: ignore[arg-type]

        out = tmp_path / "s.h5"
        with pytest.raises(KeyboardInterrupt):
            run(clips, out, encoder=Stopped(), **settings)  # type: ignore[arg-type]
        assert not out.exists()
        return out

    def test_the_chunk_goes_on_and_the_bits_are_the_same(
        self, tmp_path: Path, ahead: type[FakeAhead]
    ) -> None:
        clips = make_clips(150)
        ahead.fail[clips[0].video_id] = lose(clips[0])
        run(clips, tmp_path / "undisturbed.h5")
        out = self.stop_after(tmp_path, clips)
        report = run(clips, out)
        lost_in_first = sorted(c.video_id for c in clips).index(clips[0].video_id) < CHUNK_CLIPS
        assert report.resumed == CHUNK_CLIPS - lost_in_first
        assert report.encoded == 149 - report.resumed
        assert bits(out) == bits(tmp_path / "undisturbed.h5")
        assert read_shard(out)[1] == read_shard(tmp_path / "undisturbed.h5")[1]

    def test_the_same_beside_reused_rows(self, tmp_path: Path) -> None:
        old, clips = make_clips(100)[:30], make_clips(180)
        run(old, tmp_path / "u.h5", reuse=tmp_path / "side-u.h5")
        run(clips, tmp_path / "u.h5", reuse=tmp_path / "side-u.h5")
        run(old, tmp_path / "s.h5", reuse=tmp_path / "side-s.h5")
        (tmp_path / "s.h5").unlink()
        out = self.stop_after(tmp_path, clips, reuse=tmp_path / "side-s.h5")
        report = run(clips, out, reuse=tmp_path / "side-s.h5")
        assert (report.reused, report.resumed, report.encoded) == (30, 64, 86)
        assert bits(out) == bits(tmp_path / "u.h5")

    @pytest.mark.parametrize("change", ["fingerprint", "batch", "damage"])
    def test_parts_of_other_circumstances_do_not_count(self, tmp_path: Path, change: str) -> None:
        clips = make_clips(100)
        out = self.stop_after(tmp_path, clips)
        encoder, batch_windows = SpyEncoder(), 16
        if change == "fingerprint":
            encoder = SpyEncoder(SpyOptions(scale=2.0))
        elif change == "batch":
            batch_windows = 17
        else:
            (part,) = parts_folder(out).rglob("*.h5")
            part.write_bytes(part.read_bytes()[:-5])
        report = run(clips, out, encoder=encoder, batch_windows=batch_windows)
        assert (report.resumed, report.encoded) == (0, 100)
        assert not parts_folder(out).exists()

    def test_a_removed_an_added_and_a_changed_clip_lose_no_other(
        self, tmp_path: Path, ahead: type[FakeAhead]
    ) -> None:
        clips = sorted(make_clips(101), key=lambda clip: clip.video_id)
        added = clips.pop(5)
        out = self.stop_after(tmp_path, clips)
        finished = [clip.video_id for clip in clips[:CHUNK_CLIPS]]
        clips[2] = replace(clips[2], stamp="2")
        del clips[0]
        ahead.asked.clear()
        report = run([*clips, added], out)
        assert report.resumed == CHUNK_CLIPS - 2
        assert set(ahead.asked) & set(finished) == {clips[1].video_id}
        assert read_shard(out)[0][1].stamp == "2"
        assert len(read_shard(out)[0]) == 100
