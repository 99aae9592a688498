"""The mel scale of HTK and its bank of triangular filters.

Stevens, Volkmann and Newman (1937) for the scale; the formula and the triangles, which are linear
in mel, are those of HTK (Young et al., "The HTK Book", section 5.6).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def hz_to_mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return ``2595 log10(1 + f / 700)``."""
    mel: NDArray[np.float64] = 2595.0 * np.log10(1.0 + np.asarray(hertz, np.float64) / 700.0)
    return mel


def mel_filters(
    *, bands: int, fft_size: int, sample_rate: int, low_hz: float, high_hz: float
) -> NDArray[np.float64]:
    """Return the weight of each bin of a real FFT in each band, [fft_size // 2 + 1, bands].

    Each triangle rises from the centre of the band below and falls to the centre of the band
    above; the outermost feet are ``low_hz`` and ``high_hz``.

    Raises:
        ValueError: If the band limits do not lie in [0, sample_rate / 2], or a band is so narrow
            that no bin lies in it.
    """
    if not 0 <= low_hz < high_hz <= sample_rate / 2:
        raise ValueError(
            f"Expected 0 <= low_hz < high_hz <= sample_rate / 2, "
            f"got {low_hz = }, {high_hz = }, {sample_rate = }."
        )
    bins_mel = hz_to_mel(np.arange(fft_size // 2 + 1) * sample_rate / fft_size)[:, None]
    feet_mel = np.linspace(hz_to_mel(low_hz), hz_to_mel(high_hz), bands + 2)
    spacing = feet_mel[1] - feet_mel[0]
    weights = np.clip(1.0 - np.abs(bins_mel - feet_mel[None, 1:-1]) / spacing, 0.0, None)
    empty = int((weights.sum(0) == 0).sum())
    if empty:
        raise ValueError(
            f"{empty} of {bands} mel bands between {low_hz} and {high_hz} Hz lie between the bins "
            f"of a {fft_size}-point FFT at {sample_rate} Hz; choose fewer bands."
        )
    return weights
