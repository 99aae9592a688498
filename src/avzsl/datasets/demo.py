"""The demo dataset: real video files with sound, made on the spot.

``demo_plan`` says which clips there are, ``write_demo`` makes those that are missing or were made
by other options. A clip depends on the seed and its own id only, so a run that was killed goes on
where it stopped and ends in the same files.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avzsl.datasets.demo_encode import encode_file
from avzsl.datasets.demo_pictures import render_pictures
from avzsl.datasets.demo_plan import CLASSES, DAMAGES, DemoClip, DemoOptions, demo_plan
from avzsl.datasets.demo_scene import Scene, draw_scene
from avzsl.datasets.demo_sound import render_sound
from avzsl.provenance import write_aside, write_text

__all__ = ["CLASSES", "DAMAGES", "STAMPS", "DemoClip", "DemoOptions", "demo_plan", "write_demo"]

_log = logging.getLogger(__name__)

STAMPS = "stamps.tsv"
"""File in the dataset's folder: one line ``path <tab> stamp`` a finished clip, appended."""

SHORT_SOUND_SECONDS = 0.3
"""Length of the sound of the clip whose sound is too short."""


def write_demo(
    plan: Sequence[DemoClip], folder: str | os.PathLike[str], *, processes: int = 1
) -> int:
    """Make every clip of the plan that the folder lacks or holds in another version.

    Files are written aside and renamed. Nothing that the plan does not name is touched.

    Args:
        plan: From ``demo_plan``.
        folder: Where ``DemoClip.path`` begins; made if absent.
        processes: Processes that render and encode.

    Returns:
        How many clips were made.

    Raises:
        ValueError: If ``processes`` is below 1.
        OSError: If a file cannot be written.
    """
    if processes < 1:
        raise ValueError(f"processes must be at least 1, got {processes}.")
    folder = Path(folder)
    stamps = _read_stamps(folder)
    todo = [c for c in plan if stamps.get(c.path) != c.stamp or not (folder / c.path).is_file()]
    _log.info("demo dataset in %s: %d of %d clips to make", folder, len(todo), len(plan))
    if not todo:
        return 0
    # Forget the stamps first: a file replaced just before a crash must not pass for the old one.
    stale = {clip.path for clip in todo}
    kept = {path: stamp for path, stamp in stamps.items() if path not in stale}
    write_text(folder / STAMPS, "".join(f"{path}\t{stamp}\n" for path, stamp in kept.items()))
    begin = shown = time.monotonic()
    with (folder / STAMPS).open("a", encoding="utf-8") as record:
        for done, clip in enumerate(_make_all(todo, folder, processes), start=1):
            record.write(f"{clip.path}\t{clip.stamp}\n")
            record.flush()
            now = time.monotonic()
            if now - shown > 5 or done == len(todo):
                shown = now
                _log.info("demo dataset: %d of %d clips, %.0f s", done, len(todo), now - begin)
    return len(todo)


def clip_bytes(clip: DemoClip) -> bytes:
    """Return the content of a clip's file, the same on every run of one machine."""
    if clip.damage == "empty":
        return b""
    scene, pictures, sound = draw_clip(clip)
    data = encode_file(
        pictures,
        sound,
        container=clip.path.rsplit(".", 1)[1],
        fps=scene.fps,
        sample_rate=scene.sample_rate,
    )
    # An MP4 file ends with its index, so what is left cannot be opened.
    return data[: len(data) * 3 // 5] if clip.damage == "truncated" else data


def draw_clip(clip: DemoClip) -> tuple[Scene, NDArray[np.uint8], NDArray[np.float32] | None]:
    """Return a clip before encoding: scene, pictures [F, H, W, 3], sound [C, S] or None."""
    scene = draw_scene(clip)
    sound = render_sound(clip, scene)
    if clip.damage == "short-sound":
        sound = sound[:, : round(SHORT_SOUND_SECONDS * scene.sample_rate)]
    return scene, render_pictures(clip, scene), None if clip.damage == "no-sound" else sound


def _make_all(todo: Sequence[DemoClip], folder: Path, processes: int) -> Iterator[DemoClip]:
    """Make clips, each yielded as soon as its file is in place."""
    jobs = [(clip, folder) for clip in todo]
    if processes == 1:
        yield from map(_make, jobs)
        return
    # A fresh interpreter for each worker: forking a process that has run threads may hang it.
    context = multiprocessing.get_context("spawn")
    workers = min(processes, len(jobs))
    with ProcessPoolExecutor(workers, context, initializer=_leave_with_parent) as pool:
        yield from pool.map(_make, jobs)


def _leave_with_parent() -> None:
    """Let a worker end when its parent is killed, which the pool itself does not notice."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _make(job: tuple[DemoClip, Path]) -> DemoClip:
    """Write the file of one clip."""
    clip, folder = job
    data = clip_bytes(clip)
    with write_aside(folder / clip.path) as partial:
        partial.write_bytes(data)
    return clip


def _read_stamps(folder: Path) -> dict[str, str]:
    """Return the stamps by path; a line that a killed run left half is ignored."""
    try:
        text = (folder / STAMPS).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    whole = text[: text.rfind("\n") + 1]
    return dict(line.split("\t", maxsplit=1) for line in whole.splitlines() if "\t" in line)
