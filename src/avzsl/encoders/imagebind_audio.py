"""``imagebind-audio``: sound in the joint space of ImageBind, 1024 values.

Girdhar et al., "ImageBind: One Embedding Space To Bind Them All", CVPR 2023. A vision transformer
(ViT-B, 86 M parameters) on spectrograms, trained so that a clip's sound lies near its pictures.

Preprocessing: 16 kHz, one channel; stretches of 2 s, each without its mean; Kaldi's log energies
in 128 mel bands every 10 ms; zeros up to 204 steps; minus -4.268, divided by 9.138. The reference
embeds three stretches spread from begin to end and averages them (``views: reference``). Methods of
this package fuse sequences, so that the default is one vector for each 2 s. The reference takes the
first channel of several (``channel: first``), the default here is their mean. Sound that is not at
16 kHz is resampled as the reference does, by the sinc filter that torchaudio has as its default.

Output: a vector of unit length. Published outputs are 20 times as long, see ``imagebind.py``.

Shapes: B windows of a batch, N windows of a clip, V views, S samples, M mel bands, L steps of
10 ms, D features.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from avzsl.decode.sampling import AudioWindows
from avzsl.encoders.base import AudioEncoder, EncoderSpec, encoders
from avzsl.encoders.imagebind import LICENCE, PAPER, SECONDS, ImageBind, TowerSizes
from avzsl.encoders.pretrained import PretrainedOptions
from avzsl.encoders.resample import resample
from avzsl.options import options
from avzsl.types import Waveform

if TYPE_CHECKING:
    from torch import Tensor

RATE = 16_000
"""Samples per second."""
REST_SECONDS = 0.5
"""A shorter rest behind the last full window is dropped."""
REFERENCE_VIEWS = 3


@options
class ImageBindAudioOptions(PretrainedOptions):
    """Options of ``imagebind-audio``."""

    weights: str = "imagebind-huge"
    """Published weights by name (see: avzsl show encoder), the path of a file or folder of your
    own, or ``random``: untrained, to try the workflow."""
    views: Literal["temporal", "reference"] = "temporal"
    """``temporal``: a vector for each 2 s; a rest of 0.5 s or more and a sound shorter than 2 s
    have one, too. ``reference``: one vector for the clip, the mean of three stretches of 2 s."""
    hop_seconds: Annotated[float, Field(ge=0.1, le=60)] = SECONDS
    """From one window of 2 s to the next, with ``views: temporal``."""
    channel: Literal["mean", "first"] = "mean"
    """What becomes of several channels; the reference takes the ``first``."""


@encoders.register("imagebind-audio")
class ImageBindAudio(ImageBind, AudioEncoder):
    """The sound tower of ImageBind."""

    kind = "imagebind-audio"
    tower = "audio"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="ImageBind, sound: a space shared with pictures and text",
        paper=PAPER,
        licence=LICENCE,
        preprocessing="16 kHz, stretches of 2 s, Kaldi log-mel energies in 128 bands",
        output="a unit vector for each 2 s, or the mean of three stretches of the clip",
    )
    published: ClassVar[dict[str, TowerSizes]] = {
        "imagebind-huge": TowerSizes(
            tower="audio", width=768, layers=12, heads=12, out=1024, places=229, patch=16
        )
    }
    Options = ImageBindAudioOptions
    options: ImageBindAudioOptions

    @property
    def windows(self) -> AudioWindows:
        """Windows of 2 s, or the whole clip as one."""
        if self.options.views == "reference":
            return AudioWindows(count=1)
        return AudioWindows(
            length_seconds=SECONDS,
            hop_seconds=self.options.hop_seconds,
            short="pad",
            rest_seconds=REST_SECONDS,
        )

    def preprocess(self, waveform: Waveform, spans: NDArray[np.float64]) -> Tensor:
        """Return the windows [N, V, M, L]: one view each, or three of the whole clip."""
        import torch

        from avzsl.encoders.frontends.imagebind import spectrograms

        samples_CS = waveform.samples[:1]
        if self.options.channel == "mean":
            samples_CS = waveform.samples.mean(0, keepdims=True)
        sound_S = resample(
            torch.from_numpy(samples_CS).to(self.device),
            from_rate=waveform.sample_rate,
            to_rate=RATE,
            zero_crossings=6,
            rolloff=0.99,
            beta=None,
        )[0]
        if self.options.views == "reference":
            begins = reference_begins(len(sound_S))
        else:
            begins = [min(round(begin * RATE), len(sound_S) - 1) for begin in spans[:, 0]]
        mel_NML = spectrograms(sound_S, torch.tensor(begins), round(SECONDS * RATE))
        return mel_NML[None] if self.options.views == "reference" else mel_NML[:, None]

    def encode(self, windows: Tensor) -> Tensor:
        """Return [B, D] float32 of unit length for [B, V, M, L]."""
        return self.mean_of_views(windows)


def reference_begins(samples: int) -> list[int]:
    """Return the first sample of each of the reference's stretches, spread from begin to end.

    Exact arithmetic on the rounded duration, as there: a begin that should be a whole number may be
    one less.
    """
    room = Fraction(max(samples / RATE - SECONDS, 0.0))
    return [int(room / (REFERENCE_VIEWS - 1) * view * RATE) for view in range(REFERENCE_VIEWS)]
