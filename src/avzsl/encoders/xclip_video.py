"""``xclip-video``: eight frames of a clip through the video half of X-CLIP.

Ni et al., "Expanding Language-Image Pretrained Models for General Video Recognition", ECCV 2022.
Code and weights: https://github.com/microsoft/VideoX, MIT. CLIP's vision transformer in which the
frames of a video exchange messages, and a small transformer over the frames' embeddings.

*Two papers share the name.* EZ-AVGZL cites Ma et al., "X-CLIP: End-to-End Multi-grained
Contrastive Learning for Video-Text Retrieval" (ACM MM 2022), whose fine-tuned weights were never
released. This encoder is the X-CLIP of Ni et al., which stands in for it.

*Caution.* Every published checkpoint was trained with the labels of Kinetics-400 or -600, the one
called zero-shot, too. Kinetics names many actions that count as unseen in UCF101, ActivityNet and
VGGSound; results with these features are not zero-shot in the strict sense.

*Preprocessing*, that of the hub's processor (``resize: hub``): the shorter side to 224 pixels
(bilinear with antialiasing, bytes in, bytes out), the central 224 x 224, values to [0, 1], less
ImageNet's mean and over its deviation; a ``preprocessor_config.json`` beside the weights overrides
these numbers. The authors' own validation (``resize: videox``) resizes the shorter side to 256
without antialiasing and then takes the central 224 x 224. Frames: as many as the network was
trained with (8; the zero-shot checkpoint 32), the middle ones of equal parts of the window.

*Output*: the mean over the frames behind the transformer over frames, of unit length; 512 values
(base models) or 768 (large) for the whole clip, or for each of ``parts`` of it.

*Checkpoints*: the folder of a repository of Hugging Face (``microsoft/xclip-base-patch32``:
``config.json`` and weights), or a ``.pth`` of the authors. The half for texts, ``logit_scale`` and
the prompt generator, which adapts texts to a video, are left out.

Shapes: F distinct frames, N windows of a clip, B windows of a batch, T frames of a window, S side,
D features.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from avzsl.decode.sampling import TOLERANCE_SECONDS, VideoWindows
from avzsl.encoders.base import EncoderSpec, VisualEncoder, encoders
from avzsl.encoders.clip_checkpoint import (
    CONFIG,
    RECIPE,
    TEXT_HALF,
    VIDEO_SIZES,
    WEIGHTS,
    read_config,
    read_half,
)
from avzsl.encoders.pretrained import Pretrained, PretrainedOptions
from avzsl.options import options
from avzsl.sources.checkpoint import Checkpoint
from avzsl.types import Frames

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from avzsl.encoders.frontends.recipes import Recipe

BASE_16 = VIDEO_SIZES | {"patch_size": 16}
LARGE_14 = VIDEO_SIZES | {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "patch_size": 14,
    "mit_hidden_size": 768,
    "mit_intermediate_size": 3072,
    "mit_num_attention_heads": 12,
}


@dataclass(frozen=True, kw_only=True)
class MiddleFrames(VideoWindows):
    """Frames as the authors' test sampling takes them.

    Of a video with M frames that is frame ``int((i + 0.5) * M / T)``: the one on display in the
    middle of each T-th of the window, and where one begins in that very moment, this one and not
    the one before.
    """

    def choose(
        self, pts_seconds: NDArray[np.float64], spans_N2: NDArray[np.float64], end_seconds: float
    ) -> NDArray[np.int64]:
        """Return [N, T] the index of each frame of each window; see ``VideoWindows.choose``."""
        middles_T = (np.arange(self.frames) + 0.5) / self.frames
        middles_NT = spans_N2[:, :1] + middles_T * (spans_N2[:, 1:] - spans_N2[:, :1])
        after_NT = np.searchsorted(pts_seconds, middles_NT + TOLERANCE_SECONDS, side="right")
        return np.maximum(after_NT - 1, 0).astype(np.int64)


@options
class XclipVideoOptions(PretrainedOptions):
    """Options of ``xclip-video``."""

    weights: str = "xclip-base-patch32"
    """Published weights by name (xclip-base-patch32, xclip-base-patch16, xclip-large-patch14,
    xclip-base-patch16-zero-shot), the path of a file or folder of your own, or ``random``:
    untrained, to try the workflow."""
    parts: Annotated[int, Field(ge=1, le=64)] = 1
    """Equal parts that a clip is cut into, each a feature vector of its own."""
    resize: Literal["hub", "videox"] = "hub"
    """``hub``: the shorter side straight to the network's 224 pixels, with antialiasing, as the
    processor on Hugging Face does. ``videox``: to 256 without antialiasing and cropped, as the
    authors' validation does."""


@encoders.register("xclip-video")
class XclipVideo(Pretrained[dict[str, Any]], VisualEncoder):
    """A clip, or each part of it, by X-CLIP."""

    kind = "xclip-video"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="whole clips, X-CLIP of Microsoft; trained with the labels of Kinetics",
        paper="ni2022xclip",
        licence="MIT",
        preprocessing="8 frames; shorter side 224 (bilinear), central 224 x 224, ImageNet norm",
        output="one vector a clip (or a part of it), unit length; 512-d (base) or 768-d (large)",
    )
    sources = (
        "xclip-base-patch32",
        "xclip-base-patch16",
        "xclip-large-patch14",
        "xclip-base-patch16-zero-shot",
    )
    published: ClassVar[dict[str, dict[str, Any]]] = {
        "xclip-base-patch32": {"projection_dim": 512, "vision_config": VIDEO_SIZES},
        "xclip-base-patch16": {"projection_dim": 512, "vision_config": BASE_16},
        "xclip-large-patch14": {"projection_dim": 768, "vision_config": LARGE_14},
        "xclip-base-patch16-zero-shot": {
            "projection_dim": 512,
            "vision_config": BASE_16 | {"num_frames": 32},
        },
    }
    files = (WEIGHTS, CONFIG, RECIPE)
    Options = XclipVideoOptions
    options: XclipVideoOptions

    @property
    def dim(self) -> int:
        """Length D of one feature vector."""
        return int(self.sizes["projection_dim"])

    @property
    def windows(self) -> VideoWindows:
        """Equal parts of the clip, each with as many frames as the network takes."""
        frames = int(self.sizes["vision_config"]["num_frames"])
        return MiddleFrames(count=self.options.parts, frames=frames, short="pad")

    def read_sizes(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Return how large the video half of a checkpoint is.

        Raises:
            ValueError: If the files hold another network.
        """
        return read_config(checkpoint, "video_config", model_type="xclip")

    def build(self, sizes: dict[str, Any]) -> torch.nn.Module:
        """Return the video half."""
        from avzsl.encoders.networks.xclip import XclipVideos

        return XclipVideos(sizes)

    def read_state(self, checkpoint: Checkpoint) -> dict[str, Tensor]:
        """Return the tensors of the video half under their names on the hub."""
        return read_half(checkpoint, model_type="xclip", dropped=(*TEXT_HALF, r"prompts_.+"))

    @functools.cached_property
    def recipe(self) -> Recipe:
        """How pictures are resized, cropped and normalised.

        Raises:
            ValueError: If the network sees pictures of another size than the recipe makes.
        """
        from avzsl.encoders.frontends.pictures import IMAGENET_MEAN, IMAGENET_STD
        from avzsl.encoders.frontends.recipes import Recipe, recipe_of

        side = self.sizes["vision_config"]["image_size"]
        if self.options.resize == "videox":
            return Recipe(
                short=int(256 / 224 * side),
                side=side,
                mode="bilinear",
                mean=IMAGENET_MEAN,
                std=IMAGENET_STD,
                antialias=False,
                long_side="nearest",
            )
        usual = Recipe(short=side, side=side, mode="bilinear", mean=IMAGENET_MEAN, std=IMAGENET_STD)
        return recipe_of(self.checkpoint, RECIPE, usual)

    def preprocess(self, frames: Frames) -> Tensor:
        """Return the windows of one clip, [N, T, 3, S, S] bytes."""
        import torch

        bytes_F3SS = self.recipe.bytes_of(frames.rgb, self.device)
        return bytes_F3SS[torch.from_numpy(frames.plan.rows).to(self.device)]

    def encode(self, windows: Tensor) -> Tensor:
        """Return [B, D] float32, rows of unit length."""
        from torch.nn import functional

        with self.arithmetic():
            videos_BD: Tensor = self.network(self.recipe.normalised(windows))
        return functional.normalize(videos_BD.float())
