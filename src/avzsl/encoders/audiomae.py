r"""``audiomae``: log-mel pictures of 10.24 s through a masked autoencoder's encoder.

Huang et al., "Masked Autoencoders that Listen", NeurIPS 2022. Code and weights:
https://github.com/facebookresearch/AudioMAE; the licence file there says CC BY-NC 4.0 (the read-me
CC BY 4.0), so take it as not for commercial use. Trained on AudioSet-2M without labels
(``audiomae-as2m``, the default); ``audiomae-as2m-ft-as20k`` was then trained on the labels of
AudioSet-20k, which name many classes that zero-shot benchmarks call unseen.

*Preprocessing*, that of the authors' data set: mono at 16 kHz, less its mean; 128 log-mel bands of
25 ms every 10 ms as Kaldi's; zeros behind the sound's end up to 1024 frames; then
(x + 4.2677393) / (2 * 4.5689974). A window is 10.24 s; as in a long sound that the authors cut,
its last two frames reach up to 15 ms into the next window.

*Output*, 768 values: the mean over the 512 patches (64 in time, 8 in frequency) behind the last
norm, or in the fine-tuned network the norm of their mean, as the authors do. Masking trains the
class token in no task, so ``cls`` is an option only. ``temporal`` gives a vector for each 0.16 s,
the mean over the 8 patches in frequency.

*Checkpoints*: the authors' files (tensors under ``model``; the decoder is left out) or ports with
timm's names, which are the same. Positions are read, never computed: the authors made them for
patches in another order, and the network was trained so.

Shapes: C channels, S samples, N windows of a clip, B windows of a batch, T = 1024 frames, M = 128
bands, P = 512 patches, D features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from avzsl.decode.sampling import TOLERANCE_SECONDS, AudioWindows
from avzsl.encoders.base import AudioEncoder, EncoderSpec, encoders
from avzsl.encoders.pretrained import Pretrained, PretrainedOptions
from avzsl.encoders.resample import resample
from avzsl.encoders.vit_sizes import VitSizes, read_vit_sizes
from avzsl.options import options
from avzsl.sources.checkpoint import Checkpoint
from avzsl.types import Waveform

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SECONDS = 10.24
"""Length of a window: 1024 frames of 10 ms."""
STEPS = 64
"""Patches of a window in time, 0.16 s each."""
PATCHES = 512
"""Patches of a window."""
PATCH = 16
"""Side of a patch: frames, and bands."""
WINDOWS_AT_ONCE = 16
"""Windows of a clip that go through the network at a time for ``temporal``."""

DROPPED = (r"mask_token", r"decoder_.+", r"head\.(?:weight|bias)")
"""What only pretraining (mask token, decoder) or classification (head) uses."""


@options
class AudioMaeOptions(PretrainedOptions):
    """Options of ``audiomae``."""

    weights: str = "audiomae-as2m"
    """Published weights by name (audiomae-as2m: no labels; audiomae-as2m-ft-as20k: fine-tuned on
    the labels of AudioSet), the path of a file or folder of your own, or ``random``."""
    pooling: Literal["mean", "cls", "temporal"] = "mean"
    """What a vector is: ``mean`` over all patches of 10.24 s, the class token (``cls``; not of a
    fine-tuned network), or the mean over the patches of each 0.16 s (``temporal``)."""
    channel: Literal["mean", "first"] = "mean"
    """Of several channels, take their mean, or the ``first``, as the authors' code does."""
    rest_seconds: Annotated[float, Field(ge=0.025, le=SECONDS)] = 1.0
    """What is left behind the last full 10.24 s is a window of its own from this length on, filled
    up with silence; less is dropped. A clip shorter than 10.24 s always has one window."""


@dataclass(frozen=True, kw_only=True)
class StepWindows(AudioWindows):
    """The steps of 0.16 s of all windows of 10.24 s, as far as half of a step is sound."""

    blocks: AudioWindows
    """The windows of 10.24 s."""

    def spans(self, duration_seconds: float) -> NDArray[np.float64]:
        """Return [N, 2] begin and end of each step, in seconds from the clip's begin."""
        assert self.length_seconds is not None
        blocks_N2 = self.blocks.spans(duration_seconds)
        if not len(blocks_N2):
            return blocks_N2
        end = min(duration_seconds, float(blocks_N2[-1, 1]))
        count = max(int((end + TOLERANCE_SECONDS) / self.length_seconds + 0.5), 1)
        begins_N: NDArray[np.float64] = np.arange(count, dtype=np.float64) * self.length_seconds
        return np.stack([begins_N, begins_N + self.length_seconds], axis=1)


_AS2M = VitSizes(width=768, depth=12, hidden=3072, patch=PATCH, channels=1, tokens=1 + PATCHES)
_FINE_TUNED = VitSizes(
    width=768,
    depth=12,
    hidden=3072,
    patch=PATCH,
    channels=1,
    tokens=1 + PATCHES,
    last_norm="fc_norm",
)


@encoders.register("audiomae")
class AudioMae(Pretrained[VitSizes], AudioEncoder):
    """Patches of a log-mel picture, averaged."""

    kind = "audiomae"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="sound in 10.24 s, masked autoencoder trained on AudioSet (AudioMAE)",
        paper="huang2022audiomae",
        licence="CC BY-NC 4.0",
        preprocessing="16 kHz mono, Kaldi's 128 log-mel bands of 25 ms every 10 ms, 1024 frames",
        output="mean over the 512 patches of 10.24 s behind the last norm; 768-d (ViT-B)",
    )
    sources = ("audiomae-as2m", "audiomae-as2m-ft-as20k")
    published: ClassVar[dict[str, VitSizes]] = {
        "audiomae-as2m": _AS2M,
        "audiomae-as2m-ft-as20k": _FINE_TUNED,
    }
    Options = AudioMaeOptions
    options: AudioMaeOptions

    @property
    def dim(self) -> int:
        """Length D of one feature vector."""
        return self.sizes.width

    @property
    def windows(self) -> AudioWindows:
        """Windows of 10.24 s behind each other, or with ``temporal`` their steps of 0.16 s."""
        blocks = AudioWindows(
            length_seconds=SECONDS,
            hop_seconds=SECONDS,
            short="pad",
            rest_seconds=self.options.rest_seconds,
        )
        if self.options.pooling != "temporal":
            return blocks
        step = SECONDS / STEPS
        return StepWindows(length_seconds=step, hop_seconds=step, short="pad", blocks=blocks)

    def read_sizes(self, checkpoint: Checkpoint) -> VitSizes:
        """Return how large the network of a checkpoint is.

        Raises:
            ValueError: If the file holds no vision transformer for 1024 frames of 128 bands.
        """
        sizes = read_vit_sizes(_read(checkpoint, shapes_only=True))
        if (sizes.channels, sizes.patch, sizes.tokens) != (1, PATCH, 1 + PATCHES):
            raise ValueError(
                f"{checkpoint.label}: expected a network for 1 channel, patches of {PATCH} and "
                f"{PATCHES} of them; the file has {sizes.channels} channels, patches of "
                f"{sizes.patch} and {sizes.tokens - 1} of them."
            )
        return sizes

    def build(self, sizes: VitSizes) -> torch.nn.Module:
        """Return the transformer.

        Raises:
            ValueError: If the class token of a fine-tuned network is asked for.
        """
        from avzsl.encoders.networks.vit import Vit

        if self.options.pooling == "cls" and sizes.last_norm == "fc_norm":
            raise ValueError(
                "pooling: 'cls' needs the pretrained network: this fine-tuned one has no norm for "
                "its class token, got weights with 'fc_norm'. Use 'mean' or 'temporal'."
            )
        return Vit(sizes)

    def read_state(self, checkpoint: Checkpoint) -> dict[str, Tensor]:
        """Return the tensors of a checkpoint, without decoder and head."""
        return _read(checkpoint)

    def preprocess(self, waveform: Waveform, spans: NDArray[np.float64]) -> Tensor:
        """Return the log-mel pictures of one clip, [N, T, M]; with ``temporal``, its steps [N, D].

        The steps of 10.24 s come out of the network together, so with ``temporal`` it runs here.

        Raises:
            ValueError: If the sound is shorter than a frame of 25 ms.
        """
        import torch

        from avzsl.encoders.frontends.audiomae import RATE, pictures

        samples_CS = torch.from_numpy(waveform.samples).to(self.device)
        mono_1S = samples_CS[:1]
        if self.options.channel == "mean":
            mono_1S = samples_CS.mean(0, keepdim=True)
        sound_S = resample(mono_1S, from_rate=waveform.sample_rate, to_rate=RATE)[0]
        temporal = self.options.pooling == "temporal"
        begins_N = spans[::STEPS, 0] if temporal else spans[:, 0]
        pictures_NTM = pictures(sound_S, begins_N)
        if not temporal:
            return pictures_NTM
        steps = [self._steps(part_BTM) for part_BTM in pictures_NTM.split(WINDOWS_AT_ONCE)]
        return torch.cat(steps).flatten(0, 1)[: len(spans)]

    def encode(self, windows: Tensor) -> Tensor:
        """Return [B, D] float32."""
        if self.options.pooling == "temporal":
            return windows
        with self.arithmetic():
            tokens_BTD: Tensor = self.network(windows[:, None])
        if self.options.pooling == "cls":
            return tokens_BTD[:, 0].float()
        return self._normed(tokens_BTD[:, 1:].float().mean(1))

    def _steps(self, pictures_BTM: Tensor) -> Tensor:
        """Return a vector for each 0.16 s, [B, 64, D]; patches are numbered row by row in time."""
        with self.arithmetic():
            tokens_BTD: Tensor = self.network(pictures_BTM[:, None])
        return self._normed(tokens_BTD[:, 1:].float().unflatten(1, (STEPS, -1)).mean(2))

    def _normed(self, pooled: Tensor) -> Tensor:
        made: Tensor = self.network.pooled_norm(pooled)  # type: ignore[operator]
        return made


def _read(checkpoint: Checkpoint, *, shapes_only: bool = False) -> dict[str, Tensor]:
    """Return the tensors of either layout under timm's names."""
    from avzsl.encoders.states import read_tensors, renamed

    tensors = read_tensors(
        checkpoint.file(AudioMae.files[0]), wrapped_in=("model",), shapes_only=shapes_only
    )
    return renamed(tensors, dropped=DROPPED)
