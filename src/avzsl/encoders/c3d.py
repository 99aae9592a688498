"""``c3d``: 3D convolutions over 16 frames, trained on the labels of Sports-1M.

Tran et al., "Learning Spatiotemporal Features with 3D Convolutional Networks", ICCV 2015. Weights
by Facebook (C3D v1.0, code under CC BY-NC 3.0), converted to PyTorch by
https://github.com/DavideA/c3d-pytorch (code under MIT).

*Windows*: 25 frames a second, 16 consecutive ones without overlap (0.64 s). The last window is
filled up with zeros after the normalisation; a rest below half a frame is dropped.

*Preprocessing*, three recipes. All resize to 128 x 171, crop the central 112 x 112 and give the
network BGR:

- ``sports1m``, that of the training: resized without antialiasing, as OpenCV does, values 0..255
  less the mean of the training set, here its mean over all places (90.25, 97.66, 101.41).
- ``avca-anet``, of the published ActivityNet features of AVCA and TCaF: antialiased, values 0..1,
  normalised with the statistics of Kinetics, which are of RGB.
- ``avca-ucf-vgg``, of their UCF101 and VGGSound features: the same with every value v of the frame
  replaced by (256 - v) mod 256. There a float in 0..255 met a conversion that expects 0..1.

For new work take the first; the network knows no other. The others repeat published features.

*Output*: fc7 behind its ReLU, 4096 values a window; or fc6.

*Checkpoint*: ``c3d.pickle``, bare tensors ``conv1.weight`` to ``fc8.bias``; the classifier fc8 is
left out.

Shapes: F distinct frames, N windows of a clip, B windows of a batch, f frames of a window, H
height, W width, D features; S = 112.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from avzsl.decode.sampling import VideoWindows
from avzsl.encoders.base import EncoderSpec, VisualEncoder, encoders
from avzsl.encoders.pretrained import Pretrained, PretrainedOptions
from avzsl.options import options
from avzsl.sources.checkpoint import Checkpoint
from avzsl.types import Frames

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FRAMES = 16
SIZE = (128, 171)
"""Height and width to which pictures are resized."""
SIDE = 112
SPORTS1M_MEAN_BGR = (90.25, 97.66, 101.41)
KINETICS_MEAN = (0.43216, 0.394666, 0.37645)
KINETICS_STD = (0.22803, 0.22145, 0.216989)
PICTURES_AT_ONCE = 8
"""Pictures resized at a time: bounds the memory at 100 MB for 720p."""


@options
class C3dOptions(PretrainedOptions):
    """Options of ``c3d``."""

    weights: str = "c3d-sports1m"
    """Published weights by name (c3d-sports1m), the path of a file or folder of your own, or
    ``random``: untrained, to try the workflow."""
    preset: Literal["sports1m", "avca-ucf-vgg", "avca-anet"] = "sports1m"
    """What is done to pictures: as in training, or as for the published features of AVCA and TCaF
    on UCF101 and VGGSound, or on ActivityNet."""
    layer: Literal["fc7", "fc6"] = "fc7"
    """Layer whose output is the feature."""
    fps: Annotated[float, Field(gt=0, le=120)] = 25.0
    """Frames of a second that are looked at; a window has 16."""


@dataclass(frozen=True, kw_only=True)
class C3dSizes:
    """How large a network is."""

    channels: tuple[int, ...]
    """Of the eight convolutions."""
    fc6: int
    fc7: int
    """Widths of the dense layers."""


@encoders.register("c3d")
class C3dEncoder(Pretrained[C3dSizes], VisualEncoder):
    """C3D, a vector for every 16 frames."""

    kind = "c3d"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="16 frames at a time, 3D convolutions trained on Sports-1M (C3D)",
        paper="tran2015c3d",
        licence="MIT (port); weights from C3D v1.0, whose code is CC BY-NC 3.0",
        preprocessing="25 frames/s; 128 x 171, central 112 x 112, BGR 0..255 less the mean",
        output="fc7 behind its ReLU, 4096-d for 16 frames",
    )
    sources = ("c3d-sports1m",)
    files = ("*.pickle|*.pth|*.pt|*.safetensors",)
    published: ClassVar[dict[str, C3dSizes]] = {
        "c3d-sports1m": C3dSizes(
            channels=(64, 128, 256, 256, 512, 512, 512, 512), fc6=4096, fc7=4096
        )
    }
    Options = C3dOptions
    options: C3dOptions

    @property
    def dim(self) -> int:
        """Length D of one feature vector."""
        return self.sizes.fc6 if self.options.layer == "fc6" else self.sizes.fc7

    @property
    def windows(self) -> VideoWindows:
        """16 frames each; the last one may lack some, and a clip has one at least."""
        seconds = FRAMES / self.options.fps
        return VideoWindows(
            length_seconds=seconds,
            hop_seconds=seconds,
            frames=FRAMES,
            short="pad",
            rest_seconds=0.5 / self.options.fps,
            beyond="blank",
        )

    def read_sizes(self, checkpoint: Checkpoint) -> C3dSizes:
        """Return how large the network of a checkpoint is.

        Raises:
            ValueError: If the file holds another network.
        """
        from avzsl.encoders.networks.c3d import CONVOLUTIONS

        shapes = _read(checkpoint, shapes_only=True)
        try:
            return C3dSizes(
                channels=tuple(shapes[f"{name}.weight"].shape[0] for name in CONVOLUTIONS),
                fc6=shapes["fc6.weight"].shape[0],
                fc7=shapes["fc7.weight"].shape[0],
            )
        except KeyError as error:
            raise ValueError(
                f"{checkpoint.label}: not C3D, there is no tensor {error}; expected "
                "conv1.weight to fc7.bias, as c3d.pickle has them."
            ) from None

    def build(self, sizes: C3dSizes) -> torch.nn.Module:
        """Return the network."""
        from avzsl.encoders.networks.c3d import C3d

        return C3d(sizes.channels, fc6=sizes.fc6, fc7=sizes.fc7)

    def read_state(self, checkpoint: Checkpoint) -> dict[str, Tensor]:
        """Return the tensors of a checkpoint without the classifier's."""
        return _read(checkpoint)

    def preprocess(self, frames: Frames) -> Tensor:
        """Return the windows of one clip, [N, 3, f, S, S] float32."""
        import torch

        from avzsl.encoders.frontends.pictures import to_device

        pictures = [
            self._prepared(to_device(some_FHW3, self.device))
            for some_FHW3 in torch.from_numpy(frames.rgb).split(PICTURES_AT_ONCE)
        ]
        # Row -1, no picture, finds the zeros at the end.
        blank_13SS = torch.zeros(1, 3, SIDE, SIDE, device=self.device)
        rows_Nf = torch.from_numpy(frames.plan.rows).to(self.device)
        windows_Nf3SS = torch.cat([*pictures, blank_13SS])[rows_Nf]
        return windows_Nf3SS.transpose(1, 2).contiguous()

    def encode(self, windows: Tensor) -> Tensor:
        """Return [B, D] float32."""
        with self.arithmetic():
            features_BD: Tensor = self.network(windows, self.options.layer)
        return features_BD.float()

    def _prepared(self, rgb_F3HW: Tensor) -> Tensor:
        """Return what the network sees of each picture, float32 [F, 3, S, S]."""
        from avzsl.encoders.frontends.pictures import centre_crop, normalise, resize

        if self.options.preset == "sports1m":
            small_F3HW = resize(rgb_F3HW, SIZE, mode="bilinear", antialias=False)
            bgr_F3SS = centre_crop(small_F3HW, SIDE, rounding="floor").flip(1).float()
            return normalise(bgr_F3SS, SPORTS1M_MEAN_BGR, (1.0, 1.0, 1.0))
        if self.options.preset == "avca-ucf-vgg":
            rgb_F3HW = ~rgb_F3HW + 1  # bytes wrap: 0 stays 0
        small_F3HW = resize(rgb_F3HW, SIZE, mode="bilinear", antialias=True)
        bgr_F3SS = centre_crop(small_F3HW, SIDE).flip(1).float()
        return normalise(bgr_F3SS / 255, KINETICS_MEAN, KINETICS_STD)


def _read(checkpoint: Checkpoint, *, shapes_only: bool = False) -> dict[str, Tensor]:
    """Return the tensors of the network, the classifier's left out."""
    from avzsl.encoders.states import read_tensors, renamed

    tensors = read_tensors(checkpoint.file(C3dEncoder.files[0]), shapes_only=shapes_only)
    return renamed(tensors, dropped=[r"fc8\.(?:weight|bias)"])
