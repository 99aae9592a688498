"""``clip-text``: class names through the text half of CLIP.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021.
Code and weights: https://github.com/openai/CLIP, MIT. Trained on 400 million pictures with their
captions. Knowledge-aware distribution adaptation (KDA, for audio-visual zero-shot learning) embeds
its class names and descriptions with it.

*Preprocessing*: the words of the class name (``prompts.py``) in the prompt, which is empty but for
them, lower-cased, in byte-pair tokens between a start and an end token (``clip_tokens.py``), cut to
77. KDA does not cut, and fails on a longer text.

*Output*: the projected state at the end token, ``text_embeds`` of ``transformers``; 512 values
(base models) or 768 (large). Not normalised, as KDA takes it; class embedding may normalise.

*Checkpoints*: the folder of a repository of Hugging Face (``openai/clip-vit-base-patch32``:
``config.json``, weights, ``vocab.json`` and ``merges.txt``), or the tensors of OpenAI's file
(``token_embedding.weight``, ``transformer.resblocks.*``, ...) with the two vocabulary files beside
it. OpenAI's own ``.pt`` files are programs, and are refused with what to do. The half for pictures
and ``logit_scale`` are left out.
"""

from __future__ import annotations

from typing import Any, ClassVar

from avzsl.encoders.base import EncoderSpec, encoders
from avzsl.encoders.clip_texts import BASE, LARGE, ClipTexts, ClipTextsOptions
from avzsl.encoders.clip_tokens import Cleaning
from avzsl.options import options


@options
class ClipTextOptions(ClipTextsOptions):
    """Options of ``clip-text``."""

    weights: str = "clip-vit-base-patch32"
    """Published weights by name (clip-vit-base-patch32, clip-vit-base-patch16,
    clip-vit-large-patch14), the path of a file or folder of your own, or ``random``: untrained, to
    try the workflow."""


@encoders.register("clip-text")
class ClipText(ClipTexts):
    """Class names by CLIP, not normalised."""

    kind = "clip-text"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="class names, text half of CLIP (as KDA uses it)",
        paper="radford2021clip",
        licence="MIT",
        preprocessing="words of the name in the prompt, lower-cased, up to 77 byte-pair tokens",
        output="projected state at the end token, not normalised; 512-d (base) or 768-d (large)",
    )
    sources = ("clip-vit-base-patch32", "clip-vit-base-patch16", "clip-vit-large-patch14")
    published: ClassVar[dict[str, dict[str, Any]]] = {
        "clip-vit-base-patch32": BASE,
        "clip-vit-base-patch16": BASE,
        "clip-vit-large-patch14": LARGE,
    }
    model_type = "clip"
    cleaning: ClassVar[Cleaning] = "hub"
    Options = ClipTextOptions
    options: ClipTextOptions
