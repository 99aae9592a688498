"""``clap-audio``: sound in the space that LAION-CLAP shares between sounds and texts.

Wu et al., "Large-scale Contrastive Language-Audio Pretraining with Feature Fusion and
Keyword-to-Caption Augmentation", ICASSP 2023. Code: https://github.com/LAION-AI/CLAP, CC0; weights
on Hugging Face: Apache-2.0. Trained on LAION-Audio-630K and AudioSet. ``clap-text`` is the other
half of the same checkpoint.

*Preprocessing*: channels averaged, 48 kHz, consecutive windows of 10 s. What is left behind the
last full window counts from 1 s on, and a sound shorter than a window is one window. A window that
holds less than 10 s is repeated as often as it fits whole, then followed by silence. From that,
1001 log-mel spectra of 64 bands (``frontends/clap.py``). The published code instead draws a random
10 s of a longer sound, so that no two runs agree.

*Output*: the audio encoder's mean (HTSAT), projected into the shared space and of unit length; 512
values a window.

*Checkpoints*: the folder ``laion/clap-htsat-unfused`` of Hugging Face, or the authors' own
``630k-audioset-best.pt``, which holds the same weights. Other folders of that family
(``laion/larger_clap_general``) and checkpoints with fusion work by their path.

Shapes: B windows of a batch, N windows of a clip, S samples, T spectra, M mel bands, D features.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from avzsl.decode.sampling import AudioWindows
from avzsl.encoders.base import AudioEncoder, EncoderSpec, encoders
from avzsl.encoders.networks import clap
from avzsl.encoders.pretrained import Pretrained, PretrainedOptions
from avzsl.encoders.resample import resample
from avzsl.options import options
from avzsl.sources.checkpoint import Checkpoint
from avzsl.types import Waveform

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from avzsl.encoders.frontends.clap import LogMel

REST_SECONDS = 1.0
"""What is left behind the last window counts from here on."""
WINDOWS_AT_ONCE = 16
"""Windows whose spectra are taken at a time: bounds the memory at about 200 MB."""


@options
class ClapAudioOptions(PretrainedOptions):
    """Options of ``clap-audio``."""

    weights: str = "clap-htsat-unfused"
    """Published weights by name (clap-htsat-unfused, clap-630k-audioset-best), the path of a file
    or folder of your own, or ``random``: untrained, to try the workflow."""
    window_seconds: Annotated[float, Field(ge=0.1, le=10)] = 10.0
    """Length of a window and step to the next. The network takes 10 s; a shorter window is repeated
    to fill them, as the published recipe does with short sounds, and gives more features a clip."""
    quantise: bool = False
    """Round the sound to 16 bits first, as the authors' interface does with files. Heard in near
    silence only: the floor of tones moves by up to 24 dB."""


@encoders.register("clap-audio")
class ClapAudio(Pretrained[dict[str, Any]], AudioEncoder):
    """The audio half of LAION-CLAP."""

    kind = "clap-audio"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="sound in a space shared with text (LAION-CLAP, HTSAT)",
        paper="wu2023clap",
        licence="Apache-2.0",
        preprocessing="48 kHz mono, 10 s windows, short ones repeated; 64 log-mel bands to 14 kHz",
        output="projected mean of the audio encoder, unit length; 512-d a window",
    )
    sources = ("clap-htsat-unfused", "clap-630k-audioset-best")
    files: ClassVar[tuple[str, ...]] = (clap.WEIGHTS, clap.CONFIG, clap.PREPROCESSOR)
    published: ClassVar[dict[str, dict[str, Any]]] = dict.fromkeys(sources, clap.AUDIO)
    Options = ClapAudioOptions
    options: ClapAudioOptions

    @property
    def dim(self) -> int:
        """Length D of one feature vector."""
        return int(self.sizes["projection_dim"])

    @property
    def windows(self) -> AudioWindows:
        """Consecutive windows; a rest of at least 1 s and a short sound have one, too."""
        length = self.options.window_seconds
        return AudioWindows(
            length_seconds=length, hop_seconds=length, short="pad", rest_seconds=REST_SECONDS
        )

    @functools.cached_property
    def recipe(self) -> LogMel:
        """How the checkpoint wants its sound."""
        from avzsl.encoders.frontends.clap import LogMel

        return LogMel() if self.checkpoint is None else clap.recipe_of(self.checkpoint)

    def read_sizes(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Return the configuration of the audio half."""
        return clap.read_sizes(checkpoint, "audio")

    def build(self, sizes: dict[str, Any]) -> torch.nn.Module:
        """Return the audio half with its projection."""
        return clap.build("audio", sizes)

    def read_state(self, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
        """Return the tensors of the audio half; those of the text half are left out."""
        return clap.state_of(checkpoint, "audio", self.sizes)

    def preprocess(self, waveform: Waveform, spans: NDArray[np.float64]) -> Tensor:
        """Return the log-mel spectra [N, 1, T, M] of one clip's windows, in dB.

        Raises:
            ValueError: If a window begins behind the end of the sound.
        """
        import torch

        from avzsl.encoders.frontends.clap import log_mel, quantise

        recipe = self.recipe
        mono_1S = torch.from_numpy(waveform.samples.mean(0, keepdims=True)).to(self.device)
        sound_S = resample(mono_1S, from_rate=waveform.sample_rate, to_rate=recipe.sample_rate)[0]
        if self.options.quantise:
            sound_S = quantise(sound_S)
        pieces = [
            log_mel(self._filled(sound_S, spans[first : first + WINDOWS_AT_ONCE]), recipe)
            for first in range(0, len(spans), WINDOWS_AT_ONCE)
        ]
        empty_0TM = sound_S.new_zeros((0, 1 + recipe.samples // recipe.step, recipe.bands))
        return torch.cat([empty_0TM, *pieces])[:, None]

    def encode(self, windows: Tensor) -> Tensor:
        """Return [B, D] float32, rows of unit length."""
        import torch

        with self.arithmetic():
            embeds_BD = self.network(input_features=windows).audio_embeds
        return torch.nn.functional.normalize(embeds_BD.float(), dim=-1)

    def _filled(self, sound_S: Tensor, spans_N2: NDArray[np.float64]) -> Tensor:
        """Return the windows [N, S], each repeated to the length that the network takes."""
        import torch

        from avzsl.encoders.frontends.clap import repeat_to

        recipe = self.recipe
        begins = np.rint(spans_N2[:, 0] * recipe.sample_rate).astype(np.int64)
        length = round(self.options.window_seconds * recipe.sample_rate)
        lengths = np.minimum(length, len(sound_S) - begins)
        if lengths.min() < 1:
            raise ValueError(
                f"A window of clap-audio begins at {spans_N2[:, 0].max():g} s, but the sound ends "
                f"at {len(sound_S) / recipe.sample_rate:g} s."
            )
        missing = int((begins + length).max()) - len(sound_S)
        padded_S = torch.nn.functional.pad(sound_S, (0, max(missing, 0)))
        begins_N, lengths_N = (torch.from_numpy(x).to(self.device) for x in (begins, lengths))
        return repeat_to(padded_S.unfold(0, length, 1)[begins_N], lengths_N, recipe.samples)
