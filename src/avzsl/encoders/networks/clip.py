"""The two halves of CLIP as ``transformers`` builds them, under the names of the hub.

Shapes: B samples, L tokens, S side, D features.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

EMPTY = {"num_hidden_layers": 0, "hidden_size": 64, "num_attention_heads": 1}
"""A half that is not needed, as small as it can be built."""

END_IS_HIGHEST = 2
"""The ``eos_token_id`` for which ``transformers`` reads a text out where its token's id is highest.
So do the authors' implementations, whatever the end's id is."""


class ClipTexts(nn.Module):
    """Token ids to embeddings: a causal transformer, read out at the end token, projected."""

    def __init__(self, config: dict[str, Any]) -> None:
        from transformers import CLIPConfig, CLIPModel

        super().__init__()
        text = config["text_config"] | {"eos_token_id": END_IS_HIGHEST, "bos_token_id": 0}
        whole = CLIPModel(CLIPConfig(**config | {"text_config": text, "vision_config": EMPTY}))
        self.text_model = whole.text_model
        self.text_projection = whole.text_projection
        place_positions(self)

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """Return [B, D], not normalised; the end token has the highest id."""
        embeddings_BD: Tensor = self.text_projection(
            self.text_model(input_ids=tokens_BL).pooler_output
        )
        return embeddings_BD


class ClipPictures(nn.Module):
    """Pictures to embeddings: a vision transformer, its class token projected."""

    def __init__(self, config: dict[str, Any]) -> None:
        from transformers import CLIPConfig, CLIPModel

        super().__init__()
        whole = CLIPModel(CLIPConfig(**config | {"text_config": EMPTY}))
        self.vision_model = whole.vision_model
        self.visual_projection = whole.visual_projection
        place_positions(self)

    def forward(self, pictures_B3SS: Tensor) -> Tensor:
        """Return [B, D], not normalised."""
        embeddings_BD: Tensor = self.visual_projection(
            self.vision_model(pixel_values=pictures_B3SS).pooler_output
        )
        return embeddings_BD


def place_positions(network: nn.Module) -> None:
    """Give the position ids their values, which no checkpoint holds, on the meta device, too."""
    for module in network.modules():
        if isinstance(positions := getattr(module, "position_ids", None), Tensor):
            module.position_ids = torch.arange(positions.shape[-1], device="cpu")[None]
