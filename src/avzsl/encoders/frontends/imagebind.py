"""Spectrograms and pictures as ImageBind sees them.

Shapes: N windows, S samples, T frames, M mel bands, L steps of 10 ms, F pictures, H and W sides,
C crops.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from avzsl.encoders.frontends.kaldi import FRAME, fbank
from avzsl.encoders.frontends.pictures import CLIP_MEAN, CLIP_STD, normalise, resize, to_device

BANDS = 128
STEPS = 204
"""Steps of a spectrogram; sound of 2 s has 198."""
LOG_MEL_MEAN, LOG_MEL_STD = -4.268, 9.138
SIDE = 224
PICTURES_AT_ONCE = 16
"""Pictures resized at a time: bounds the memory for large pictures."""


def spectrograms(sound_S: Tensor, begins_N: Tensor, samples: int) -> Tensor:
    """Return the log-mel spectrograms [N, M, L] of stretches of a sound.

    Where a stretch reaches beyond the sound's end, or gives fewer steps than a spectrogram has, the
    rest of the spectrogram (not of the sound) is zero before it is normalised.

    Args:
        sound_S: At 16 kHz, float32.
        begins_N: First sample of each stretch, on the CPU, before the sound's end.
        samples: Length of a stretch.
    """
    mel_NML = sound_S.new_zeros(len(begins_N), BANDS, STEPS)
    lengths_N = (len(sound_S) - begins_N).clamp(max=samples)
    for length in lengths_N.unique().tolist():  # one for full stretches, another at the end
        which = (lengths_N == length).nonzero()[:, 0].to(sound_S.device)
        cut_NS = sound_S.unfold(0, length, 1)[begins_N.to(sound_S.device)[which]]
        cut_NS = cut_NS - cut_NS.mean(1, keepdim=True)
        cut_NS = torch.nn.functional.pad(cut_NS, (0, max(FRAME - length, 0)))
        cut_NTM = fbank(cut_NS, bands=BANDS)[:, :STEPS]
        mel_NML[which, :, : cut_NTM.shape[1]] = cut_NTM.mT
    return (mel_NML - LOG_MEL_MEAN) / LOG_MEL_STD


def crops(rgb_FHW3: object, device: torch.device | str, which: Literal["centre", "all"]) -> Tensor:
    """Return normalised squares of pictures, [F, C, 3, 224, 224].

    The shorter side becomes 224 by bilinear interpolation without a low-pass filter, as in the
    reference: large pictures are undersampled.

    Args:
        rgb_FHW3: Bytes.
        device: Where to compute.
        which: The ``centre`` (C = 1), or both ends and the centre of the longer side (C = 3).
    """
    parts = []
    for piece_F3HW in to_device(rgb_FHW3, device).split(PICTURES_AT_ONCE):
        height, width = piece_F3HW.shape[-2:]
        small_F3HW = resize(
            piece_F3HW.float() / 255, scaled_size(height, width), mode="bilinear", antialias=False
        )
        axis = -2 if height > width else -1
        room = small_F3HW.shape[axis] - SIDE
        begins = [math.ceil(room / 2)] if which == "centre" else [0, math.ceil(room / 2), room]
        cut = [small_F3HW.narrow(axis, begin, SIDE) for begin in begins]
        parts.append(normalise(torch.stack(cut, dim=1), CLIP_MEAN, CLIP_STD))
    return torch.cat(parts)


def scaled_size(height: int, width: int) -> tuple[int, int]:
    """Return height and width with the shorter side 224; the longer is rounded down."""
    if width < height:
        return math.floor(height / width * SIDE), SIDE
    return SIDE, math.floor(width / height * SIDE)
