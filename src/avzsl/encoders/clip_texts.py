"""What the text halves of CLIP and of X-CLIP share: they are the same network.

The words of a class name (``prompts.py``) are put into the prompt and cut into byte-pair tokens
between a start and an end token (``clip_tokens.py``), at most 77 in all; what is too long loses its
last words. The network reads the text out at its end token and projects it into the space that it
shares with pictures.

Shapes: K names, B names at a time, L tokens, D features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from avzsl.encoders.base import TextEncoder
from avzsl.encoders.clip_checkpoint import (
    CONFIG,
    TEXT_SIZES,
    VISION_HALF,
    WEIGHTS,
    read_config,
    read_half,
)
from avzsl.encoders.clip_tokens import TOKENIZER_FILES, Cleaning, ClipTokenizer, read_tokenizer
from avzsl.encoders.pretrained import Pretrained, PretrainedOptions
from avzsl.encoders.prompts import check_prompt, prompted
from avzsl.options import options
from avzsl.sources.checkpoint import Checkpoint

if TYPE_CHECKING:
    import torch
    from torch import Tensor

TEXTS_AT_ONCE = 64

BASE: dict[str, Any] = {"projection_dim": 512, "text_config": TEXT_SIZES}
"""Of the models with ViT-B."""
LARGE: dict[str, Any] = {
    "projection_dim": 768,
    "text_config": TEXT_SIZES
    | {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12},
}
"""Of the models with ViT-L."""


@options
class ClipTextsOptions(PretrainedOptions):
    """Options of every text half."""

    prompt: str = "{}"
    """The text that is embedded; ``{}`` stands for the words of the class name. An example is
    ``a video of {}.``"""


class ClipTexts(Pretrained[dict[str, Any]], TextEncoder):
    """A text half; a subclass says of which model, and what else its checkpoints hold."""

    files = (WEIGHTS, CONFIG, *TOKENIZER_FILES)
    model_type: ClassVar[str]
    """Of ``config.json``."""
    cleaning: ClassVar[Cleaning]
    """Whose rules prepare a text for the tokenizer."""
    dropped: ClassVar[tuple[str, ...]] = VISION_HALF
    """Hub names of the tensors that are not the text half's, as regular expressions."""
    tokenizer: ClipTokenizer
    """There after ``load``."""

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        check_prompt(self.options.prompt)

    @property
    def dim(self) -> int:
        """Length D of one feature vector."""
        return int(self.sizes["projection_dim"])

    def read_sizes(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Return how large the text half of a checkpoint is.

        Raises:
            ValueError: If the files hold another network.
        """
        return read_config(checkpoint, "text_config", model_type=self.model_type)

    def build(self, sizes: dict[str, Any]) -> torch.nn.Module:
        """Return the text half."""
        from avzsl.encoders.networks.clip import ClipTexts as Network

        return Network(sizes)

    def read_state(self, checkpoint: Checkpoint) -> dict[str, Tensor]:
        """Return the tensors of the text half under their names on the hub."""
        return read_half(checkpoint, model_type=self.model_type, dropped=self.dropped)

    def load(self, device: torch.device) -> None:
        """Put the network onto ``device`` and read the vocabulary.

        Raises:
            MissingWeightsError: If the files are not on disk.
            ValueError: If they hold something else.
        """
        super().load(device)
        self.tokenizer = self._read_tokenizer()

    def encode(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Return [K, D], a vector per class name.

        Raises:
            ValueError: If names hold no word; the message names them.
        """
        return self.embed(prompted(names, self.options.prompt))

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return [K, D], a vector per text as it is, without a prompt."""
        import torch

        parts = []
        for begin in range(0, len(texts), TEXTS_AT_ONCE):
            tokens_BL = torch.from_numpy(self.tokens(texts[begin : begin + TEXTS_AT_ONCE]))
            with torch.inference_mode(), self.arithmetic():
                parts.append(self.network(tokens_BL.to(self.device)).float().cpu())
        return torch.cat(parts).numpy()

    def tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the ids [B, L] of the tokens."""
        places = int(self.sizes["text_config"]["max_position_embeddings"])
        return self.tokenizer(texts, length=places, cleaning=self.cleaning)

    def _read_tokenizer(self) -> ClipTokenizer:
        """Return the tokenizer of the checkpoint; with an untrained network each byte is a token.

        Raises:
            ValueError: If the vocabulary is another network's.
        """
        rows = int(self.sizes["text_config"]["vocab_size"])
        if self.checkpoint is None:
            return ClipTokenizer.of_merges([], size=rows)
        files = [path for name in TOKENIZER_FILES for path in self.checkpoint.files.get(name, ())]
        tokenizer = read_tokenizer(tuple(files))
        highest = tokenizer(["a"]).max()  # the end token stands in every text
        if highest != tokenizer.size - 1 or tokenizer.size > rows:
            raise ValueError(
                f"{self.checkpoint.label}: expected a vocabulary of at most {rows} tokens whose "
                f"last is the end token, got {tokenizer.size} tokens with the end token at "
                f"{highest} in {files[0].name}. It may be another model's."
            )
        return tokenizer
