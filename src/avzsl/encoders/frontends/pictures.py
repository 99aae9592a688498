"""Resize, crop and normalise pictures as the published recipes do, on any device.

Shapes: F pictures, H height, W width, S side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Radford et al., ICML 2021."""
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def to_device(rgb_FHW3: object, device: torch.device | str) -> Tensor:
    """Return decoded pictures as uint8 [F, 3, H, W] on the device."""
    return torch.as_tensor(rgb_FHW3).to(device).permute(0, 3, 1, 2)


def short_side_size(height: int, width: int, short: int) -> tuple[int, int]:
    """Return height and width with the shorter side made ``short``; the longer is rounded down."""
    if height <= width:
        return short, int(short * width / height)
    return int(short * height / width), short


def resize(
    pictures_F3HW: Tensor,
    size: tuple[int, int],
    *,
    mode: Literal["bilinear", "bicubic"],
    antialias: bool,
) -> Tensor:
    """Return pictures of another size, in the type that they came in.

    Bytes stay bytes and are rounded, as PIL's are (equal to one level in 255 where ``antialias`` is
    on); floats are neither rounded nor clamped.

    Args:
        pictures_F3HW: uint8 in 0..255 or float.
        size: Height and width.
        mode: Interpolation.
        antialias: Whether shrinking takes all source pixels into account, as PIL does.
    """
    if tuple(pictures_F3HW.shape[-2:]) == tuple(size):
        return pictures_F3HW
    if pictures_F3HW.dtype == torch.uint8:
        if antialias and pictures_F3HW.device.type != "cpu":
            return resize_in_passes(pictures_F3HW, size, mode=mode)
        if not antialias:
            scaled = resize(pictures_F3HW.float(), size, mode=mode, antialias=False)
            return scaled.round().clamp(0, 255).byte()
    return functional.interpolate(
        pictures_F3HW, size=size, mode=mode, align_corners=False, antialias=antialias
    )


def resize_in_passes(
    bytes_F3HW: Tensor, size: tuple[int, int], *, mode: Literal["bilinear", "bicubic"]
) -> Tensor:
    """Return bytes resized with antialiasing by operations that every device has.

    As PIL and the CPU do it: in width, to bytes again, then in height. In one pass of floats,
    bicubic differs by up to 12 levels where a sharp edge overshoots the range of a byte.
    """
    scaled_F3HW = bytes_F3HW.float()
    for shape in ((bytes_F3HW.shape[-2], size[1]), size):
        scaled_F3HW = functional.interpolate(
            scaled_F3HW, size=shape, mode=mode, align_corners=False, antialias=True
        )
        scaled_F3HW = scaled_F3HW.round().clamp(0, 255)
    return scaled_F3HW.byte()


def centre_crop(
    pictures_F3HW: Tensor, side: int, *, rounding: Literal["round", "floor"] = "round"
) -> Tensor:
    """Return the central square.

    Args:
        pictures_F3HW: At least ``side`` in both directions.
        side: Pixels.
        rounding: Where the odd pixel goes: ``round`` half to even as torchvision, or ``floor``.
    """
    height, width = pictures_F3HW.shape[-2:]
    top, left = height - side, width - side
    if rounding == "round":
        top, left = round(top / 2), round(left / 2)
    else:
        top, left = top // 2, left // 2
    return pictures_F3HW[..., top : top + side, left : left + side]


def normalise(pictures_F3HW: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return (x - mean) / std for each channel, float."""
    mean_311 = pictures_F3HW.new_tensor(mean)[:, None, None]
    std_311 = pictures_F3HW.new_tensor(std)[:, None, None]
    return (pictures_F3HW - mean_311) / std_311
