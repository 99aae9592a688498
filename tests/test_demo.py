"""The demo dataset: its design, its files, and that making them survives anything.

To set the lock anew after a change of the generator: ``python tests/test_demo.py --refresh``.
"""

from __future__ import annotations

import itertools
import pickle
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from code_lock import Lock, code_hash, complaint, read_locks, write_locks

from avzsl.datasets import demo_plan as plan_module
from avzsl.datasets.demo import STAMPS, clip_bytes, draw_clip, write_demo
from avzsl.datasets.demo_plan import CLASSES, DAMAGES, PARTS, DemoOptions, demo_plan, parts_of

LOCKS = Path(__file__).with_name("demo_revision.json")
COMMAND = f"python tests/{Path(__file__).name} --refresh"
PAIRS = list(itertools.combinations(PARTS, 2))


def shared_words(left: str, right: str) -> int:
    return sum(a == b for a, b in zip(left.split(), right.split(), strict=True))


def counts(names, *parts):
    return Counter(tuple(parts_of(name)[part] for part in parts) for name in names)


# --- design -----------------------------------------------------------------------------------


def test_numbers_of_classes():
    assert {role: len(names) for role, names in CLASSES.items()} == {
        "train": 12,
        "val_unseen": 6,
        "test_unseen": 6,
    }
    assert len({name for names in CLASSES.values() for name in names}) == 24


@pytest.mark.parametrize("pair", PAIRS)
def test_training_shows_every_pair_of_words(pair):
    seen = counts(CLASSES["train"], *pair)
    assert set(seen) == set(itertools.product(*(PARTS[part] for part in pair)))
    assert max(seen.values()) - min(seen.values()) <= 2
    if "colour" in pair and "pitch" not in pair:
        assert set(seen.values()) == {1}


def test_training_shows_every_word_equally_often():
    for part, words in PARTS.items():
        assert set(counts(CLASSES["train"], part).values()) == {12 // len(words)}


def test_main_effects_can_be_told_apart():
    rows = [
        [float(parts_of(name)[part] == word) for part, words in PARTS.items() for word in words]
        for name in CLASSES["train"]
    ]
    assert np.linalg.matrix_rank(np.array(rows)) == 1 + sum(len(w) - 1 for w in PARTS.values())


@pytest.mark.parametrize("role", ["val_unseen", "test_unseen"])
def test_unseen_classes_are_new_and_even(role):
    names = CLASSES[role]
    for part, words in PARTS.items():
        often = counts(names, part)
        assert len(often) == len(words) and max(often.values()) - min(often.values()) <= 1
    assert max(shared_words(a, b) for a, b in itertools.product(names, CLASSES["train"])) == 3
    assert max(shared_words(a, b) for a, b in itertools.combinations(names, 2)) == 2


def test_parts_of_refuses_other_names():
    assert parts_of("blue star spinning, high siren")["sound"] == "siren"
    for name in ("dog barking", "blue star spinning, high", "star blue spinning, high siren"):
        with pytest.raises(ValueError, match="no demo class"):
            parts_of(name)


def test_plan():
    plan = demo_plan(DemoOptions())
    whole = [clip for clip in plan if clip.damage is None]
    assert len(whole) == 24 * 24 and len(plan) == len(whole) + len(DAMAGES)
    assert len({clip.video_id for clip in plan}) == len({clip.path for clip in plan}) == len(plan)
    assert 2 <= sum(clip.video_id.startswith("-") for clip in plan) <= 10
    assert all("," in clip.class_name for clip in plan)
    for name in (name for names in CLASSES.values() for name in names):
        suffixes = Counter(c.path.rsplit(".")[-1] for c in whole if c.class_name == name)
        assert suffixes == {"mp4": 8, "avi": 8, "webm": 8}
    damaged = [clip for clip in plan if clip.damage]
    assert {clip.damage for clip in damaged} == set(DAMAGES)
    assert {clip.role for clip in damaged} == {"train"}
    assert len(demo_plan(DemoOptions(clips_per_class=2, damaged=False))) == 48


def test_stamp_changes_with_what_the_file_depends_on(monkeypatch):
    plan = demo_plan(DemoOptions())
    stamps = {clip.stamp for clip in plan}
    assert len(stamps) == len(plan)
    assert stamps == {clip.stamp for clip in demo_plan(DemoOptions())}
    assert stamps >= {clip.stamp for clip in demo_plan(DemoOptions(clips_per_class=2))}
    assert stamps.isdisjoint(clip.stamp for clip in demo_plan(DemoOptions(seed=1)))
    monkeypatch.setattr(plan_module, "GENERATOR_REVISION", 10**6)
    assert stamps.isdisjoint(clip.stamp for clip in plan)


def test_plan_imports_nothing_heavy():
    code = (
        "import sys; from avzsl.datasets.demo_plan import *; demo_plan(DemoOptions())\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'av', 'h5py', 'numpy')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_generator_is_locked_to_its_revision():
    wrong = complaint("demo", locked=read_locks(LOCKS), now=current_lock(), command=COMMAND)
    assert wrong is None, wrong


def current_lock() -> Lock:
    folder = Path(plan_module.__file__).parent
    files = [folder / f"demo_{part}.py" for part in ("scene", "pictures", "sound", "encode")]
    return Lock(revision=plan_module.GENERATOR_REVISION, code=code_hash(files))


# --- files ------------------------------------------------------------------------------------


def small_plan():
    """One clip a container, two of them short of nothing, and all damaged ones."""
    plan = demo_plan(DemoOptions(clips_per_class=3))
    return plan[:3] + plan[-len(DAMAGES) :]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    assert write_demo(small_plan(), folder) == len(small_plan())
    return folder


def content(folder):
    return {p.name: p.read_bytes() for p in (folder / "videos").iterdir()}


CODECS = {
    "mp4": ("h264", "aac"),
    "avi": ("mpeg4", "mp3float"),
    "webm": ("vp9", "opus"),
}


@pytest.mark.parametrize("number", range(3))
def test_files_hold_what_was_drawn(folder, number):
    clip = small_plan()[number]
    scene, pictures, sound = draw_clip(clip)
    with av.open(str(folder / clip.path)) as file:
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == CODECS[
            clip.path[-4:].strip(".")
        ]
        assert float(video.average_rate) == pytest.approx(float(scene.fps), rel=1e-3)
        assert (audio.rate, audio.channels) == (scene.sample_rate, scene.channels)
        decoded = [frame.to_ndarray(format="rgb24") for frame in file.decode(video)]
    with av.open(str(folder / clip.path)) as file:
        samples = sum(frame.samples for frame in file.decode(audio=0))
    assert np.stack(decoded).shape == pictures.shape
    assert np.abs(np.stack(decoded).astype(int) - pictures).mean() < 12
    assert samples == pytest.approx(sound.shape[1], abs=0.1 * scene.sample_rate)


def test_damaged_files_are_damaged_as_said(folder):
    files = {clip.damage: folder / clip.path for clip in small_plan() if clip.damage}
    assert files["empty"].stat().st_size == 0
    assert files["truncated"].stat().st_size > 1_000
    for damage in ("empty", "truncated"):
        with pytest.raises(av.FFmpegError):
            av.open(str(files[damage]))
    with av.open(str(files["no-sound"])) as file:
        assert len(file.streams.audio) == 0 and sum(1 for _ in file.decode(video=0)) > 15
    with av.open(str(files["short-sound"])) as file:
        seconds = sum(frame.samples / frame.rate for frame in file.decode(audio=0))
    assert 0.2 < seconds < 0.4


def test_second_run_makes_nothing(folder):
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    assert write_demo(small_plan(), folder) == 0
    assert before == {p: p.stat().st_mtime_ns for p in folder.rglob("*")}


def test_same_bytes_in_any_folder_by_any_number_of_processes(folder, tmp_path):
    write_demo(small_plan()[::-1], tmp_path, processes=2)
    assert content(tmp_path) == content(folder)


def test_only_what_is_missing_or_old_is_made(tmp_path, monkeypatch):
    plan = small_plan()[:2]
    write_demo(plan, tmp_path)
    (tmp_path / "videos" / "mine.mp4").write_text("not of the plan")
    made = content(tmp_path)
    (tmp_path / plan[0].path).unlink()
    assert write_demo(plan, tmp_path) == 1
    other = [replace(plan[1], seed=5)]
    assert write_demo(other, tmp_path) == 1 and content(tmp_path) != made
    assert write_demo(plan, tmp_path) == 1 and content(tmp_path) == made
    # A line that a killed run wrote in half counts for nothing.
    with (tmp_path / STAMPS).open("a") as file:
        file.write(f"{plan[0].path}\tdeadbeef")
    assert write_demo(plan, tmp_path) == 0
    monkeypatch.setattr(plan_module, "GENERATOR_REVISION", 10**6)
    assert write_demo(plan, tmp_path) == 2 and content(tmp_path) == made


def test_a_file_replaced_before_its_stamp_was_noted_is_made_again(tmp_path):
    """Killed between the two steps, then the options are set back: the file is not the old one."""
    clip = small_plan()[0]
    write_demo([clip], tmp_path)
    before = content(tmp_path)
    other = replace(clip, seed=5)
    code = (
        "import os, sys; from avzsl.datasets import demo\n"
        "import pickle; clip, folder = pickle.loads(bytes.fromhex(sys.argv[1]))\n"
        "make = demo._make\n"
        "demo._make = lambda job: (make(job), os._exit(9))\n"
        "demo.write_demo([clip], folder)"
    )
    argument = pickle.dumps((other, str(tmp_path))).hex()
    assert subprocess.run([sys.executable, "-c", code, argument]).returncode == 9
    assert content(tmp_path) != before
    assert write_demo([clip], tmp_path) == 1 and content(tmp_path) == before


def test_killed_at_any_moment_it_ends_in_the_same_files(tmp_path):
    code = (
        "import sys; from avzsl.datasets.demo import *\n"
        "if __name__ == '__main__':\n"
        "    plan = demo_plan(DemoOptions(clips_per_class=2))[::3]\n"
        "    write_demo(plan, sys.argv[1], processes=2)\n"
    )
    script = tmp_path / "make.py"
    script.write_text(code)
    folder = tmp_path / "demo"
    plan = demo_plan(DemoOptions(clips_per_class=2))[::3]
    for wanted in (1, 5, 11):
        process = subprocess.Popen(
            [sys.executable, str(script), str(folder)], stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while len(list(folder.glob("videos/[!.]*"))) < wanted and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    time.sleep(0.3)  # workers notice at once that nobody waits for them
    # Of the 11 files only those that were in the workers' hands may be made twice.
    assert 1 <= write_demo(plan, folder) <= len(plan) - 11 + 4
    names = {Path(clip.path).name for clip in plan}
    assert {name for name in content(folder) if not name.startswith(".")} == names
    for clip in plan[::4]:
        assert (folder / clip.path).read_bytes() == clip_bytes(clip)


def test_no_processes_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        write_demo([], tmp_path, processes=0)


if __name__ == "__main__":
    if sys.argv[1:] != ["--refresh"]:
        sys.exit(f"usage: {COMMAND}")
    write_locks(LOCKS, {"demo": current_lock()})
