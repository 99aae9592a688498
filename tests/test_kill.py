"""Jobs killed at random moments, then a plain re-run: the same table, bit for bit."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from project import TABLE, environment, make_project

pytestmark = pytest.mark.slow

KILLS = 10


def processes_of(command, folder):
    """Return ids of running ``avzsl`` jobs of one command below a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            here = (process / "cwd").readlink() == folder
        except OSError:
            continue
        if here and "avzsl" in words[:4] and command in words:
            found.append(int(process.name))
    return found


def run_and_kill(project, command, delay_seconds):
    """Start the workflow, kill -9 one job of ``command`` after a delay; return whether one was."""
    run = subprocess.Popen(
        project.command(TABLE),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    killed = False
    while run.poll() is None and not killed:
        if processes_of(command, project.path):
            time.sleep(delay_seconds)
            for pid in processes_of(command, project.path)[:1]:
                os.kill(pid, signal.SIGKILL)
                killed = True
        time.sleep(0.02)
    run.wait(timeout=300)
    return killed


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="finds the jobs through /proc")
def test_killed_jobs_change_no_bit_of_the_table(tmp_path):
    undisturbed = make_project(tmp_path / "undisturbed")
    disturbed = undisturbed.copy(tmp_path / "disturbed")
    undisturbed.run()
    draw = random.Random(0)
    for command, folder in (("extract", "features"), ("train", "models")):
        kills = 0
        while kills < KILLS // 2:
            if run_and_kill(disturbed, command, draw.uniform(0.0, 2.5)):
                kills += 1
            else:  # it was finished before the blow fell: once more from the start
                shutil.rmtree(disturbed.path / "results" / folder)
    disturbed.run()
    assert disturbed.table() == undisturbed.table()
    parts = list((disturbed.path / "results").rglob(".*parts*")) + list(
        (disturbed.path / "results").rglob("*.partial")
    )
    assert [path for path in parts if path.is_file()] == []
