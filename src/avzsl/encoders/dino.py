r"""``dino``: single frames through a vision transformer that was trained without labels.

Caron et al., "Emerging Properties in Self-Supervised Vision Transformers", ICCV 2021. Code and
weights: https://github.com/facebookresearch/dino, Apache-2.0. Trained on ImageNet-1k.

*Preprocessing*, that of the authors' nearest-neighbour evaluation: the shorter side to 256 pixels
(bicubic with antialiasing, bytes in, bytes out), the central 224 x 224, values to [0, 1], less
ImageNet's mean and over its deviation. Frames: one in the middle of every 1 / 1.6 s, 16 for a clip
of 10 s.

*Output*: the class token behind the last norm, 768 values (ViT-B) or 384 (ViT-S) a frame.

*Checkpoints*: tensors under the names of the authors and of timm, which are the same; a full
training checkpoint of the authors (its teacher is taken); or those of ``facebook/dino-*`` on
Hugging Face. There ``config.json`` says ``layer_norm_eps`` 1e-12; the network was trained with 1e-6
and runs with it here.

Shapes: F distinct frames, N windows of a clip, B windows of a batch, H height, W width, T tokens,
D features; S = 224.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from avzsl.decode.sampling import VideoWindows
from avzsl.encoders.base import EncoderSpec, VisualEncoder, encoders
from avzsl.encoders.pretrained import Pretrained, PretrainedOptions
from avzsl.encoders.vit_sizes import VitSizes, read_vit_sizes
from avzsl.options import options
from avzsl.sources.checkpoint import Checkpoint
from avzsl.types import Frames

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SHORT_SIDE = 256
SIDE = 224
PICTURES_AT_ONCE = 32
"""Pictures resized at a time: bounds the memory at 90 MB of bytes for 720p."""

RULES = (
    (r"^(?:module\.)?backbone\.", ""),
    (r"^embeddings\.cls_token$", "cls_token"),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^encoder\.layer\.", "blocks."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.attention\.attention\.", ".attn."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"^(blocks\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
    (r"^layernorm\.", "norm."),
)
"""From the names of a training checkpoint and of Hugging Face to timm's; timm's stay."""
DROPPED = (r"(?:module\.)?head\..+", r"pooler\.dense\.(?:weight|bias)")
"""The head of the training task; a pooler that was never trained."""


@options
class DinoOptions(PretrainedOptions):
    """Options of ``dino``."""

    weights: str = "dino-vitb16"
    """Published weights by name (dino-vitb16, dino-vits16, dino-vitb8, dino-vits8), the path of a
    file or folder of your own, or ``random``: untrained, to try the workflow."""
    frames_per_second: Annotated[float, Field(gt=0, le=60)] = 1.6
    """Frames taken of a second, each a feature vector of its own; 1.6 gives 16 in 10 s."""


def _sizes(width: int, patch: int) -> VitSizes:
    return VitSizes(
        width=width,
        depth=12,
        hidden=4 * width,
        patch=patch,
        channels=3,
        tokens=1 + (SIDE // patch) ** 2,
    )


@encoders.register("dino")
class Dino(Pretrained[VitSizes], VisualEncoder):
    """The class token of a self-supervised vision transformer, a vector a frame."""

    kind = "dino"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="single frames, self-supervised vision transformer (DINO)",
        paper="caron2021dino",
        licence="Apache-2.0",
        preprocessing="1.6 frames/s; shorter side 256 (bicubic), central 224 x 224, ImageNet norm",
        output="class token of one frame behind the last norm; 768-d (ViT-B) or 384-d (ViT-S)",
    )
    sources = ("dino-vitb16", "dino-vits16", "dino-vitb8", "dino-vits8")
    published: ClassVar[dict[str, VitSizes]] = {
        "dino-vitb16": _sizes(768, 16),
        "dino-vits16": _sizes(384, 16),
        "dino-vitb8": _sizes(768, 8),
        "dino-vits8": _sizes(384, 8),
    }
    Options = DinoOptions
    options: DinoOptions

    @property
    def dim(self) -> int:
        """Length D of one feature vector."""
        return self.sizes.width

    @property
    def windows(self) -> VideoWindows:
        """One frame in the middle of each step; a clip shorter than a step has one."""
        step = 1 / self.options.frames_per_second
        return VideoWindows(length_seconds=step, hop_seconds=step, frames=1, short="pad")

    def read_sizes(self, checkpoint: Checkpoint) -> VitSizes:
        """Return how large the network of a checkpoint is.

        Raises:
            ValueError: If the file holds no vision transformer for RGB pictures of 224 x 224.
        """
        sizes = read_vit_sizes(_read(checkpoint, shapes_only=True))
        expected = 1 + (SIDE // sizes.patch) ** 2
        if sizes.channels != 3 or sizes.tokens != expected:
            raise ValueError(
                f"{checkpoint.label}: expected a network for 3 x {SIDE} x {SIDE} pixels, of "
                f"{expected} tokens with its patches of {sizes.patch}; the file has "
                f"{sizes.channels} channels and {sizes.tokens} tokens."
            )
        return sizes

    def build(self, sizes: VitSizes) -> torch.nn.Module:
        """Return the transformer."""
        from avzsl.encoders.networks.vit import Vit

        return Vit(sizes)

    def read_state(self, checkpoint: Checkpoint) -> dict[str, Tensor]:
        """Return the tensors of a checkpoint under timm's names."""
        return _read(checkpoint)

    def preprocess(self, frames: Frames) -> Tensor:
        """Return the windows of one clip, [N, 3, S, S] bytes."""
        import torch

        from avzsl.encoders.frontends.pictures import (
            centre_crop,
            resize,
            short_side_size,
            to_device,
        )

        _, height, width, _ = frames.rgb.shape
        size = short_side_size(height, width, SHORT_SIDE)
        small = [
            centre_crop(
                resize(to_device(some_FHW3, self.device), size, mode="bicubic", antialias=True),
                SIDE,
            )
            for some_FHW3 in torch.from_numpy(frames.rgb).split(PICTURES_AT_ONCE)
        ]
        return torch.cat(small)[torch.from_numpy(frames.plan.rows[:, 0]).to(self.device)]

    def encode(self, windows: Tensor) -> Tensor:
        """Return [B, D] float32."""
        from avzsl.encoders.frontends.pictures import IMAGENET_MEAN, IMAGENET_STD, normalise

        pictures_B3SS = normalise(windows.float() / 255, IMAGENET_MEAN, IMAGENET_STD)
        with self.arithmetic():
            tokens_BTD: Tensor = self.network(pictures_B3SS)
        return tokens_BTD[:, 0].float()


def _read(checkpoint: Checkpoint, *, shapes_only: bool = False) -> dict[str, Tensor]:
    """Return the tensors of any of the layouts under timm's names."""
    from avzsl.encoders.states import read_tensors, renamed

    tensors = read_tensors(
        checkpoint.file(Dino.files[0]), wrapped_in=("teacher",), shapes_only=shapes_only
    )
    return _fused(renamed(tensors, RULES, dropped=DROPPED))


def _fused(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with query, key and value of a block in one, as timm has them."""
    import torch

    made = dict(tensors)
    for name in [name for name in tensors if ".attn.query." in name]:
        parts = [name.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
        if all(part in tensors for part in parts):
            fused = torch.cat([made.pop(part) for part in parts])
            made[name.replace(".query.", ".qkv.")] = fused
    return made
