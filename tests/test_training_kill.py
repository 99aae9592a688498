"""kill -9 at random moments, then the same command again: the same files, bit for bit."""

import multiprocessing
import os
import random
import signal
import time

from training_setup import small_options, train

EPOCHS = 60
KILLS = 6


def run(folder):
    train(folder, options=small_options("ez-avgzl", epochs=EPOCHS), save_every_seconds=0.02)


def start(folder):
    """Start a training in a process of its own; forked, to save the import of torch."""
    process = multiprocessing.get_context("fork").Process(target=run, args=(folder,))
    process.start()
    return process


def wait_for_change(path, process, before):
    """Wait until the resume file has been written anew, so that each life gets somewhere."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.is_alive():
        if path.exists() and path.stat().st_mtime_ns != before:
            return
        time.sleep(0.002)


def test_a_training_killed_again_and_again_gives_the_same_model(tmp_path):
    wanted = train(tmp_path / "undisturbed", options=small_options("ez-avgzl", epochs=EPOCHS))
    folder = tmp_path / "killed"
    resume = folder / ".model.pt.resume"
    rng = random.Random(0)
    for _ in range(KILLS):
        before = resume.stat().st_mtime_ns if resume.exists() else 0
        process = start(folder)
        wait_for_change(resume, process, before)
        time.sleep(rng.uniform(0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL, "it ended before the kill; raise EPOCHS"
    assert resume.exists()
    assert not (folder / "model.pt").exists()
    last = start(folder)
    last.join()
    assert last.exitcode == 0
    for path in wanted:
        assert (folder / path.name).read_bytes() == path.read_bytes()
    assert sorted(p.name for p in folder.iterdir()) == ["history.csv", "model.pt"]
