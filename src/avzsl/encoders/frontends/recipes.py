"""Preprocessing of pictures as a ``preprocessor_config.json`` of Hugging Face describes it.

Shapes: F pictures, H height, W width, S side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avzsl.encoders.frontends.pictures import (
    centre_crop,
    normalise,
    resize,
    short_side_size,
    to_device,
)
from avzsl.encoders.hub_files import read_json
from avzsl.sources.checkpoint import Checkpoint

PICTURES_AT_ONCE = 32
"""Pictures resized at a time: bounds the memory at 90 MB of bytes for 720p."""

INTERPOLATIONS: dict[int, Literal["bilinear", "bicubic"]] = {2: "bilinear", 3: "bicubic"}
"""The numbers that Pillow gives to them, which the files name."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Shorter side to a length, central square, mean and deviation."""

    short: int
    """Pixels of the shorter side after the resize."""
    side: int
    """Pixels of the square."""
    mode: Literal["bilinear", "bicubic"]
    mean: tuple[float, ...]
    """Of each channel, of values in [0, 1]."""
    std: tuple[float, ...]
    antialias: bool = True
    """Whether shrinking takes all source pixels into account."""
    long_side: Literal["down", "nearest"] = "down"
    """How the length of the longer side is rounded."""
    odd_pixel: Literal["round", "floor"] = "floor"
    """Where the square lies if the margin is odd; see ``centre_crop``."""

    def bytes_of(self, rgb_FHW3: NDArray[np.uint8], device: torch.device) -> Tensor:
        """Return pictures [F, 3, S, S], bytes still."""
        height, width = rgb_FHW3.shape[1:3]
        if self.long_side == "down":
            size = short_side_size(height, width, self.short)
        else:
            scale = self.short / min(height, width)
            size = (int(height * scale + 0.5), int(width * scale + 0.5))
        parts = torch.from_numpy(rgb_FHW3).split(PICTURES_AT_ONCE)
        return torch.cat([self._small(part_FHW3, size, device) for part_FHW3 in parts])

    def normalised(self, bytes_F3SS: Tensor) -> Tensor:
        """Return what the network sees, float32 of the same shape."""
        return normalise(bytes_F3SS.float() / 255, self.mean, self.std)

    def _small(self, rgb_FHW3: Tensor, size: tuple[int, int], device: torch.device) -> Tensor:
        pictures_F3HW = resize(
            to_device(rgb_FHW3, device), size, mode=self.mode, antialias=self.antialias
        )
        return centre_crop(pictures_F3HW, self.side, rounding=self.odd_pixel)


def recipe_of(checkpoint: Checkpoint | None, pattern: str, usual: Recipe) -> Recipe:
    """Return the recipe that lies beside a checkpoint, or the usual one.

    Args:
        checkpoint: None for an untrained network.
        pattern: Under which the checkpoint has its ``preprocessor_config.json``, if it has one.
        usual: What there is without the file; its square is the network's.

    Raises:
        ValueError: If the file asks for a step that is not known here, or for pictures of another
            size than the network's.
    """
    if checkpoint is None or pattern not in checkpoint.files:
        return usual
    recipe = read_recipe(checkpoint.file(pattern), usual)
    if recipe.side != usual.side:
        raise ValueError(
            f"{checkpoint.file(pattern)}: makes pictures of {recipe.side} x {recipe.side} pixels, "
            f"the network sees {usual.side} x {usual.side}. It may be another model's."
        )
    return recipe


def read_recipe(path: Path, usual: Recipe) -> Recipe:
    """Return the recipe of a file, in the old form or the new one.

    Args:
        path: A ``preprocessor_config.json``.
        usual: What the file does not say is as here.

    Raises:
        ValueError: If the file asks for a step that is not known here.
    """
    told = read_json(path)
    skipped = [name for name in told if name.startswith("do_") and told[name] is False]
    skipped = [name for name in skipped if name != "do_convert_rgb"]
    factor = told.get("rescale_factor", 1 / 255)
    resample = told.get("resample", 2 if usual.mode == "bilinear" else 3)
    short = _pixels(told.get("size", usual.short), ("shortest_edge",))
    side = _pixels(told.get("crop_size", usual.side), ("height", "width"))
    known = resample in INTERPOLATIONS and math.isclose(factor, 1 / 255, rel_tol=1e-6)
    if skipped or not known or short is None or side is None or side > short:
        raise ValueError(
            f"{path}: expected a resize of the shorter side ('size': {{'shortest_edge': 224}}) "
            "with 'resample' 2 or 3, a square 'crop_size' no larger than it, 'rescale_factor' "
            f"1/255 and no step left out; got {told!r}."
        )
    return Recipe(
        short=short,
        side=side,
        mode=INTERPOLATIONS[resample],
        mean=tuple(told.get("image_mean", usual.mean)),
        std=tuple(told.get("image_std", usual.std)),
        antialias=usual.antialias,
        long_side=usual.long_side,
        odd_pixel=usual.odd_pixel,
    )


def _pixels(told: Any, names: tuple[str, ...]) -> int | None:
    """Return one number of pixels from its old form (a number) or its new one (by name)."""
    if isinstance(told, dict):
        values = {told.get(name) for name in names}
        told = values.pop() if len(values) == 1 else None
    return told if isinstance(told, int) else None
