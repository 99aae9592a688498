"""How large a vision transformer is, read off the shapes of its tensors; imports no torch.

Tensors have timm's names: ``patch_embed.proj``, ``cls_token``, ``pos_embed``, ``blocks.N.*`` and a
last norm, ``norm`` or ``fc_norm``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

HEAD = 64
"""Width of an attention head, in every published size; no tensor's shape tells it."""


@dataclass(frozen=True, kw_only=True)
class VitSizes:
    """Size of a vision transformer (Dosovitskiy et al., ICLR 2021)."""

    width: int
    """Length of a token, a multiple of 64."""
    depth: int
    """Number of blocks."""
    hidden: int
    """Width of the layer within a block's perceptron."""
    patch: int
    """Side of a square patch, in pixels."""
    channels: int
    """Channels of the picture."""
    tokens: int
    """Patches of the picture, and one for the class token."""
    last_norm: Literal["norm", "fc_norm"] = "norm"
    """Name of the last norm, and what it acts on: ``norm`` on every token, ``fc_norm`` on the
    vector that tokens are pooled into."""


def read_vit_sizes(tensors: Mapping[str, Tensor]) -> VitSizes:
    """Return the sizes of the network that the tensors, on any device, belong to.

    Raises:
        ValueError: If they are not those of a vision transformer with heads of 64.
    """
    from avzsl.encoders.states import depth_of

    needed = ("patch_embed.proj.weight", "pos_embed", "blocks.0.mlp.fc1.weight")
    missing = [name for name in needed if name not in tensors]
    if missing:
        raise ValueError(
            f"The checkpoint is no vision transformer's: there is no {', '.join(missing)}."
        )
    width, channels, patch, _ = tensors["patch_embed.proj.weight"].shape
    if width % HEAD:
        raise ValueError(
            f"The checkpoint's tokens have a length of {width}; expected a multiple of {HEAD}, "
            "the width of an attention head."
        )
    return VitSizes(
        width=width,
        depth=depth_of(tensors, r"blocks\.(\d+)\."),
        hidden=len(tensors["blocks.0.mlp.fc1.weight"]),
        patch=patch,
        channels=channels,
        tokens=tensors["pos_embed"].shape[1],
        last_norm="fc_norm" if "fc_norm.weight" in tensors else "norm",
    )
