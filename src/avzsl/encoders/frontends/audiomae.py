"""Log-mel pictures for AudioMAE: 1024 frames of 128 bands.

Shapes: S samples, N windows, W samples of a window, T frames of a window, M mel bands.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from avzsl.encoders.frontends.kaldi import FRAME, SAMPLE_RATE, STEP, fbank

RATE = SAMPLE_RATE
FRAMES = 1024
BANDS = 128
WINDOW = (FRAMES - 1) * STEP + FRAME
"""Samples that 1024 frames cover, 15 ms more than 1024 steps."""
MEAN = -4.2677393
"""Of log energies over AudioSet."""
STD = 4.5689974
WINDOWS_AT_ONCE = 16
"""Bounds the memory at about 100 MB."""


def pictures(sound_S: Tensor, begins_seconds: NDArray[np.float64]) -> Tensor:
    """Return normalised log energies [N, T, M], T = 1024, M = 128.

    Args:
        sound_S: float32 at 16 kHz.
        begins_seconds: [N] begin of each window.

    Raises:
        ValueError: If the sound is shorter than one frame.
    """
    if len(sound_S) < FRAME:
        raise ValueError(
            f"AudioMAE needs a sound of 25 ms at least, got {1000 * len(sound_S) / RATE:.1f} ms."
        )
    begins_N = torch.from_numpy(np.rint(begins_seconds * RATE).astype(np.int64))
    begins_N = begins_N.to(sound_S.device)
    lengths_N = (len(sound_S) - begins_N).clamp(max=WINDOW)
    padded_S = functional.pad(sound_S, (0, WINDOW))
    parts = [
        _pictures(padded_S.unfold(0, WINDOW, 1)[some_N], some_lengths_N)
        for some_N, some_lengths_N in zip(
            begins_N.split(WINDOWS_AT_ONCE), lengths_N.split(WINDOWS_AT_ONCE), strict=True
        )
    ]
    return torch.cat(parts)


def _pictures(sound_NW: Tensor, lengths_N: Tensor) -> Tensor:
    """Return the pictures of windows that are zero from ``lengths_N`` samples on."""
    inside_NW = torch.arange(WINDOW, device=sound_NW.device) < lengths_N[:, None]
    mean_N1 = sound_NW.sum(1, keepdim=True) / lengths_N[:, None]
    energy_NTM = fbank((sound_NW - mean_N1) * inside_NW, bands=BANDS)
    whole_N = (lengths_N - FRAME) // STEP + 1
    heard_NT = torch.arange(FRAMES, device=sound_NW.device) < whole_N[:, None]
    # Frames behind the sound are zeros of log energy, not of energy, as the authors pad.
    return (energy_NTM * heard_NT[..., None] - MEAN) / (2 * STD)
