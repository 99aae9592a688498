r"""Log filter bank and pictures as SeLaVi reads them.

The filter bank is that of the package python_speech_features, ``logfbank`` with 257 filters of a
spectrum of 513 lines: frames of 20 ms every 10 ms without a window, pre-emphasis, power over the
length of the transform, triangles between whole lines that are evenly spaced in mel

.. math:: m(f) = 2595 \log_{10}(1 + f / 700).

The low triangles are so narrow that 54 of them hold no line; their energy is none at all, which
counts as 2.2e-16 (-36.04 as a logarithm). Sound is in units of 16-bit samples, not of full scale.

Shapes: B sounds, S samples, T frames, W samples of a frame, K lines, M filters; F pictures, H
height, W width of a picture.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avzsl.encoders.frontends.pictures import to_device

SAMPLE_RATE = 44_100
FRAME = 882
STEP = 441
FFT = 1024
FILTERS = 257
PREEMPHASIS = 0.97
FULL_SCALE = 2**15
SPECTRUM_MEAN = 1.93
SPECTRUM_STD = 17.89
PICTURE_MEAN = 0.45
PICTURE_STD = 0.225
SIDE = 112
PICTURES_AT_ONCE = 8
"""Pictures resized at a time: bounds the memory at 90 MB of floats for 720p."""


def as_int16(sound: Tensor) -> Tensor:
    """Return samples in [-1, 1] as what FFmpeg makes of them in 16 bits, still as floats."""
    return (sound * FULL_SCALE).round().clamp(-FULL_SCALE, FULL_SCALE - 1)


def spectra(sound_BS: Tensor) -> Tensor:
    """Return normalised log energies [B, 1, M, T] float32, T = 1 + (S - 882) // 441.

    Args:
        sound_BS: At 44.1 kHz, in units of 16-bit samples; at least 882 samples. Computed in
            float64: the logarithm of a faint line is not steady in float32.
    """
    sound_BS = sound_BS.double()
    emphasised_BS = torch.cat(
        [sound_BS[:, :1], sound_BS[:, 1:] - PREEMPHASIS * sound_BS[:, :-1]], dim=1
    )
    frames_BTW = emphasised_BS.unfold(1, FRAME, STEP)
    power_BTK = torch.fft.rfft(frames_BTW, n=FFT).abs().square() / FFT
    energy_BTM = power_BTK @ torch.from_numpy(filters()).to(power_BTK.device)
    faintest = torch.finfo(torch.float64).eps
    log_BTM = torch.where(energy_BTM == 0, faintest, energy_BTM).log().float()
    return ((log_BTM - SPECTRUM_MEAN) / SPECTRUM_STD).mT[:, None]


@functools.cache
def filters() -> np.ndarray:
    """Return the triangles [K, M], float64."""
    top = 2595 * math.log10(1 + SAMPLE_RATE / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, top, FILTERS + 2) / 2595) - 1)
    corners = np.floor((FFT + 1) * hertz / SAMPLE_RATE)
    left_M, centre_M, right_M = corners[:-2], corners[1:-1], corners[2:]
    line_K1 = np.arange(FFT // 2 + 1, dtype=np.float64)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):  # of the empty sides, which are not taken
        rising_KM = (line_K1 - left_M) / (centre_M - left_M)
        falling_KM = (right_M - line_K1) / (right_M - centre_M)
    rises_KM = (left_M <= line_K1) & (line_K1 < centre_M)
    falls_KM = (centre_M <= line_K1) & (line_K1 < right_M)
    return np.where(falls_KM, falling_KM, np.where(rises_KM, rising_KM, 0.0))


def pictures(rgb_FHW3: np.ndarray, device: torch.device | str) -> Tensor:
    """Return the central squares [F, 3, 112, 112] of pictures, normalised, float32.

    The shorter side is brought to 112, bilinear without antialiasing. The values are normalised
    behind that and not before it: the same to rounding, with less memory.

    Args:
        rgb_FHW3: Bytes.
        device: Where to compute.
    """
    height, width = rgb_FHW3.shape[1:3]
    size = (SIDE, math.floor(width / height * SIDE))
    if width < height:
        size = (math.floor(height / width * SIDE), SIDE)
    top, left = math.ceil((size[0] - SIDE) / 2), math.ceil((size[1] - SIDE) / 2)
    squares = []
    for some_FHW3 in torch.from_numpy(rgb_FHW3).split(PICTURES_AT_ONCE):
        some_F3HW = to_device(some_FHW3, device).float()
        if min(height, width) != SIDE:
            some_F3HW = functional.interpolate(
                some_F3HW, size=size, mode="bilinear", align_corners=False
            )
        squares.append(some_F3HW[..., top : top + SIDE, left : left + SIDE])
    return (torch.cat(squares) / 255 - PICTURE_MEAN) / PICTURE_STD
