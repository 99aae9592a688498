"""Log-mel filter banks as Kaldi computes them, for AudioMAE and ImageBind.

Kaldi's ``compute-fbank-feats --htk-compat --use-energy=false --window-type=hanning`` without
dither: frames of 25 ms every 10 ms with no padding, their mean taken away, pre-emphasis, a
symmetric Hann window, power spectrum, triangles that are straight in mel.

Shapes: B sounds, S samples, T frames, W samples of a frame, K frequency bins, M mel bands.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

SAMPLE_RATE = 16_000
FRAME = 400
STEP = 160
FFT = 512
LOW_HZ = 20.0
PREEMPHASIS = 0.97


def fbank(sound_BS: Tensor, *, bands: int = 128) -> Tensor:
    """Return log energies [B, T, M], T = 1 + (S - 400) // 160.

    Args:
        sound_BS: float32 at 16 kHz; at least 400 samples.
        bands: Number M of mel bands.

    Raises:
        ValueError: If the sounds are shorter than one frame.
    """
    if sound_BS.shape[-1] < FRAME:
        raise ValueError(
            f"A filter bank needs {FRAME} samples at 16 kHz (25 ms), got {sound_BS.shape[-1]}."
        )
    frames_BTW = sound_BS.unfold(-1, FRAME, STEP)
    frames_BTW = frames_BTW - frames_BTW.mean(-1, keepdim=True)
    previous_BTW = torch.cat([frames_BTW[..., :1], frames_BTW[..., :-1]], dim=-1)
    frames_BTW = frames_BTW - PREEMPHASIS * previous_BTW
    window_W = torch.hann_window(
        FRAME, periodic=False, dtype=sound_BS.dtype, device=sound_BS.device
    )
    power_BTK = torch.fft.rfft(frames_BTW * window_W, n=FFT).abs().square()
    filters_KM = mel_filters(bands).to(sound_BS)
    energy_BTM = power_BTK @ filters_KM
    return energy_BTM.clamp(min=torch.finfo(torch.float32).eps).log()


@functools.cache
def mel_filters(bands: int) -> Tensor:
    """Return Kaldi's triangles [K, M], K = 257, float32."""
    low, high = _mel(torch.tensor([LOW_HZ, SAMPLE_RATE / 2], dtype=torch.float64)).tolist()
    step = (high - low) / (bands + 1)
    left_M = low + torch.arange(bands) * step
    centre_M = low + (torch.arange(bands) + 1.0) * step
    right_M = low + (torch.arange(bands) + 2.0) * step
    mel_K1 = _mel(SAMPLE_RATE / FFT * torch.arange(FFT // 2))[:, None]
    rising_KM = (mel_K1 - left_M) / (centre_M - left_M)
    falling_KM = (right_M - mel_K1) / (right_M - centre_M)
    filters_KM = torch.minimum(rising_KM, falling_KM).clamp(min=0)
    return torch.nn.functional.pad(filters_KM, (0, 0, 0, 1))  # none reaches the last bin


def _mel(hertz: Tensor) -> Tensor:
    return 1127.0 * (1.0 + hertz / 700.0).log()
