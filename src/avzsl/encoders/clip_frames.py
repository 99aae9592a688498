"""``clip-frames``: single frames through the picture half of CLIP.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021.
Code and weights: https://github.com/openai/CLIP, MIT. Trained on 400 million pictures with their
captions. The mean over a clip's frames, of unit length, is the strong and simple baseline of
video retrieval (CLIP4Clip calls it meanP).

*Preprocessing*, the authors': the shorter side to 224 pixels (bicubic with antialiasing, bytes in,
bytes out), the central 224 x 224, values to [0, 1], less CLIP's mean and over its deviation; a
``preprocessor_config.json`` beside the weights overrides these numbers. Frames: one in the middle
of every 1 / 1.6 s, 16 for a clip of 10 s.

*Output*: the projected class token, ``image_embeds`` of ``transformers``, of unit length
(``normalise``); 512 values (base models) or 768 (large) a frame.

*Checkpoints*: the folder of a repository of Hugging Face (``openai/clip-vit-base-patch32``:
``config.json`` and weights), or the tensors of OpenAI's file (``visual.conv1.weight``, ...).
OpenAI's own ``.pt`` files are programs, and are refused with what to do. The half for texts and
``logit_scale`` are left out. Networks with residual convolutions (RN50) are not read.

Shapes: F distinct frames, N windows of a clip, B windows of a batch, S side, D features.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from avzsl.decode.sampling import VideoWindows
from avzsl.encoders.base import EncoderSpec, VisualEncoder, encoders
from avzsl.encoders.clip_checkpoint import (
    CONFIG,
    RECIPE,
    TEXT_HALF,
    VISION_SIZES,
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


@options
class ClipFramesOptions(PretrainedOptions):
    """Options of ``clip-frames``."""

    weights: str = "clip-vit-base-patch32"
    """Published weights by name (clip-vit-base-patch32, clip-vit-base-patch16,
    clip-vit-large-patch14), the path of a file or folder of your own, or ``random``: untrained, to
    try the workflow."""
    frames_per_second: Annotated[float, Field(gt=0, le=60)] = 1.6
    """Frames taken of a second, each a feature vector of its own; 1.6 gives 16 in 10 s."""
    normalise: bool = True
    """Whether a feature vector has unit length, as its comparison with texts needs."""


@encoders.register("clip-frames")
class ClipFrames(Pretrained[dict[str, Any]], VisualEncoder):
    """The projected class token of CLIP's vision transformer, a vector a frame."""

    kind = "clip-frames"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="single frames, picture half of CLIP",
        paper="radford2021clip",
        licence="MIT",
        preprocessing="1.6 frames/s; shorter side 224 (bicubic), central 224 x 224, CLIP's norm",
        output="projected class token of one frame, unit length; 512-d (base) or 768-d (large)",
    )
    sources = ("clip-vit-base-patch32", "clip-vit-base-patch16", "clip-vit-large-patch14")
    published: ClassVar[dict[str, dict[str, Any]]] = {
        "clip-vit-base-patch32": {"projection_dim": 512, "vision_config": VISION_SIZES},
        "clip-vit-base-patch16": {
            "projection_dim": 512,
            "vision_config": VISION_SIZES | {"patch_size": 16},
        },
        "clip-vit-large-patch14": {
            "projection_dim": 768,
            "vision_config": VISION_SIZES
            | {
                "hidden_size": 1024,
                "intermediate_size": 4096,
                "num_hidden_layers": 24,
                "num_attention_heads": 16,
                "patch_size": 14,
            },
        },
    }
    files = (WEIGHTS, CONFIG, RECIPE)
    Options = ClipFramesOptions
    options: ClipFramesOptions

    @property
    def dim(self) -> int:
        """Length D of one feature vector."""
        return int(self.sizes["projection_dim"])

    @property
    def windows(self) -> VideoWindows:
        """One frame in the middle of each step; a clip shorter than a step has one."""
        step = 1 / self.options.frames_per_second
        return VideoWindows(length_seconds=step, hop_seconds=step, frames=1, short="pad")

    def read_sizes(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Return how large the picture half of a checkpoint is.

        Raises:
            ValueError: If the files hold another network.
        """
        return read_config(checkpoint, "vision_config", model_type="clip")

    def build(self, sizes: dict[str, Any]) -> torch.nn.Module:
        """Return the picture half."""
        from avzsl.encoders.networks.clip import ClipPictures

        return ClipPictures(sizes)

    def read_state(self, checkpoint: Checkpoint) -> dict[str, Tensor]:
        """Return the tensors of the picture half under their names on the hub."""
        return read_half(checkpoint, model_type="clip", dropped=TEXT_HALF)

    @functools.cached_property
    def recipe(self) -> Recipe:
        """How pictures are resized, cropped and normalised.

        Raises:
            ValueError: If the network sees pictures of another size than the recipe makes.
        """
        from avzsl.encoders.frontends.pictures import CLIP_MEAN, CLIP_STD
        from avzsl.encoders.frontends.recipes import Recipe, recipe_of

        side = self.sizes["vision_config"]["image_size"]
        usual = Recipe(
            short=side, side=side, mode="bicubic", mean=CLIP_MEAN, std=CLIP_STD, odd_pixel="round"
        )
        return recipe_of(self.checkpoint, RECIPE, usual)

    def preprocess(self, frames: Frames) -> Tensor:
        """Return the windows of one clip, [N, 3, S, S] bytes."""
        import torch

        bytes_F3SS = self.recipe.bytes_of(frames.rgb, self.device)
        return bytes_F3SS[torch.from_numpy(frames.plan.rows[:, 0]).to(self.device)]

    def encode(self, windows: Tensor) -> Tensor:
        """Return [B, D] float32."""
        from torch.nn import functional

        with self.arithmetic():
            embeddings_BD: Tensor = self.network(self.recipe.normalised(windows))
        embeddings_BD = embeddings_BD.float()
        return functional.normalize(embeddings_BD) if self.options.normalise else embeddings_BD
