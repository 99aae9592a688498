"""Log-mel spectrograms as VGGish was trained on.

Frames of 25 ms every 10 ms without padding, a periodic Hann window, the *magnitude* (not the
power) of a 512-point FFT, 64 HTK mel bands from 125 to 7500 Hz, and ``log(x + 0.01)``. In float64:
in float32 the logarithm of pure tones is off by up to 1e-3.

Shapes: S samples, T frames, W samples of a frame, K frequency bins, M mel bands.
"""

from __future__ import annotations

import torch
from torch import Tensor

from avzsl.encoders.mel import mel_filters

SAMPLE_RATE = 16_000
FRAME = 400
STEP = 160
FFT = 512
BANDS = 64
LOW_HZ = 125.0
HIGH_HZ = 7_500.0
OFFSET = 0.01
FRAMES_AT_ONCE = 8_192
"""Frames transformed at a time: bounds the memory at about 100 MB."""


def log_mel(sound_S: Tensor) -> Tensor:
    """Return [T, M] float32, T = 1 + (S - 400) // 160, M = 64.

    Args:
        sound_S: Sound at 16 kHz in [-1, 1], at least 400 samples.

    Raises:
        ValueError: If the sound is shorter than one frame.
    """
    if len(sound_S) < FRAME:
        raise ValueError(
            f"A spectrogram needs {FRAME} samples at 16 kHz (25 ms), got {len(sound_S)}."
        )
    device = sound_S.device
    window_W = torch.hann_window(FRAME, periodic=True, dtype=torch.float64, device=device)
    filters_KM = torch.from_numpy(
        mel_filters(
            bands=BANDS, fft_size=FFT, sample_rate=SAMPLE_RATE, low_hz=LOW_HZ, high_hz=HIGH_HZ
        )
    ).to(device)
    parts = []
    for frames_TW in sound_S.double().unfold(0, FRAME, STEP).split(FRAMES_AT_ONCE):
        magnitude_TK = torch.fft.rfft(frames_TW * window_W, n=FFT).abs()
        parts.append((magnitude_TK @ filters_KM + OFFSET).log().float())
    return torch.cat(parts)
