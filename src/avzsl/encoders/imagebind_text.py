"""``imagebind-text``: class names in the joint space of ImageBind, 1024 values.

Girdhar et al., "ImageBind: One Embedding Space To Bind Them All", CVPR 2023. The text tower of
OpenCLIP ViT-H (354 M parameters), kept frozen while the towers of other modalities were trained.

Preprocessing: the class name as it is (``prompt`` puts words around it), lower case, CLIP's byte
pairs (``clip_tokens.py``), 77 places. The vocabulary, ``bpe_simple_vocab_16e6.txt.gz`` of OpenAI's
CLIP (MIT), lies beside the checkpoint; ``vocab.json`` and ``merges.txt`` do as well. With random
weights there is no vocabulary, and names are spelled letter by letter.

Output: a vector of unit length. The published one is longer by a learned factor, the same for all
texts.

Shapes: K names, D features.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from avzsl.encoders.base import EncoderSpec, TextEncoder, encoders
from avzsl.encoders.clip_tokens import TOKENIZER_FILES, ClipTokenizer, read_tokenizer
from avzsl.encoders.imagebind import CHECKPOINT_FILES, LICENCE, PAPER, ImageBind, TowerSizes
from avzsl.encoders.pretrained import PretrainedOptions
from avzsl.options import options

_log = logging.getLogger(__name__)


@options
class ImageBindTextOptions(PretrainedOptions):
    """Options of ``imagebind-text``."""

    weights: str = "imagebind-huge"
    """Published weights by name (see: avzsl show encoder), the path of a file or folder of your
    own, or ``random``: untrained, to try the workflow."""
    prompt: Annotated[str, Field(pattern=r"\{\}")] = "{}"
    """What is embedded; ``{}`` stands for the class name."""


@encoders.register("imagebind-text")
class ImageBindText(ImageBind, TextEncoder):
    """The text tower of ImageBind."""

    kind = "imagebind-text"
    tower = "text"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="ImageBind, text: a space shared with pictures and sound",
        paper=PAPER,
        licence=LICENCE,
        preprocessing="the class name, lower case, CLIP's byte pairs, 77 places",
        output="a unit vector: what the end token holds, projected",
    )
    files = (CHECKPOINT_FILES, *TOKENIZER_FILES)
    published: ClassVar[dict[str, TowerSizes]] = {
        "imagebind-huge": TowerSizes(
            tower="text",
            width=1024,
            layers=24,
            heads=16,
            out=1024,
            places=77,
            vocabulary=49_408,
        )
    }
    Options = ImageBindTextOptions
    options: ImageBindTextOptions

    def encode(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Return [K, D], rows of unit length.

        Raises:
            ValueError: If a name holds no token.
        """
        import torch

        prompts = [self.options.prompt.replace("{}", name) for name in names]
        tokenizer = self.tokenizer()
        ids_KL = tokenizer(prompts, length=self.sizes.places)
        lengths_K = ids_KL.argmax(1) + 1
        empty = [name for name, length in zip(names, lengths_K, strict=True) if length < 3]
        if empty:
            raise ValueError(f"{self.kind}: no text in {', '.join(map(repr, empty))}.")
        longest = int(lengths_K.max(initial=0))
        full = [name for name, length in zip(names, lengths_K, strict=True) if length == longest]
        if longest == self.sizes.places:
            _log.warning("%s: %d tokens at most are read of %r", self.kind, longest, full[0])
        # Later tokens do not act on earlier ones: what no text reaches need not be computed.
        ids_KT = torch.from_numpy(ids_KL[:, :longest]).to(self.device)
        with torch.inference_mode():
            vectors_KD: NDArray[np.float32] = self.unit_vectors(ids_KT).cpu().numpy()
        return vectors_KD

    def tokenizer(self) -> ClipTokenizer:
        """Return what turns text into tokens; with random weights one that spells.

        Raises:
            ValueError: If it has another vocabulary than the checkpoint.
        """
        if self.checkpoint is None:
            return ClipTokenizer.of_merges([], size=self.sizes.vocabulary)
        tokenizer = read_tokenizer(
            tuple(
                path
                for pattern in TOKENIZER_FILES
                for path in self.checkpoint.files.get(pattern, ())
            )
        )
        if tokenizer.size != self.sizes.vocabulary:
            raise ValueError(
                f"{self.kind}: the vocabulary has {tokenizer.size} tokens, the checkpoint "
                f"{self.sizes.vocabulary}; they do not belong together."
            )
        return tokenizer
