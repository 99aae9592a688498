"""The vision transformer, with the tensor names of timm, for AudioMAE and DINO.

Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021: square patches become tokens, a
class token goes before them, learned positions are added, and blocks of self-attention and
perceptrons follow, each behind a layer norm. Positions are always those of the checkpoint; a
picture of another size than theirs is refused.

Shapes: B pictures, C channels, H height, W width, T tokens (the class token and the patches, row
by row), P patches, D width, N heads, d width of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from avzsl.encoders.vit_sizes import HEAD, VitSizes

EPSILON = 1e-6
"""Added to the variance in every layer norm."""


class Vit(nn.Module):
    """From pictures to tokens."""

    def __init__(self, sizes: VitSizes) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(sizes)
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, sizes.width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, sizes.tokens, sizes.width))
        self.blocks = nn.ModuleList(Block(sizes) for _ in range(sizes.depth))
        self.add_module(sizes.last_norm, nn.LayerNorm(sizes.width, eps=EPSILON))

    def forward(self, pictures_BCHW: Tensor) -> Tensor:
        """Return the tokens [B, T, D] behind the last block and, if it is ``norm``, the last norm.

        Raises:
            ValueError: If the picture does not have as many patches as there are positions.
        """
        patches_BPD = self.patch_embed(pictures_BCHW)
        if patches_BPD.shape[1] + 1 != self.pos_embed.shape[1]:
            raise ValueError(
                f"The network has positions for {self.pos_embed.shape[1] - 1} patches, "
                f"got pictures of {patches_BPD.shape[1]} ({pictures_BCHW.shape = })."
            )
        class_B1D = self.cls_token.to(patches_BPD.dtype).expand(len(patches_BPD), -1, -1)
        tokens_BTD = torch.cat([class_B1D, patches_BPD], dim=1) + self.pos_embed
        for block in self.blocks:
            tokens_BTD = block(tokens_BTD)
        norm = self._modules.get("norm")
        return tokens_BTD if norm is None else norm(tokens_BTD)

    def pooled_norm(self, pooled: Tensor) -> Tensor:
        """Return vectors [..., D] pooled from tokens behind the last norm, if it is ``fc_norm``."""
        fc_norm = self._modules.get("fc_norm")
        return pooled if fc_norm is None else fc_norm(pooled)


class PatchEmbed(nn.Module):
    """Each patch through one linear map."""

    def __init__(self, sizes: VitSizes) -> None:
        super().__init__()
        self.proj = nn.Conv2d(
            sizes.channels, sizes.width, kernel_size=sizes.patch, stride=sizes.patch
        )

    def forward(self, pictures_BCHW: Tensor) -> Tensor:
        """Return [B, P, D]."""
        patches_BPD: Tensor = self.proj(pictures_BCHW).flatten(2).mT
        return patches_BPD


class Block(nn.Module):
    """Self-attention, then a perceptron, each added to what comes in."""

    def __init__(self, sizes: VitSizes) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(sizes.width, eps=EPSILON)
        self.attn = Attention(sizes)
        self.norm2 = nn.LayerNorm(sizes.width, eps=EPSILON)
        self.mlp = Mlp(sizes)

    def forward(self, tokens_BTD: Tensor) -> Tensor:
        """Return [B, T, D]."""
        tokens_BTD = tokens_BTD + self.attn(self.norm1(tokens_BTD))
        tokens_BTD = tokens_BTD + self.mlp(self.norm2(tokens_BTD))
        return tokens_BTD


class Attention(nn.Module):
    """Self-attention with heads of 64."""

    def __init__(self, sizes: VitSizes) -> None:
        super().__init__()
        self.qkv = nn.Linear(sizes.width, 3 * sizes.width)
        self.proj = nn.Linear(sizes.width, sizes.width)

    def forward(self, tokens_BTD: Tensor) -> Tensor:
        """Return [B, T, D]."""
        qkv_3BNTd = self.qkv(tokens_BTD).unflatten(-1, (3, -1, HEAD)).permute(2, 0, 3, 1, 4)
        mixed_BNTd = functional.scaled_dot_product_attention(*qkv_3BNTd)
        out_BTD: Tensor = self.proj(mixed_BNTd.transpose(1, 2).flatten(2))
        return out_BTD


class Mlp(nn.Module):
    """One hidden layer with the exact GELU."""

    def __init__(self, sizes: VitSizes) -> None:
        super().__init__()
        self.fc1 = nn.Linear(sizes.width, sizes.hidden)
        self.fc2 = nn.Linear(sizes.hidden, sizes.width)

    def forward(self, tokens_BTD: Tensor) -> Tensor:
        """Return [B, T, D]."""
        out_BTD: Tensor = self.fc2(functional.gelu(self.fc1(tokens_BTD)))
        return out_BTD
