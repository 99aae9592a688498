"""What AVCA shares with the methods that stand beside it in its repository.

Mercea et al., "Audio-visual Generalised Zero-shot Learning with Cross-modal Attention and
Language", CVPR 2022 (arXiv:2203.03598). Linear layers keep the bias that a batch normalisation
after them cancels, so that released weights load as they are.

Shapes: B clips, K classes; T tokens of a sequence; C width of a token; H heads of E dimensions;
D size of an embedding.
"""

from __future__ import annotations

import functools
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.methods import blocks
from avzsl.methods.base import Batch, Training
from avzsl.methods.blocks import Count as Count
from avzsl.methods.blocks import Share as Share

Margin = Annotated[float, Field(ge=0)]

TRAINING = Training(
    learning_rate=1e-3,
    batch_size=256,
    epochs=50,
    steps_per_epoch=500,
    sampling="class-balanced",
    schedule="plateau",
    patience=3,
)
"""How the repository of AVCA fits every method but AVCA itself, which adds weight decay."""


EmbNet = functools.partial(blocks.EmbNet, bias=True)
"""With the biases that the released networks have, though batch normalisation cancels them."""


class HiddenNet(nn.Sequential):
    """Linear, batch normalisation, ReLU, dropout, linear, and a ReLU where ``final_relu``."""

    def __init__(
        self, dim_in: int, dim_out: int, *, hidden: int, dropout: float, final_relu: bool = False
    ) -> None:
        super().__init__(
            nn.Linear(dim_in, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, dim_out),
            *([nn.ReLU()] if final_relu else []),
        )


class TransformerLayer(nn.Module):
    """A pre-norm transformer layer: self-attention, then a feed-forward network."""

    def __init__(
        self, width: int, *, heads: int, head_dim: int, feedforward: int, dropout: float
    ) -> None:
        super().__init__()
        inner = heads * head_dim
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * inner, bias=False)
        self.out = nn.Sequential(nn.Linear(inner, width), nn.Dropout(dropout))
        self.feedforward_norm = nn.LayerNorm(width)
        self.feedforward = nn.Sequential(
            nn.Linear(width, feedforward),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(feedforward, width),
            nn.Dropout(dropout),
        )

    def forward(self, tokens_BTC: Tensor) -> Tensor:
        """Return the tokens [B, T, C] after the layer; every token attends to all."""
        qkv = self.query_key_value(self.attention_norm(tokens_BTC)).chunk(3, dim=2)
        q_BHTE, k_BHTE, v_BHTE = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in qkv
        )
        mixed_BHTE = F.scaled_dot_product_attention(q_BHTE, k_BHTE, v_BHTE)
        tokens_BTC = tokens_BTC + self.out(mixed_BHTE.transpose(1, 2).flatten(2))
        after_BTC: Tensor = tokens_BTC + self.feedforward(self.feedforward_norm(tokens_BTC))
        return after_BTC


def distances(clips_BD: Tensor, classes_KD: Tensor) -> Tensor:
    """Return the Euclidean distance of every clip to every class, [B, K].

    By differences, not by the faster products: those lose half of the digits where a distance is
    small beside the lengths, and depend on the number of rows.
    """
    return torch.cdist(clips_BD, classes_KD, compute_mode="donot_use_mm_for_euclid_dist")


def negatives_of(batch: Batch) -> Batch:
    """Return the clips of other classes that come with a training batch."""
    assert batch.negatives is not None, "the method declares needs_negatives"
    return batch.negatives
