r"""``selavi-audio``: the audio half of SeLaVi, a residual network on log filter banks.

Asano et al., "Labelling unlabelled videos from scratch with multi-modal self-supervision",
NeurIPS 2020. Code and weights: https://github.com/facebookresearch/selavi, CC-BY-NC 4.0. With the
video half, this is what made the released "main" features of AVCA and TCaF (512 + 512 values).

The default weights were trained on VGGSound itself, without its labels but with videos of classes
that VGGSound-GZSL calls unseen; the authors of TCaF recommend C3D and VGGish there instead.

*Preprocessing*: the mean of all channels at 44.1 kHz, rounded to 16 bits; windows of 1 s; 257 log
filter energies every 10 ms (``frontends/selavi.py``); less 1.93, over 17.89. A window that rounding
makes end behind the sound is its last second.

*Output*: the mean over time and frequency behind the last stage, 512 values, not normalised.
AVCA takes the mean of a video's windows, TCaF keeps them.

*Checkpoints*: the published file of both halves, in the names of its authors.

Shapes: C channels, S samples, N windows of a clip, B windows of a batch, M filters, T frames,
D features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from avzsl.encoders.base import AudioEncoder, EncoderSpec, encoders
from avzsl.encoders.pretrained import Pretrained, PretrainedOptions
from avzsl.encoders.resample import resample
from avzsl.encoders.selavi import (
    SOURCES,
    WINDOW_SECONDS,
    Placement,
    ResNetSizes,
    SelaviAudioWindows,
    read_half,
    read_resnet_sizes,
)
from avzsl.options import options
from avzsl.sources.checkpoint import Checkpoint
from avzsl.types import Waveform

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@options
class SelaviAudioOptions(PretrainedOptions):
    """Options of ``selavi-audio``."""

    weights: str = "selavi-vgg-sound"
    """Published weights by name (selavi-vgg-sound, selavi-kinetics, selavi-kinetics-sound,
    selavi-ave), the path of a file of your own, or ``random``: untrained, to try the workflow."""
    placement: Placement = "uniform"
    """Where the windows lie: one after another (``uniform``), or as the scripts behind the released
    features place them (``avca``, ``tcaf``), which leave out the end of a video. The scripts count
    in frames of the video; here the sound's own length counts, so that a window may begin up to a
    frame earlier or later."""
    short: Literal["fail", "pad"] = "fail"
    """A sound shorter than a window: ``fail`` leaves it out as too short, ``pad`` fills the window
    with silence."""


@encoders.register("selavi-audio")
class SelaviAudio(Pretrained[ResNetSizes], AudioEncoder):
    """Self-supervised residual network on log filter banks, a vector a second."""

    kind = "selavi-audio"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="log filter banks, self-supervised ResNet of SeLaVi (trained on VGGSound)",
        paper="asano2020selavi",
        licence="CC-BY-NC 4.0",
        preprocessing="mono 44.1 kHz, 16 bits; 1 s; 257 log filter energies every 10 ms",
        output="mean over time and frequency behind the last stage; 512-d",
    )
    sources = SOURCES
    published: ClassVar[dict[str, ResNetSizes]] = dict.fromkeys(
        SOURCES, ResNetSizes(stem=(64,), widths=(64, 128, 256, 512), depths=(1, 1, 1, 1))
    )
    Options = SelaviAudioOptions
    options: SelaviAudioOptions

    @property
    def dim(self) -> int:
        """Length D of one feature vector."""
        return self.sizes.widths[-1]

    @property
    def windows(self) -> SelaviAudioWindows:
        """Windows of one second."""
        return SelaviAudioWindows(
            length_seconds=WINDOW_SECONDS,
            hop_seconds=WINDOW_SECONDS,
            short=self.options.short,
            placement=self.options.placement,
        )

    def read_sizes(self, checkpoint: Checkpoint) -> ResNetSizes:
        """Return how large the audio network of a checkpoint is.

        Raises:
            ValueError: If the file holds no checkpoint of SeLaVi.
        """
        tensors = read_half(checkpoint, self.files[0], "audio", shapes_only=True)
        return read_resnet_sizes(tensors, stem=("conv1.weight",), last_norm="bn2.weight")

    def build(self, sizes: ResNetSizes) -> torch.nn.Module:
        """Return the residual network."""
        from avzsl.encoders.networks.selavi import AudioResNet

        return AudioResNet(sizes)

    def read_state(self, checkpoint: Checkpoint) -> dict[str, Tensor]:
        """Return the tensors of the audio network under torchvision's names."""
        return read_half(checkpoint, self.files[0], "audio", shapes_only=False)

    def preprocess(self, waveform: Waveform, spans: NDArray[np.float64]) -> Tensor:
        """Return the windows of one clip, [N, 1, M, T]."""
        import torch

        from avzsl.encoders.frontends.selavi import SAMPLE_RATE, as_int16, spectra

        mono_1S = torch.from_numpy(waveform.samples.mean(0, keepdims=True)).to(self.device)
        sound_S = as_int16(
            resample(mono_1S, from_rate=waveform.sample_rate, to_rate=SAMPLE_RATE)[0]
        )
        length = round(WINDOW_SECONDS * SAMPLE_RATE)
        sound_S = torch.nn.functional.pad(sound_S, (0, max(length - len(sound_S), 0)))
        begins_N = np.rint(spans[:, 0] * SAMPLE_RATE).astype(np.int64)
        begins_N = np.minimum(begins_N, len(sound_S) - length)
        windows_NS = sound_S.unfold(0, length, 1)[torch.from_numpy(begins_N).to(self.device)]
        return spectra(windows_NS)

    def encode(self, windows: Tensor) -> Tensor:
        """Return [B, D] float32."""
        with self.arithmetic():
            features_BD: Tensor = self.network(windows)
        return features_BD.float()
