"""``xclip-text``: class names through the text half of X-CLIP, in the space of ``xclip-video``.

Ni et al., "Expanding Language-Image Pretrained Models for General Video Recognition", ECCV 2022.
Code and weights: https://github.com/microsoft/VideoX, MIT. The text half is CLIP's, trained on with
the labels of Kinetics-400 or -600, whose classes overlap with those that are unseen in UCF101,
ActivityNet and VGGSound: see ``xclip-video`` before you call a result zero-shot.

*Preprocessing*: the words of the class name (``prompts.py``) without a prompt, as the authors have
it, lower-cased, in byte-pair tokens between a start and an end token (``clip_tokens.py``), cut to
77.

*Output*: the projected state at the end token, of unit length, 512 values (base models) or 768
(large). The published model would then adapt it to each video (its prompt generator); a class
embedding cannot depend on a video, so that step is left out.

*Checkpoints*: as for ``xclip-video``; the vocabulary (``vocab.json`` and ``merges.txt``, or
``tokenizer.json``) must lie in the same folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from avzsl.encoders.base import EncoderSpec, encoders
from avzsl.encoders.clip_checkpoint import VISION_HALF
from avzsl.encoders.clip_texts import BASE, LARGE, ClipTexts, ClipTextsOptions
from avzsl.encoders.clip_tokens import Cleaning
from avzsl.options import options


@options
class XclipTextOptions(ClipTextsOptions):
    """Options of ``xclip-text``."""

    weights: str = "xclip-base-patch32"
    """Published weights by name (xclip-base-patch32, xclip-base-patch16, xclip-large-patch14,
    xclip-base-patch16-zero-shot), the path of a file or folder of your own, or ``random``:
    untrained, to try the workflow."""


@encoders.register("xclip-text")
class XclipText(ClipTexts):
    """Class names by X-CLIP, of unit length."""

    kind = "xclip-text"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="class names, text half of X-CLIP (Microsoft), beside xclip-video",
        paper="ni2022xclip",
        licence="MIT",
        preprocessing="words of the name in the prompt, lower-cased, up to 77 byte-pair tokens",
        output="projected state at the end token, unit length; 512-d (base) or 768-d (large)",
    )
    sources = (
        "xclip-base-patch32",
        "xclip-base-patch16",
        "xclip-large-patch14",
        "xclip-base-patch16-zero-shot",
    )
    published: ClassVar[dict[str, dict[str, Any]]] = {
        "xclip-base-patch32": BASE,
        "xclip-base-patch16": BASE,
        "xclip-large-patch14": LARGE,
        "xclip-base-patch16-zero-shot": BASE,
    }
    model_type = "xclip"
    cleaning: ClassVar[Cleaning] = "openai"
    dropped = (*VISION_HALF, r"mit\..+", r"prompts_.+")
    Options = XclipTextOptions
    options: XclipTextOptions

    def encode(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Return [K, D], rows of unit length.

        Raises:
            ValueError: If names hold no word; the message names them.
        """
        vectors_KD = super().encode(names)
        lengths_K1: NDArray[np.float32] = np.linalg.norm(vectors_KD, axis=1, keepdims=True)
        return vectors_KD / lengths_K1
