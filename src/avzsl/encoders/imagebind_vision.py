"""``imagebind-vision``: pictures in the joint space of ImageBind, 1024 values.

Girdhar et al., "ImageBind: One Embedding Space To Bind Them All", CVPR 2023. A vision transformer
(ViT-H, 632.8 M parameters) that was kept frozen while the towers of other modalities were trained.
It sees two pictures at a time: the first and the last one of a stretch of 2 s.

Preprocessing: stretches of 2 s spread from the clip's begin to its end; shorter side to 224 by
bilinear interpolation without a low-pass filter; squares of 224; CLIP's mean and deviation. The
reference embeds five stretches in three squares each, left, centre and right, and averages all 15
(``views: reference``, 5.0 TFLOP a clip); ``fast`` leaves out the outer squares and costs a third.
Methods of this package fuse sequences, so that the default, ``temporal``, is ``fast`` without the
mean over time: one vector for each stretch.

Output: a vector of unit length.

Shapes: B windows of a batch, N windows of a clip, V views, F pictures, f pictures of a window, t
stretches of a window, C crops, H and W sides, D features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from avzsl.decode.sampling import TOLERANCE_SECONDS, VideoWindows
from avzsl.encoders.base import EncoderSpec, VisualEncoder, encoders
from avzsl.encoders.imagebind import LICENCE, PAPER, PICTURES, SECONDS, ImageBind, TowerSizes
from avzsl.encoders.pretrained import PretrainedOptions
from avzsl.options import options
from avzsl.types import Frames

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@options
class ImageBindVisionOptions(PretrainedOptions):
    """Options of ``imagebind-vision``."""

    weights: str = "imagebind-huge"
    """Published weights by name (see: avzsl show encoder), the path of a file or folder of your
    own, or ``random``: untrained, to try the workflow."""
    views: Literal["temporal", "fast", "reference"] = "temporal"
    """``temporal``: a vector for each stretch of 2 s, from its central square. ``fast``: the mean
    of these. ``reference``: the mean over stretches and three squares, as published."""
    clips: Annotated[int, Field(ge=1, le=100)] = 5
    """Stretches of 2 s, spread from the clip's begin to its end; they overlap in short clips."""


@dataclass(frozen=True, kw_only=True)
class EndsOfStretches(VideoWindows):
    """Windows that show the first and the last frame of each stretch of 2 s in them."""

    @property
    def stretches(self) -> int:
        """Stretches of a window, spread from its begin to its end."""
        return self.frames // PICTURES

    def choose(
        self, pts_seconds: NDArray[np.float64], spans_N2: NDArray[np.float64], end_seconds: float
    ) -> NDArray[np.int64]:
        """Return [N, f] the index of each frame of each window.

        Those of a stretch are the first that begins in it and the last that does. A stretch in
        which none begins shows the frame on display, twice.
        """
        ends_N1 = np.minimum(spans_N2[:, 1:], end_seconds)
        room_N1 = np.maximum(ends_N1 - spans_N2[:, :1] - SECONDS, 0.0)
        steps_t = np.arange(self.stretches) / max(self.stretches - 1, 1)
        begins_Nt = spans_N2[:, :1] + steps_t * room_N1
        ends_Nt = np.minimum(begins_Nt + SECONDS, ends_N1)
        first_Nt = np.searchsorted(pts_seconds, begins_Nt - TOLERANCE_SECONDS)
        last_Nt = np.maximum(np.searchsorted(pts_seconds, ends_Nt - TOLERANCE_SECONDS) - 1, 0)
        chosen_Nt2 = np.stack([np.minimum(first_Nt, last_Nt), last_Nt], axis=-1)
        return chosen_Nt2.reshape(len(spans_N2), -1).astype(np.int64)


@encoders.register("imagebind-vision")
class ImageBindVision(ImageBind, VisualEncoder):
    """The picture tower of ImageBind."""

    kind = "imagebind-vision"
    tower = "vision"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="ImageBind, pictures: a space shared with sound and text",
        paper=PAPER,
        licence=LICENCE,
        preprocessing="first and last picture of stretches of 2 s, squares of 224, CLIP's norm",
        output="a unit vector for each stretch of 2 s, or their mean",
    )
    published: ClassVar[dict[str, TowerSizes]] = {
        "imagebind-huge": TowerSizes(
            tower="vision", width=1280, layers=32, heads=16, out=1024, places=257, patch=14
        )
    }
    Options = ImageBindVisionOptions
    options: ImageBindVisionOptions

    @property
    def windows(self) -> EndsOfStretches:
        """Stretches of 2 s, or the whole clip as one window."""
        count = self.options.clips
        if self.options.views == "temporal":
            return EndsOfStretches(
                length_seconds=SECONDS, count=count, frames=PICTURES, short="pad"
            )
        return EndsOfStretches(count=1, frames=PICTURES * count)

    def preprocess(self, frames: Frames) -> Tensor:
        """Return the windows [N, V, 3, 2, H, W]: views are squares of each stretch."""
        import torch

        from avzsl.encoders.frontends.imagebind import crops

        which: Literal["all", "centre"] = "all" if self.options.views == "reference" else "centre"
        crops_FC3HW = crops(frames.rgb, self.device, which)
        rows_Nf = torch.from_numpy(frames.plan.rows).to(self.device)
        shown = crops_FC3HW[rows_Nf.unflatten(1, (-1, PICTURES))]  # [N, t, 2, C, 3, H, W]
        return shown.permute(0, 1, 3, 4, 2, 5, 6).flatten(1, 2)

    def encode(self, windows: Tensor) -> Tensor:
        """Return [B, D] float32 of unit length for [B, V, 3, 2, H, W]."""
        return self.mean_of_views(windows)

    def build(self, sizes: TowerSizes) -> torch.nn.Module:
        """Return the network.

        Raises:
            ValueError: If it is made for pictures of another size.
        """
        from avzsl.encoders.frontends.imagebind import SIDE

        if sizes.places != 1 + (SIDE // sizes.patch) ** 2:
            raise ValueError(
                f"{self.kind}: {sizes.places} positions do not fit patches of {sizes.patch} in "
                f"pictures of {SIDE} pixels."
            )
        return super().build(sizes)
