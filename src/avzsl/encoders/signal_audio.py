"""``signal-audio``: statistics of log-mel energies over time; nothing is learned.

Log-mel energies after Davis and Mermelstein (1980). What is loud is told apart from what sounds
how: the energies are taken relative to their own mean, and the level is a feature of its own. How
they change in time is described by differences and by the strength of their modulations, slow ones
(a siren's wail) and fast ones (a rattle).

Shapes: B windows, S samples, T steps of 10 ms, K bins, M mel bands, G groups of bands, R ranges of
modulation, D features.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from avzsl.decode.sampling import AudioWindows
from avzsl.encoders.base import AudioEncoder, EncoderSpec, encoders
from avzsl.encoders.mel import mel_filters
from avzsl.encoders.resample import resample
from avzsl.options import options
from avzsl.types import Waveform

if TYPE_CHECKING:
    import torch
    from torch import Tensor

STEP_SECONDS = 0.010
"""From one spectrum to the next."""
FRAME_SECONDS = 0.025
"""Sound that one spectrum is taken from."""
SILENCE = 1e-10
"""Power that counts as none: -100 dB of full scale."""
LAG = 3
"""Steps of a temporal difference: 30 ms, longer than one frame."""
GROUPS = 8
"""Broad bands whose modulations are described."""
MODULATION_HZ = (0.5, 1.5, 3.0, 6.0, 12.0, 24.0, 50.0)
"""Limits of the ranges of modulation: octaves around the rates of speech, music and machines."""


@options
class SignalAudioOptions:
    """Options of ``signal-audio``."""

    sample_rate: Annotated[int, Field(ge=8_000, le=48_000)] = 16_000
    """Rate in Hz to which all sound is brought."""
    mel_bands: Annotated[int, Field(ge=GROUPS, le=128)] = 40
    """Number of mel bands."""
    low_hz: Annotated[float, Field(ge=0)] = 50.0
    """Lower end of the lowest band."""
    high_hz: Annotated[float, Field(gt=0)] = 7_600.0
    """Upper end of the highest band; at most half the sample rate."""
    range_db: Annotated[float, Field(ge=20, le=100)] = 60.0
    """Energies this far below a window's loudest count as silence."""
    window_seconds: Annotated[float, Field(ge=0.25, le=60)] = 0.96
    """Length of a window. 0.96 s holds one period of slow rhythms, and is VGGish's."""
    hop_seconds: Annotated[float, Field(gt=0, le=60)] = 0.48
    """From one window to the next: by half of it, no event falls between two windows only."""
    short: Literal["fail", "pad"] = "fail"
    """A sound shorter than a window: ``fail`` leaves it out as too short, as VGGish does, ``pad``
    fills the window with silence."""


@encoders.register("signal-audio")
class SignalAudio(AudioEncoder):
    """Mean, spread, change and modulation of log-mel energies."""

    kind = "signal-audio"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="statistics of log-mel energies over time, weight-free",
        paper="davis1980mfcc",
        licence="none needed",
    )
    Options = SignalAudioOptions
    options: SignalAudioOptions

    def __init__(self, options: SignalAudioOptions) -> None:
        super().__init__(options)
        self._device: torch.device | str = "cpu"
        _filters(*self._design)  # refuses impossible bands before any sound is decoded

    @property
    def dim(self) -> int:
        """Length D of one feature vector."""
        ranges = len(MODULATION_HZ) - 1
        return 4 * self.options.mel_bands + (GROUPS + 2) * ranges + 3 * 4 + 3

    @property
    def windows(self) -> AudioWindows:
        """Full windows; ``short`` says what becomes of a sound that has none."""
        return AudioWindows(
            length_seconds=self.options.window_seconds,
            hop_seconds=self.options.hop_seconds,
            short=self.options.short,
        )

    def load(self, device: torch.device) -> None:
        """Note the device; there are no weights."""
        self._device = device

    def preprocess(self, waveform: Waveform, spans: NDArray[np.float64]) -> Tensor:
        """Return the windows [N, S], mono at the working rate."""
        import torch

        rate = self.options.sample_rate
        mono_1S = torch.from_numpy(waveform.samples.mean(0, keepdims=True)).to(self._device)
        sound_S = resample(mono_1S, from_rate=waveform.sample_rate, to_rate=rate)[0]
        length = round(self.options.window_seconds * rate)
        begins_N = torch.from_numpy(np.rint(spans[:, 0] * rate).astype(np.int64)).to(self._device)
        needed = int(np.rint(spans[:, 0].max(initial=0.0) * rate)) + length
        # The last window may end a sample after the sound, by rounding.
        sound_S = torch.nn.functional.pad(sound_S, (0, max(needed - len(sound_S), 0)))
        return sound_S.unfold(0, length, 1)[begins_N]

    def encode(self, windows: Tensor) -> Tensor:
        """Return [B, D] float32."""
        import torch

        with torch.autocast(windows.device.type, enabled=False):
            return self._describe(windows.double()).float()

    @property
    def _design(self) -> tuple[int, int, int, float, float]:
        rate = self.options.sample_rate
        fft_size = 1 << (round(FRAME_SECONDS * rate) - 1).bit_length()
        return self.options.mel_bands, fft_size, rate, self.options.low_hz, self.options.high_hz

    def _describe(self, sound_BS: Tensor) -> Tensor:
        """Return all descriptors; float64, so that rounding cannot tell one batch from another."""
        import torch

        level_B = torch.log10(sound_BS.square().mean(1) + SILENCE)
        bins_BTK = self._power(sound_BS)
        filters_KM = torch.from_numpy(_filters(*self._design)).to(sound_BS)
        mel_BTM = bins_BTK @ filters_KM
        # Silence is relative to the loudest, so that a gain moves all energies alike.
        faint_B11 = mel_BTM.amax((1, 2), keepdim=True) * 10 ** (-self.options.range_db / 10)
        log_BTM = torch.log10(mel_BTM + faint_B11 + SILENCE)
        shape_BTM = log_BTM - log_BTM.mean((1, 2), keepdim=True)
        loudness_BT = torch.log10(mel_BTM.mean(2) + faint_B11[..., 0] + SILENCE)
        tracks_BT3, share_BT = _spectral_tracks(mel_BTM, shape_BTM)
        groups_BTG = _group_means(shape_BTM)
        modulated_BTG = torch.cat([groups_BTG, loudness_BT[..., None], 4 * tracks_BT3[..., :1]], 2)
        step_BT = loudness_BT[:, LAG:] - loudness_BT[:, :-LAG]
        return torch.cat(
            [
                _statistics(shape_BTM, torch.full_like(share_BT, 1 / share_BT.shape[1])).flatten(1),
                _modulations(modulated_BTG).flatten(1),
                4 * _statistics(tracks_BT3, share_BT).flatten(1),
                level_B[:, None] / 2 + 1.5,
                loudness_BT.std(1, correction=0)[:, None],
                step_BT.clamp(min=0).mean(1)[:, None] * 4,
            ],
            dim=1,
        )

    def _power(self, sound_BS: Tensor) -> Tensor:
        """Return the power spectra [B, T, K] of overlapping frames."""
        import torch

        rate = self.options.sample_rate
        frame, step = round(FRAME_SECONDS * rate), round(STEP_SECONDS * rate)
        frames_BTS = sound_BS.unfold(1, frame, step)
        window_S = torch.hann_window(frame, dtype=sound_BS.dtype, device=sound_BS.device)
        spectrum = torch.fft.rfft(frames_BTS * (window_S / window_S.sum()), n=self._design[1])
        return spectrum.real.square() + spectrum.imag.square()


@functools.lru_cache(maxsize=8)
def _filters(
    bands: int, fft_size: int, rate: int, low_hz: float, high_hz: float
) -> NDArray[np.float64]:
    return mel_filters(
        bands=bands, fft_size=fft_size, sample_rate=rate, low_hz=low_hz, high_hz=high_hz
    )


def _statistics(tracks_BTX: Tensor, share_BT: Tensor) -> Tensor:
    """Return mean, standard deviation, mean absolute change and drift of each track, [B, 4, X].

    ``share_BT`` weighs the steps in mean and deviation and sums to 1. The drift is the mean of the
    second half less that of the first: the signed change.
    """
    import torch

    weight_BT1 = share_BT[..., None]
    mean_B1X = (weight_BT1 * tracks_BTX).sum(1, keepdim=True)
    spread_BX = (weight_BT1 * (tracks_BTX - mean_B1X).square()).sum(1).sqrt()
    change_BX = (tracks_BTX[:, LAG:] - tracks_BTX[:, :-LAG]).abs().mean(1)
    half = tracks_BTX.shape[1] // 2
    drift_BX = tracks_BTX[:, -half:].mean(1) - tracks_BTX[:, :half].mean(1)
    return torch.stack([mean_B1X[:, 0], spread_BX, change_BX, drift_BX], dim=1)


def _spectral_tracks(mel_BTM: Tensor, shape_BTM: Tensor) -> tuple[Tensor, Tensor]:
    """Return centroid, spread and flatness of each spectrum [B, T, 3], and its share of the energy.

    Centroid and spread are in units of the whole mel range; flatness is the mean log energy less
    the log of the mean: 0 for white noise, below it for tones.
    """
    import torch

    energy_BTM = 10**shape_BTM
    total_BT = energy_BTM.sum(2)
    place_M = torch.linspace(0, 1, energy_BTM.shape[2]).to(energy_BTM)
    centroid_BT = (energy_BTM * place_M).sum(2) / total_BT
    distance_BTM = (place_M - centroid_BT[..., None]).square()
    spread_BT = ((energy_BTM * distance_BTM).sum(2) / total_BT).sqrt()
    flatness_BT = (shape_BTM.mean(2) - torch.log10(energy_BTM.mean(2))) / 4
    tracks_BT3 = torch.stack([centroid_BT - 0.5, spread_BT, flatness_BT], dim=2)
    loud_BT = mel_BTM.sum(2) + SILENCE
    return tracks_BT3, loud_BT / loud_BT.sum(1, keepdim=True)


def _group_means(shape_BTM: Tensor) -> Tensor:
    """Return the mean of each of ``GROUPS`` runs of neighbouring bands, [B, T, G]."""
    import torch

    runs = torch.tensor_split(shape_BTM, GROUPS, dim=2)
    return torch.stack([run.mean(2) for run in runs], dim=2)


def _modulations(tracks_BTG: Tensor) -> Tensor:
    """Return the root mean square of each track within each range of modulation, [B, R, G]."""
    import torch

    steps = tracks_BTG.shape[1]
    window_T1 = torch.hann_window(steps, dtype=tracks_BTG.dtype, device=tracks_BTG.device)[:, None]
    centred_BTG = tracks_BTG - tracks_BTG.mean(1, keepdim=True)
    spectrum = torch.fft.rfft(centred_BTG * window_T1, dim=1)
    # Parseval: twice the one-sided power over T sum(w^2) is the mean square of the track.
    scale = 2 / (steps * window_T1.square().sum())
    power_BKG = (spectrum.real.square() + spectrum.imag.square()) * scale
    hertz_K = np.arange(power_BKG.shape[1]) / (steps * STEP_SECONDS)
    ranges = np.digitize(hertz_K, MODULATION_HZ) - 1
    chosen_KR = torch.from_numpy(ranges[:, None] == np.arange(len(MODULATION_HZ) - 1)).to(power_BKG)
    return torch.einsum("bkg,kr->brg", power_BKG, chosen_KR).sqrt()
