"""Log-mel energies as LAION-CLAP takes them, and how it fills up a short sound.

Hann windows of 1024 samples every 480 at 48 kHz, the sound mirrored at both ends, power spectrum,
64 mel bands from 50 to 14,000 Hz, decibels with a floor of -100. A checkpoint without fusion has
Slaney's mel scale and bands of equal area (librosa's default), one with fusion HTK's scale and
bands of equal height (torchaudio's default).

Shapes: B sounds, S samples, T spectra, K frequency bins, M mel bands.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FLOOR = 1e-10
"""Energy that counts as none."""

_EXPECTED = {"padding": "repeatpad", "top_db": None}
"""What this front-end does and a ``preprocessor_config.json`` may therefore not say otherwise."""


@dataclass(frozen=True, kw_only=True)
class LogMel:
    """One recipe; the defaults are those of every published checkpoint without fusion."""

    sample_rate: int = 48_000
    """Hz."""
    seconds: float = 10.0
    """Length of sound that the network takes."""
    fft: int = 1024
    """Samples of one spectrum."""
    step: int = 480
    """Samples from one spectrum to the next."""
    bands: int = 64
    low_hz: float = 50.0
    high_hz: float = 14_000.0
    scale: Literal["slaney", "htk"] = "slaney"

    @property
    def samples(self) -> int:
        """Return how many samples the network takes."""
        return round(self.seconds * self.sample_rate)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LogMel:
        """Return what a ``preprocessor_config.json`` describes.

        Raises:
            ValueError: If it describes something else than this front-end does.
        """
        for name, value in _EXPECTED.items():
            if config.get(name, value) != value:
                raise ValueError(
                    f"preprocessor_config.json: expected {name} to be {value!r}, "
                    f"got {config[name]!r}; this front-end knows no other."
                )
        published = cls()
        return cls(
            sample_rate=int(config.get("sampling_rate", published.sample_rate)),
            seconds=float(config.get("max_length_s", published.seconds)),
            fft=int(config.get("fft_window_size", published.fft)),
            step=int(config.get("hop_length", published.step)),
            bands=int(config.get("feature_size", published.bands)),
            low_hz=float(config.get("frequency_min", published.low_hz)),
            high_hz=float(config.get("frequency_max", published.high_hz)),
            scale="htk" if config.get("truncation") == "fusion" else "slaney",
        )


def log_mel(sound_BS: Tensor, recipe: LogMel) -> Tensor:
    """Return decibels [B, T, M], T = 1 + S // step, float32.

    Args:
        sound_BS: float32 at the recipe's rate, longer than half a spectrum.
        recipe: Spectra and bands.
    """
    window_K = torch.hann_window(recipe.fft, dtype=sound_BS.dtype, device=sound_BS.device)
    spectra_BKT = torch.stft(
        sound_BS,
        recipe.fft,
        hop_length=recipe.step,
        window=window_K,
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    power_BTK = (spectra_BKT.real.square() + spectra_BKT.imag.square()).transpose(1, 2)
    filters_KM = torch.from_numpy(mel_filters(recipe)).to(sound_BS)
    return 10.0 * torch.log10((power_BTK @ filters_KM).clamp(min=FLOOR))


def repeat_to(sound_BS: Tensor, lengths_B: Tensor, samples: int) -> Tensor:
    """Return sounds of equal length: each repeated as often as it fits whole, then silence.

    Args:
        sound_BS: The sounds, each at the begin of its row.
        lengths_B: Their true lengths, int64, from 1 to S; what follows in a row does not count.
        samples: Length to reach, at least S.

    Returns:
        [B, samples].
    """
    place_S = torch.arange(samples, device=sound_BS.device)
    lengths_B1 = lengths_B[:, None]
    repeated_BS = sound_BS.gather(1, place_S % lengths_B1)
    return repeated_BS * (place_S < samples // lengths_B1 * lengths_B1)


def quantise(sound: Tensor) -> Tensor:
    """Return the sound rounded towards 0 to 16 bits, as LAION's own interface does at first."""
    return (sound.clamp(-1.0, 1.0) * 32767.0).to(torch.int16).to(torch.float32) / 32767.0


@functools.lru_cache(maxsize=8)
def mel_filters(recipe: LogMel) -> NDArray[np.float64]:
    """Return the weight of each frequency bin in each band, [K, M]; the triangles are in Hz."""
    low, high = _mel(np.array([recipe.low_hz, recipe.high_hz]), recipe.scale)
    feet_hz = _hertz(np.linspace(low, high, recipe.bands + 2), recipe.scale)
    bins_hz = np.linspace(0, recipe.sample_rate / 2, recipe.fft // 2 + 1)[:, None]
    widths_hz = np.diff(feet_hz)
    rising_KM = (bins_hz - feet_hz[:-2]) / widths_hz[:-1]
    falling_KM = (feet_hz[2:] - bins_hz) / widths_hz[1:]
    filters_KM: NDArray[np.float64] = np.clip(np.minimum(rising_KM, falling_KM), 0.0, None)
    if recipe.scale == "slaney":
        filters_KM *= 2.0 / (feet_hz[2:] - feet_hz[:-2])
    return filters_KM


_SLANEY_HZ = 200.0 / 3.0
"""Slaney's mel is this many Hz up to 15 mel (Auditory Toolbox, 1998)."""
_SLANEY_LOG = np.log(6.4) / 27.0
"""Above it, the frequency grows by this exponent a mel."""


def _mel(hertz: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hertz / 700.0)
    above = 15.0 + np.log(np.maximum(hertz, 1e-9) / 1000.0) / _SLANEY_LOG
    return np.where(hertz < 1000.0, hertz / _SLANEY_HZ, above)


def _hertz(mel: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return np.where(mel < 15.0, mel * _SLANEY_HZ, 1000.0 * np.exp((mel - 15.0) * _SLANEY_LOG))
