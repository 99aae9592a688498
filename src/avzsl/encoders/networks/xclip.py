"""X-CLIP's half for videos, of the parts that ``transformers`` builds, under the names of the hub.

Shapes: B videos, T frames, S side, D features.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from avzsl.encoders.networks.clip import EMPTY, place_positions


class XclipVideos(nn.Module):
    """Frames that exchange messages, and a transformer over their embeddings.

    The prompt generator of the published model, which adapts the embedding of a *text* to a video,
    has no part in the embedding of a video.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        from transformers import XCLIPConfig, XCLIPModel

        super().__init__()
        whole = XCLIPModel(XCLIPConfig(**config | {"text_config": EMPTY, "prompt_layers": 0}))
        self.vision_model = whole.vision_model
        self.visual_projection = whole.visual_projection
        self.mit = whole.mit
        place_positions(self)

    def forward(self, videos_BT3SS: Tensor) -> Tensor:
        """Return [B, D], not normalised; T must be that of the configuration."""
        frames_C3SS = videos_BT3SS.flatten(0, 1)
        frames_CD = self.visual_projection(
            self.vision_model(pixel_values=frames_C3SS).pooler_output
        )
        videos_BD: Tensor = self.mit(frames_CD.unflatten(0, videos_BT3SS.shape[:2])).pooler_output
        return videos_BD
