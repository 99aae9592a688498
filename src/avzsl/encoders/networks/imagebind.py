"""One tower of ImageBind: a transformer on the patches of pictures or spectrograms, or on words.

Girdhar et al., "ImageBind: One Embedding Space To Bind Them All", CVPR 2023. Written from the
published description and the names and shapes in the checkpoint. Three things set it apart from
a usual vision transformer: the attention of the sound tower also sees one learned key and value
that no token made, the picture tower has a norm before its first block, and its patches reach over
two pictures. Norms have an epsilon of 1e-6, but for the stem's of the sound tower (1e-5).

Modules are called as in the checkpoint below the name of the modality.

Shapes: B views, T tokens, D width, O output, H and W sides, C colours, f pictures of a view, M mel
bands, L steps of 10 ms, N patches.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from avzsl.encoders.imagebind import AUDIO_STRIDE, PICTURES, TowerSizes

EPSILON = 1e-6
HIDDEN = 4
"""Width of the hidden layer of a block, in widths of the block."""


class Attention(nn.Module):
    """Self-attention; ``extra`` adds one learned key and value, ``causal`` hides later tokens."""

    def __init__(self, width: int, heads: int, *, extra: bool, causal: bool) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.in_proj_weight = nn.Parameter(_normal(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        self.bias_k = nn.Parameter(_normal(1, 1, width)) if extra else None
        self.bias_v = nn.Parameter(_normal(1, 1, width)) if extra else None

    def forward(self, tokens_BTD: Tensor) -> Tensor:
        """Return [B, T, D]."""
        joint = functional.linear(tokens_BTD, self.in_proj_weight, self.in_proj_bias)
        query, key, value = joint.chunk(3, dim=-1)
        if self.bias_k is not None and self.bias_v is not None:
            rows = (len(key), 1, -1)
            key = torch.cat([key, self.bias_k.to(key.dtype).expand(rows)], dim=1)
            value = torch.cat([value, self.bias_v.to(value.dtype).expand(rows)], dim=1)
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (query, key, value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        projected: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return projected


class Mlp(nn.Module):
    """Two layers with a GELU between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, HIDDEN * width)
        self.fc2 = nn.Linear(HIDDEN * width, width)

    def forward(self, tokens_BTD: Tensor) -> Tensor:
        """Return [B, T, D]."""
        out_BTD: Tensor = self.fc2(functional.gelu(self.fc1(tokens_BTD)))
        return out_BTD


class Block(nn.Module):
    """Attention and a small network, each behind a norm and beside a shortcut."""

    def __init__(self, width: int, heads: int, *, extra: bool, causal: bool) -> None:
        super().__init__()
        self.attn = Attention(width, heads, extra=extra, causal=causal)
        self.norm_1 = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = Mlp(width)
        self.norm_2 = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, tokens_BTD: Tensor) -> Tensor:
        """Return [B, T, D]."""
        tokens_BTD = tokens_BTD + self.attn(self.norm_1(tokens_BTD))
        out_BTD: Tensor = tokens_BTD + self.mlp(self.norm_2(tokens_BTD))
        return out_BTD


class Trunk(nn.Module):
    """All blocks of a tower."""

    def __init__(self, sizes: TowerSizes) -> None:
        super().__init__()
        norms = [nn.LayerNorm(sizes.width, eps=EPSILON)] if sizes.tower == "vision" else []
        self.pre_transformer_layer = nn.Sequential(*norms)
        kind = {"extra": sizes.tower == "audio", "causal": sizes.tower == "text"}
        self.blocks = nn.Sequential(
            *(Block(sizes.width, sizes.heads, **kind) for _ in range(sizes.layers))
        )

    def forward(self, tokens_BTD: Tensor) -> Tensor:
        """Return [B, T, D]."""
        out_BTD: Tensor = self.blocks(self.pre_transformer_layer(tokens_BTD))
        return out_BTD


class PictureStem(nn.Module):
    """Patches that reach over both pictures of a view: [B, C, f, H, W] to [B, N, D]."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        kernel = (PICTURES, patch, patch)
        conv = nn.Conv3d(3, width, kernel, stride=kernel, bias=False)
        self.patch = patch
        self.proj = nn.Sequential(nn.Identity(), conv)  # the checkpoint counts from 1

    def forward(self, views_BCfHW: Tensor) -> Tensor:
        """Return [B, N, D]; a convolution in the plane, since the kernel spans all pictures."""
        kernel_DCfpp = self.get_parameter("proj.1.weight")
        patches_BDhw = functional.conv2d(
            views_BCfHW.flatten(1, 2), kernel_DCfpp.flatten(1, 2), stride=self.patch
        )
        return patches_BDhw.flatten(2).mT


class SoundStem(nn.Module):
    """Overlapping patches of a spectrogram, each normed: [B, M, L] to [B, N, D]."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(1, width, patch, stride=AUDIO_STRIDE, bias=False)
        self.norm_layer = nn.LayerNorm(width)

    def forward(self, views_BML: Tensor) -> Tensor:
        """Return [B, N, D]."""
        patches_BND: Tensor = self.norm_layer(self.proj(views_BML[:, None]).flatten(2).mT)
        return patches_BND


class Positions(nn.Module):
    """One learned vector for each place."""

    def __init__(self, places: int, width: int) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(_normal(1, places, width))


class Patches(nn.Module):
    """Tokens of pictures or sound: a class token, then the patches, each with its place."""

    def __init__(self, sizes: TowerSizes) -> None:
        super().__init__()
        stem = PictureStem if sizes.tower == "vision" else SoundStem
        self.cls_token = nn.Parameter(_normal(1, 1, sizes.width))
        self.rgbt_stem = stem(sizes.width, sizes.patch)
        self.pos_embedding_helper = Positions(sizes.places, sizes.width)

    def forward(self, views: Tensor) -> Tensor:
        """Return [B, T, D], T = 1 + N."""
        patches_BND = self.rgbt_stem(views)
        first_B1D = self.cls_token.expand(len(patches_BND), -1, -1)
        tokens_BTD = torch.cat([first_B1D, patches_BND.to(first_B1D.dtype)], dim=1)
        return tokens_BTD + self.pos_embedding_helper.pos_embed


class Words(nn.Module):
    """Tokens of text, each with its place."""

    def __init__(self, sizes: TowerSizes) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(sizes.vocabulary, sizes.width)
        self.pos_embed = nn.Parameter(_normal(1, sizes.places, sizes.width))

    def forward(self, ids_BT: Tensor) -> Tensor:
        """Return [B, T, D] for at most as many tokens as there are places."""
        tokens_BTD: Tensor = self.token_embedding(ids_BT)
        return tokens_BTD + self.pos_embed[:, : ids_BT.shape[1]]


class Tower(nn.Module):
    """The network of one modality; what comes out is neither of unit length nor scaled."""

    def __init__(self, sizes: TowerSizes) -> None:
        super().__init__()
        self.preprocessor = Patches(sizes)
        self.trunk = Trunk(sizes)
        norm = nn.LayerNorm(sizes.width, eps=EPSILON)
        project = nn.Linear(sizes.width, sizes.out, bias=False)
        self.head = nn.Sequential(norm, nn.Identity(), project)

    def forward(self, views: Tensor) -> Tensor:
        """Return [B, O] for pictures [B, C, f, H, W] or spectrograms [B, M, L]."""
        tokens_BTD = self.trunk(self.preprocessor(views))
        out_BO: Tensor = self.head(tokens_BTD[:, 0])
        return out_BO


class TextHead(nn.Module):
    """Norm and projection, called as in the checkpoint."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        norm = nn.LayerNorm(width, eps=EPSILON)
        self.proj = nn.Sequential(norm, nn.Linear(width, out, bias=False))

    def forward(self, token_BD: Tensor) -> Tensor:
        """Return [B, O]."""
        out_BO: Tensor = self.proj(token_BD)
        return out_BO


class TextTower(nn.Module):
    """The network of text; a text is what its end token, the one with the highest id, holds."""

    def __init__(self, sizes: TowerSizes) -> None:
        super().__init__()
        self.preprocessor = Words(sizes)
        self.trunk = Trunk(sizes)
        self.head = TextHead(sizes.width, sizes.out)

    def forward(self, ids_BT: Tensor) -> Tensor:
        """Return [B, O] for token ids; what follows the end token does not matter."""
        tokens_BTD = self.trunk(self.preprocessor(ids_BT))
        ends_B = ids_BT.argmax(dim=1)
        rows_B = torch.arange(len(ids_BT), device=ids_BT.device)
        out_BO: Tensor = self.head(tokens_BTD[rows_B, ends_B])
        return out_BO


def build_tower(sizes: TowerSizes) -> nn.Module:
    """Return the untrained network of a modality."""
    return TextTower(sizes) if sizes.tower == "text" else Tower(sizes)


def _normal(*shape: int) -> Tensor:
    return torch.randn(shape) * 0.02
