"""ImageBind with towers of two small blocks, in the published layout."""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from random_states import random_state
from torch import Tensor

GOLDEN = Path(__file__).parents[1] / "golden" / "encoders"
MERGES_FILE = "bpe_simple_vocab_16e6.txt.gz"
MERGES = [
    *("i n", "t h", "a n", "r e", "a r", "e r</w>", "o n", "th e</w>", "in g</w>", "o r"),
    *(
        "s t",
        "n g</w>",
        "l a",
        "p la",
        "pla y",
        "play ing</w>",
        "an d</w>",
        "o u",
        "b a",
        "s</w> i",
    ),
    *("d o", "do g</w>", "c h", "d e", "e n", "u r", "i d", "re n</w>", "s i", "si ren</w>"),
]
"""Byte pairs of a small vocabulary; one of them never applies."""


@functools.cache
def published_layout() -> dict[str, list]:
    """Return name -> [shape..., dtype] of a small model of the reference implementation."""
    with np.load(GOLDEN / "imagebind-audio.npz") as golden:
        layout: dict[str, list] = json.loads(str(golden["layout"]))
    return layout


@functools.cache
def published_state() -> dict[str, Tensor]:
    """Return the random tensors that the reference had for the golden files."""
    return random_state(published_layout())


def write_merges(path: Path, merges: list[str] | None = None) -> None:
    """Write a list of merges as OpenAI's is written."""
    lines = ['"bpe_simple_vocab_16e6.txt#version: 0.2', *(MERGES if merges is None else merges)]
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))


def write(folder: Path) -> dict[str, dict[str, Any]]:
    """Write a checkpoint for each tower, in half precision, and the merges beside the text's."""
    made: dict[str, dict[str, Any]] = {}
    for tower in ("vision", "audio", "text"):
        place = folder / tower
        place.mkdir()
        own = {
            name: tensor.half()
            for name, tensor in published_state().items()
            if name.split(".")[1] in (tower, "imu")
        }
        torch.save(own, place / "imagebind.pth")
        made[f"imagebind-{tower}"] = {"weights": str(place)}
    write_merges(folder / "text" / MERGES_FILE)
    return made
