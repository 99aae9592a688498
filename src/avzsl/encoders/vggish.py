"""``vggish``: a VGG network on log-mel spectrograms, trained on the labels of YouTube-8M.

Hershey et al., "CNN Architectures for Large-Scale Audio Classification", ICASSP 2017. Weights by
Google, converted by https://github.com/harritaylor/torchvggish; both Apache-2.0.

*Preprocessing*: the mean of the channels, 16 kHz, 64 log-mel bands every 10 ms
(``frontends/vggish.py``), cut into patches of 96 frames without overlap. Patch n begins at 0.96 n s
and needs 0.975 s of sound, since its last frame is 25 ms long; what is left at the end is dropped,
so that 10 s give 10 windows. The published features' sound went through WAV files of 16 bits; here
it stays as decoded, which moves the log-mel values by 2e-4 on average and by up to 0.06 where it is
nearly silent.

*Sample rate*: one filter of ``resample.py`` for each ``kaiser_best`` of resampy, with which the
published features were brought to 16 kHz. resampy rounds the steps through its table of the filter,
in version 0.2 to 1 in 512; without that, the log-mel values differ by 1e-4 on average from version
0.4 (5e-4 from 48 kHz) and by 4e-3 from 0.2. The two versions themselves are 8e-3 apart, and 0.3 in
the highest band.

*Output*: 128 values a window. ``pca-uint8``, as in AVCA's and TCaF's features: whitened by PCA,
clipped to [-2, 2], and brought to whole numbers in 0..255. They cut the fraction off (``floor``);
torchvggish rounds. The published PCA lets the last value stand at 255 for nearly all sounds.

*Checkpoints*: torchvggish's (``features.*``, ``embeddings.*``) or the port that AVCA and TCaF used
(``features.*``, ``fc.*``), with Google's ``vggish_pca_params.npz`` in the same folder.

Shapes: S samples, N windows of a clip, B windows of a batch, T frames (96), M bands (64),
D features.
"""

from __future__ import annotations

import functools
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from avzsl.decode.sampling import AudioWindows
from avzsl.encoders.base import AudioEncoder, EncoderSpec, encoders
from avzsl.encoders.pretrained import Pretrained, PretrainedOptions
from avzsl.encoders.resample import resample
from avzsl.options import options
from avzsl.sources.checkpoint import Checkpoint, MissingWeightsError, find_checkpoint, is_random
from avzsl.types import Waveform

if TYPE_CHECKING:
    from torch import Tensor, nn

    from avzsl.encoders.networks.vggish import Vggish

PATCH = 96
"""Frames of a window."""
FRAMES_PER_SECOND = 100
NETWORK = "*.pth|*.pt|*.safetensors"
PCA = "*.npz"
PCA_NAMES = {"pca_matrix": "pca_eigen_vectors", "pca_means": "pca_means"}
CONVOLUTIONS = (0, 3, 6, 8, 11, 13)
DENSE = (0, 2, 4)
"""Places of the layers with weights in ``features`` and in ``embeddings``."""
RESAMPLERS = {"resampy-0.4": (46, 0.9173473, 12.984585), "resampy-0.2": (61, 0.9475937, 14.769656)}
"""Zero crossings, roll-off and beta of ``resample``. resampy says 50 and 64 zero crossings, of a
sinc without the roll-off; times the roll-off, they are those of the filter itself."""


@options
class VggishOptions(PretrainedOptions):
    """Options of ``vggish``."""

    weights: str = "vggish"
    """Published weights by name (vggish), the path of a file or folder of your own, or ``random``:
    untrained and with a PCA that changes nothing, to try the workflow."""
    postprocess: Literal["pca-uint8", "raw"] = "pca-uint8"
    """``pca-uint8`` whitens and quantises to 0..255, as all published features of audio-visual
    zero-shot learning are; ``raw`` keeps the network's output and needs no PCA file."""
    rounding: Literal["floor", "round"] = "floor"
    """How ``pca-uint8`` comes to whole numbers: ``floor`` as AVCA and TCaF, or ``round``."""
    resampling: Literal["resampy-0.4", "resampy-0.2"] = "resampy-0.4"
    """Filter that brings sound to 16 kHz: that of today's resampy, or of AVCA's version."""
    short: Literal["fail", "pad"] = "fail"
    """A sound shorter than 0.975 s: ``fail`` leaves it out as too short, as the published features
    do, ``pad`` fills the window with silence."""


@dataclass(frozen=True, kw_only=True)
class VggishSizes:
    """How large a network is."""

    channels: tuple[int, ...]
    """Of the six convolutions."""
    widths: tuple[int, ...]
    """Of the three dense layers."""


@encoders.register("vggish")
class VggishEncoder(Pretrained[VggishSizes], AudioEncoder):
    """VGGish, a vector for every 0.96 s of sound."""

    kind = "vggish"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="log-mel spectrograms, VGG network trained on YouTube-8M (VGGish)",
        paper="hershey2017vggish",
        licence="Apache-2.0",
        preprocessing="mono, 16 kHz, 64 log-mel bands every 10 ms, patches of 96",
        output="128-d a window: PCA-whitened bytes 0..255 (floor), or raw",
    )
    sources = ("vggish",)
    files = (NETWORK, PCA)
    published: ClassVar[dict[str, VggishSizes]] = {
        "vggish": VggishSizes(channels=(64, 128, 256, 256, 512, 512), widths=(4096, 4096, 128))
    }
    Options = VggishOptions
    options: VggishOptions
    network: Vggish

    @property
    def dim(self) -> int:
        """Length D of one feature vector."""
        return self.sizes.widths[-1]

    @property
    def windows(self) -> AudioWindows:
        """Patches of 0.96 s; the last frame of each reaches 15 ms into the next."""
        return AudioWindows(length_seconds=0.975, hop_seconds=0.96, short=self.options.short)

    @functools.cached_property
    def checkpoint(self) -> Checkpoint | None:
        """The network's file and, where the options need it, the PCA's.

        Raises:
            MissingWeightsError: If one is not on disk; the message says how to get it.
        """
        weights = self.options.weights
        if is_random(weights):
            return None
        network = find_checkpoint(weights, self.sources, (NETWORK,))
        if not self._has_pca:
            return network
        try:
            return find_checkpoint(weights, self.sources, self.files)
        except MissingWeightsError as error:
            raise MissingWeightsError(
                f"postprocess: pca-uint8 needs vggish_pca_params.npz beside "
                f"{network.file(NETWORK).name}. {error} Or choose postprocess: raw."
            ) from None

    def read_sizes(self, checkpoint: Checkpoint) -> VggishSizes:
        """Return how large the network of a checkpoint is.

        Raises:
            ValueError: If the file holds another network.
        """
        shapes = _read(checkpoint, shapes_only=True)
        try:
            return VggishSizes(
                channels=tuple(shapes[f"features.{i}.weight"].shape[0] for i in CONVOLUTIONS),
                widths=tuple(shapes[f"embeddings.{i}.weight"].shape[0] for i in DENSE),
            )
        except KeyError as error:
            raise ValueError(
                f"{checkpoint.label}: not VGGish, there is no tensor {error}; expected features.* "
                "and embeddings.* (or fc.*), as torchvggish has them."
            ) from None

    def build(self, sizes: VggishSizes) -> nn.Module:
        """Return the network."""
        from avzsl.encoders.networks.vggish import Vggish

        return Vggish(sizes.channels, sizes.widths, pca=self._has_pca)

    def read_state(self, checkpoint: Checkpoint) -> dict[str, Tensor]:
        """Return the tensors of a checkpoint, PCA included, under the network's names."""
        tensors = _read(checkpoint)
        return tensors | _read_pca(checkpoint.file(PCA)) if self._has_pca else tensors

    def random_network(self) -> nn.Module:
        """Return an untrained network, the same each time.

        Its layers keep the scale of the input (He et al., ICCV 2015), so that not all features
        fall on one of the 256 levels.
        """
        import torch

        network = super().random_network()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            for parameter in network.parameters():
                if parameter.ndim > 1:
                    torch.nn.init.kaiming_normal_(parameter)
        return network

    def preprocess(self, waveform: Waveform, spans: NDArray[np.float64]) -> Tensor:
        """Return the windows of one clip, [N, T, M] log-mel values."""
        import torch

        from avzsl.encoders.frontends.vggish import FRAME, SAMPLE_RATE, STEP, log_mel

        mono_1S = torch.from_numpy(waveform.samples.mean(0, keepdims=True)).to(self.device)
        zero_crossings, rolloff, beta = RESAMPLERS[self.options.resampling]
        sound_S = resample(
            mono_1S,
            from_rate=waveform.sample_rate,
            to_rate=SAMPLE_RATE,
            zero_crossings=zero_crossings,
            rolloff=rolloff,
            beta=beta,
        )[0]
        begins_N = np.rint(spans[:, 0] * FRAMES_PER_SECOND).astype(np.int64)
        needed = (int(begins_N.max()) + PATCH - 1) * STEP + FRAME
        missing = max(needed - len(sound_S), 0)
        spectrogram_TM = log_mel(torch.nn.functional.pad(sound_S[:needed], (0, missing)))
        patches_NMT = spectrogram_TM.unfold(0, PATCH, 1)[torch.from_numpy(begins_N)]
        return patches_NMT.mT.contiguous()

    def encode(self, windows: Tensor) -> Tensor:
        """Return [B, D] float32."""
        from avzsl.encoders.networks.vggish import without_tf32

        with self.arithmetic(), without_tf32():
            raw_BD: Tensor = self.network(windows)
        if not self._has_pca:
            return raw_BD.float()
        return self.network.quantised(raw_BD, self.options.rounding)

    @property
    def _has_pca(self) -> bool:
        return self.options.postprocess == "pca-uint8"


def _read(checkpoint: Checkpoint, *, shapes_only: bool = False) -> dict[str, Tensor]:
    """Return the network's tensors, of either layout, under torchvggish's names."""
    from avzsl.encoders.states import read_tensors, renamed

    tensors = read_tensors(checkpoint.file(NETWORK), shapes_only=shapes_only)
    return renamed(tensors, [(r"^fc\.", "embeddings.")])


def _read_pca(path: Path) -> dict[str, Tensor]:
    """Return the PCA under the network's names.

    Raises:
        ValueError: If the file is none, or holds no PCA of VGGish.
    """
    import torch

    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[key] for name, key in PCA_NAMES.items()}
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"{path}: expected the arrays {' and '.join(PCA_NAMES.values())} of "
            f"vggish_pca_params.npz ({error})."
        ) from None
    found["pca_means"] = found["pca_means"].reshape(-1)
    return {name: torch.from_numpy(array) for name, array in found.items()}
