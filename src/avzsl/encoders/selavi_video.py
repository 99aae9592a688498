"""``selavi-video``: the video half of SeLaVi, R(2+1)D-18 on windows of one second.

Asano et al., "Labelling unlabelled videos from scratch with multi-modal self-supervision",
NeurIPS 2020. Code and weights: https://github.com/facebookresearch/selavi, CC-BY-NC 4.0. With the
audio half, this is what made the released "main" features of AVCA and TCaF (512 + 512 values).

The default weights were trained on VGGSound itself, without its labels but with videos of classes
that VGGSound-GZSL calls unseen; the authors of TCaF recommend C3D and VGGish there instead.

*Preprocessing*: windows of 1 s with 30 pictures, taken by frame numbers at equal steps (a video of
25 frames a second shows some twice); the shorter side to 112 pixels (bilinear without
antialiasing), the central 112 x 112, values to [0, 1], less 0.45, over 0.225.

*Output*: the mean over time and place behind the last stage, 512 values, not normalised. AVCA takes
the mean of a video's windows, TCaF keeps them.

*Checkpoints*: the published file of both halves, in the names of its authors.

Shapes: F distinct frames, N windows of a clip, B windows of a batch, T pictures of a window, H
height, W width, D features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from avzsl.encoders.base import EncoderSpec, VisualEncoder, encoders
from avzsl.encoders.pretrained import Pretrained, PretrainedOptions
from avzsl.encoders.selavi import (
    PICTURES,
    SOURCES,
    WINDOW_SECONDS,
    Placement,
    ResNetSizes,
    SelaviVideoWindows,
    read_half,
    read_resnet_sizes,
)
from avzsl.options import options
from avzsl.sources.checkpoint import Checkpoint
from avzsl.types import Frames

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@options
class SelaviVideoOptions(PretrainedOptions):
    """Options of ``selavi-video``."""

    weights: str = "selavi-vgg-sound"
    """Published weights by name (selavi-vgg-sound, selavi-kinetics, selavi-kinetics-sound,
    selavi-ave), the path of a file of your own, or ``random``: untrained, to try the workflow."""
    placement: Placement = "uniform"
    """Where the windows lie: one after another (``uniform``), or as the scripts behind the released
    features place them (``avca``, ``tcaf``), which leave out the end of a video."""
    short: Literal["fail", "pad"] = "fail"
    """A video shorter than a window: ``fail`` leaves it out as too short, ``pad`` holds its last
    picture."""


@encoders.register("selavi-video")
class SelaviVideo(Pretrained[ResNetSizes], VisualEncoder):
    """Self-supervised R(2+1)D-18, a vector a second."""

    kind = "selavi-video"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="windows of 1 s, self-supervised R(2+1)D-18 of SeLaVi (trained on VGGSound)",
        paper="asano2020selavi",
        licence="CC-BY-NC 4.0",
        preprocessing="30 pictures of 1 s; shorter side 112 (bilinear), central 112 x 112",
        output="mean over time and place behind the last stage; 512-d",
    )
    sources = SOURCES
    published: ClassVar[dict[str, ResNetSizes]] = dict.fromkeys(
        SOURCES, ResNetSizes(stem=(45, 64), widths=(64, 128, 256, 512), depths=(2, 2, 2, 2))
    )
    Options = SelaviVideoOptions
    options: SelaviVideoOptions

    @property
    def dim(self) -> int:
        """Length D of one feature vector."""
        return self.sizes.widths[-1]

    @property
    def windows(self) -> SelaviVideoWindows:
        """Windows of one second with 30 pictures."""
        return SelaviVideoWindows(
            length_seconds=WINDOW_SECONDS,
            hop_seconds=WINDOW_SECONDS,
            frames=PICTURES,
            short=self.options.short,
            placement=self.options.placement,
        )

    def read_sizes(self, checkpoint: Checkpoint) -> ResNetSizes:
        """Return how large the video network of a checkpoint is.

        Raises:
            ValueError: If the file holds no checkpoint of SeLaVi.
        """
        tensors = read_half(checkpoint, self.files[0], "video", shapes_only=True)
        stem = ("stem.0.weight", "stem.3.weight")
        return read_resnet_sizes(tensors, stem=stem, last_norm="conv2.1.weight")

    def build(self, sizes: ResNetSizes) -> torch.nn.Module:
        """Return R(2+1)D."""
        from avzsl.encoders.networks.selavi import R2Plus1d

        return R2Plus1d(sizes)

    def read_state(self, checkpoint: Checkpoint) -> dict[str, Tensor]:
        """Return the tensors of the video network under torchvision's names."""
        return read_half(checkpoint, self.files[0], "video", shapes_only=False)

    def preprocess(self, frames: Frames) -> Tensor:
        """Return the windows of one clip, [N, 3, T, H, W]; T = 30, H = W = 112."""
        import torch

        from avzsl.encoders.frontends.selavi import pictures

        pictures_F3HW = pictures(frames.rgb, self.device)
        rows_NT = torch.from_numpy(frames.plan.rows).to(self.device)
        return pictures_F3HW[rows_NT].transpose(1, 2)

    def encode(self, windows: Tensor) -> Tensor:
        """Return [B, D] float32."""
        with self.arithmetic():
            features_BD: Tensor = self.network(windows)
        return features_BD.float()
