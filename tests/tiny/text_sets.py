"""A benchmark's descriptions and class names in their published layout; encoders joined."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from . import clip_xclip

NAMES = {
    "dog barking": "dog barking",
    "BeeBuzzing": "bee, wasp, etc. buzzing",
    "saxophone, playing": "playing the saxophone (alto)",
    "ete": "été à vélo",
}
"""Original -> readable; sorted by the one, they stand in another order than by the other."""


def write(folder: Path) -> dict[str, dict[str, Any]]:
    """Write tiny checkpoints and return the options that use them."""
    (folder / "weights").mkdir()
    clip = {"weights": clip_xclip.write(folder / "weights")["clip-text"]["weights"]}
    for name, words in (("splits", "people sing"), ("splits-other", "people sing a video")):
        write_benchmark(folder / name, {r: description(r, words) for r in sorted(NAMES.values())})
    return {
        "described-clip": clip | {"descriptions": str(folder / "splits")},
        "joined": {
            "encoders": [{"kind": "clip-text", "options": clip}, {"kind": "signal-text"}],
        },
    }


def description(name: str, words: str) -> tuple[str, str, str]:
    return f"{name} is {words}", f"a video of {name}: {words}", f"{words}, the drum of {name}"


def write_benchmark(
    folder: Path, described: dict[str, tuple[str, str, str]], stem: str = "UCF"
) -> Path:
    """Write a benchmark's descriptions, with its class names beside them; return their path."""
    names = folder / "avgzsl_benchmark_datasets" / stem / "class-split"
    names.mkdir(parents=True)
    write_csv(
        names / f"{stem.lower()}_w2v_class_names.csv", [("original", "manual"), *NAMES.items()]
    )
    return write_descriptions(folder / "descriptions" / f"{stem}.csv", described)


def write_descriptions(path: Path, described: dict[str, tuple[str, str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = ("name", "description_1", "description_2", "description_3")
    write_csv(path, [head, *((name, *texts) for name, texts in described.items())])
    return path


def write_csv(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
