"""Decoding ahead: order, memory, and clips that fail, hang or kill their worker."""

import functools
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import decode_reads
import numpy as np
import pytest
from decode_clips import picture, sine, write_video, write_wav

from avzsl.decode.ahead import DecodeAhead, Decoded, DecodeTask, Sound
from avzsl.decode.choice import DecoderChoice
from avzsl.decode.sampling import AudioWindows, VideoWindows
from avzsl.types import ClipRef, Frames

PYAV = DecoderChoice(name="pyav")
AUDIO = AudioWindows(length_seconds=0.5, hop_seconds=0.5)
VIDEO = VideoWindows(length_seconds=0.4, hop_seconds=0.4, frames=2)
TASK = DecodeTask(modality="audio", windows=AUDIO, decoder=PYAV, read=decode_reads.read)
HERE = decode_reads.__file__


def ahead(words, *, task=TASK, workers=2, timeout_seconds=20.0, ahead_bytes=1 << 24):
    """Decode clips that behave as their ids say."""
    return DecodeAhead(
        decode_reads.clips(words, HERE),
        task,
        workers=workers,
        timeout_seconds=timeout_seconds,
        ahead_bytes=ahead_bytes,
    )


def run(words, **keywords):
    """Decode all clips; return what came out and the statistics."""
    with ahead(words, **keywords) as decoding:
        results = list(decoding)
    assert [result.clip.video_id for result in results] == words
    return results, decoding.statistics


def check_payload(result):
    assert result.failure is None
    assert (result.payload.waveform.samples == len(result.clip.video_id)).all()


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)


def test_results_keep_the_order_of_the_clips():
    words = [f"sleep {0.08 * (i % 4 == 0):g} {i}" for i in range(24)]
    results, statistics = run(words)
    for result in results:
        check_payload(result)
    assert (statistics.clips, statistics.failures, statistics.restarts) == (24, 0, 0)
    assert statistics.decode_seconds > 6 * 0.08
    assert statistics.payload_bytes >= 24 * 16


WRONG = [
    ("raise 0", "decode", "first line second line"),
    ("raise 1", "no-stream", "first line second line"),
    ("raise 2", "too-short", "first line second line"),
    ("raise 3", "missing", "first line second line"),
    ("raise 4", "decode", "KeyError: 'first line"),
    ("memory", "decode", "not enough memory"),
    ("kill 9", "crash", "killed by SIGKILL (out of memory?)"),
    ("kill 11", "crash", "killed by SIGSEGV"),
    ("exit 0", "crash", "exit code 0"),
    ("exit 3", "crash", "exit code 3"),
    ("sysexit 4", "crash", "exit code 4"),
    ("deaf", "crash", "closed its socket"),
    ("sleep 30", "timeout", "longer than 2 s"),
]


def test_a_clip_that_goes_wrong_costs_only_itself():
    """Each of them between two good ones, several crashes in a row among them."""
    words = ["a"]
    for number, (word, _, _) in enumerate(WRONG):
        words += [word, "b" * number]
    words = [word or "empty" for word in words]
    results, statistics = run(words, timeout_seconds=2.0)
    expected = {word: (stage, reason) for word, stage, reason in WRONG}
    for result in results:
        if result.clip.video_id not in expected:
            check_payload(result)
            continue
        stage, reason = expected[result.clip.video_id]
        assert result.payload is None
        assert (result.failure.stage, result.failure.video_id) == (stage, result.clip.video_id)
        assert reason in result.failure.reason
        assert "\n" not in result.failure.reason
    assert statistics.failures == len(WRONG)
    assert statistics.restarts == sum(stage in ("crash", "timeout") for _, stage, _ in WRONG)


def test_a_missing_file_needs_no_worker(tmp_path):
    clips = [
        ClipRef(video_id="a", path=str(tmp_path / "nothing.mp4")),
        ClipRef(video_id="b", path=HERE, stamp="missing"),
    ]
    with DecodeAhead(clips, TASK, workers=2, timeout_seconds=9, ahead_bytes=9) as decoding:
        results = list(decoding)
    assert [r.failure.stage for r in results] == ["missing", "missing"]
    assert all(r.failure.is_absence for r in results)
    assert "nothing.mp4" in results[0].failure.reason


def test_no_clips():
    assert run([])[0] == []


def test_workers_import_no_torch():
    check_payload(run(["torch"])[0][0])


def test_memory_is_bounded_while_nobody_takes():
    """1 MB a clip and room for 8: the first is taken, then the workers stop at 8 or 9 more."""
    words = [f"size {250_000} {i}" for i in range(60)]
    with ahead(words, ahead_bytes=8_000_000) as decoding:
        results = iter(decoding)
        next(results)
        wait_until(lambda: decoding.statistics.payload_bytes >= 8_000_000)
        time.sleep(0.3)
        assert decoding.statistics.payload_bytes <= 11_000_000
        assert len(list(results)) == 59


def test_without_room_the_wanted_clip_is_still_decoded():
    results, _ = run([f"size {100_000} {i}" for i in range(6)], ahead_bytes=0)
    for result in results:
        check_payload(result)


def test_decoding_goes_on_while_the_consumer_works():
    with ahead(["a"] + [f"sleep 0.05 {i}" for i in range(10)], workers=1) as decoding:
        results = iter(decoding)
        next(results)
        time.sleep(1.0)
        begin = time.perf_counter()
        assert len(list(results)) == 10
        assert time.perf_counter() - begin < 0.3


def test_memory_is_used_again_and_never_under_a_live_array():
    """Every fourth payload is kept; none may change while others come and go."""
    kept = []
    with ahead([f"size {200_000} {i * 'x'}" for i in range(40)], ahead_bytes=2_000_000) as decoding:
        for number, result in enumerate(decoding):
            check_payload(result)
            if number % 4 == 0:
                kept.append(result)
    for result in kept:
        check_payload(result)


def test_leaving_early_ends_the_workers_at_once():
    with ahead(["pid", "pid", *(f"sleep 30 {i}" for i in range(4))]) as decoding:
        results = iter(decoding)
        pids = {decode_reads.pid_of(next(results).payload) for _ in range(2)}
        assert all(alive(pid) for pid in pids)
        begin = time.perf_counter()
    assert time.perf_counter() - begin < 1.0
    assert not any(alive(pid) for pid in pids)


def test_an_exception_of_the_consumer_ends_the_workers_and_comes_through():
    threads = threading.active_count()
    with pytest.raises(ZeroDivisionError), ahead(["pid", "sleep 30"]) as decoding:
        pid = decode_reads.pid_of(next(iter(decoding)).payload)
        raise ZeroDivisionError
    assert not alive(pid)
    assert threading.active_count() == threads


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_workers_die_with_a_parent_that_is_killed():
    program = textwrap.dedent(
        f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(HERE).parent)!r})
        import test_decode_ahead as t
        with t.ahead(["pid", "sleep 60", "sleep 60"]) as decoding:
            print(t.decode_reads.pid_of(next(iter(decoding)).payload), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    pid = int(done.stdout)
    wait_until(lambda: not alive(pid))


def test_a_task_that_workers_cannot_read_is_an_error_not_a_failure_of_every_clip():
    task = DecodeTask(
        modality="audio", windows=AUDIO, decoder=PYAV, read=decode_reads.CannotBeRead()
    )
    with pytest.raises(RuntimeError, match="no module named nonsense"):
        run(["a", "b"], task=task)


def test_workers_that_cannot_start_are_an_error(monkeypatch):
    monkeypatch.setattr("avzsl.decode.process._PROGRAM", "import sys; sys.exit(7)")
    with pytest.raises(RuntimeError, match="did not start: the last ended with exit code 7"):
        run(["a", "b"])


@pytest.mark.parametrize(
    "keywords",
    [{"workers": 0}, {"timeout_seconds": 0}, {"timeout_seconds": -1}, {"ahead_bytes": -1}],
)
def test_numbers_out_of_range_are_refused(keywords):
    with pytest.raises(ValueError, match=next(iter(keywords))):
        ahead(["a"], **keywords)


def test_clips_are_decoded_only_within_the_with_statement():
    decoding = ahead(["a", "b"])
    with pytest.raises(RuntimeError, match="within the `with` statement"):
        next(iter(decoding))
    with decoding:
        results = iter(decoding)
        next(results)
    with pytest.raises(RuntimeError, match="within the `with` statement"):
        next(results)


def test_a_task_needs_the_windows_of_its_modality():
    with pytest.raises(ValueError, match="VideoWindows"):
        DecodeTask(modality="visual", windows=AUDIO, decoder=PYAV)


@functools.cache
def real_clips(folder):
    write_video(folder / "a.mp4", frames=30, sound=sine(1.2))
    write_video(folder / "b.avi", frames=30, codec="mpeg4", sound=sine(1.2, channels=2))
    write_video(folder / "silent.mp4", frames=30)
    write_wav(folder / "short.wav", sine(0.3))
    (folder / "empty.mp4").touch()
    names = ["a.mp4", "b.avi", "silent.mp4", "short.wav", "empty.mp4"]
    clips = [ClipRef(video_id=name, path=str(folder / name)) for name in names]
    return [
        *clips,
        ClipRef(video_id="part", path=clips[0].path, start_seconds=0.4, end_seconds=1.0),
    ]


def decode(task, clips):
    with DecodeAhead(clips, task, workers=2, timeout_seconds=20, ahead_bytes=1 << 24) as decoding:
        return {result.clip.video_id: result for result in decoding}


def test_real_pictures(tmp_path):
    task = DecodeTask(modality="visual", windows=VIDEO, decoder=PYAV)
    results = decode(task, real_clips(tmp_path))
    for name in ("a.mp4", "b.avi", "silent.mp4", "part"):
        frames = results[name].payload
        assert isinstance(frames, Frames)
        assert frames.plan.rows.shape == (1 if name == "part" else 3, 2)
        first = 12 if name == "part" else 2  # on display after 0.1 s, and after 0.4 + 0.1 s
        assert np.abs(frames.rgb[0] - picture(first).astype(int)).mean() < 8
    assert results["short.wav"].failure.stage == "no-stream"
    assert results["empty.mp4"].failure.stage == "decode"


def test_real_sound(tmp_path):
    results = decode(
        DecodeTask(modality="audio", windows=AUDIO, decoder=PYAV), real_clips(tmp_path)
    )
    for name, windows in (("a.mp4", 2), ("b.avi", 2), ("part", 1)):
        sound = results[name].payload
        assert isinstance(sound, Sound)
        assert len(sound.spans) == windows
    assert results["part"].payload.waveform.duration_seconds == pytest.approx(0.6)
    stages = {
        name: results[name].failure.stage for name in ("silent.mp4", "short.wav", "empty.mp4")
    }
    assert stages == {"silent.mp4": "no-stream", "short.wav": "too-short", "empty.mp4": "decode"}
    assert isinstance(results["a.mp4"], Decoded)
