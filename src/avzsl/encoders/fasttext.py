"""``fasttext``: the fastText vector of a class name, which any name has.

Bojanowski et al., "Enriching Word Vectors with Subword Information", TACL 2017. Weights:
https://fasttext.cc/docs/en/pretrained-vectors.html, Wikipedia in English, CC BY-SA 3.0. The vector
of a text is the mean of those of its character n-grams and, if it is a word of the file, its own.

*Names* are taken whole, with their spaces, as AVCA, TCaF and KDA do: with ``text: as-is`` the same
name gives the vector of ``class-vectors`` to rounding. Capital letters count: the text of these
weights was in small letters, so that a name with a capital has the mean of its n-grams alone.

*Output*: 300 values, brought to unit length.

*Files*: a model of fastText (``.bin``); it stays on disk, and only its word list and the rows that
are needed are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from avzsl.encoders.base import EncoderSpec, encoders
from avzsl.encoders.pretrained import WeightsOptions
from avzsl.encoders.prompts import split_name
from avzsl.encoders.word_files import read_fasttext, read_fasttext_layout
from avzsl.encoders.word_vectors import WordVectors, unit
from avzsl.options import options
from avzsl.sources.checkpoint import Checkpoint


@options
class FasttextOptions(WeightsOptions):
    """Options of ``fasttext``."""

    weights: str = "fasttext-wiki-en"
    """Published vectors by name (fasttext-wiki-en), the path of a model of your own, or ``random``:
    vectors that mean nothing, to try the workflow."""
    text: Literal["words", "as-is", "lower"] = "words"
    """What is embedded: the name with spaces for underscores and between the words of ``CamelCase``
    (``words``), in small letters besides (``lower``), or as it is written (``as-is``). Of the
    released class vectors all but that of ``YoYo`` come out the same by ``words`` and ``as-is``."""


@encoders.register("fasttext")
class Fasttext(WordVectors):
    """The mean of a name's character n-grams, and of its own vector if it is a known word."""

    kind = "fasttext"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="fastText vector of the whole name, by its character n-grams",
        paper="bojanowski2017fasttext",
        licence="CC BY-SA 3.0",
        preprocessing="the whole name; underscores are spaces, CamelCase is split, capitals count",
        output="mean of the n-grams' vectors, unit length; 300-d",
    )
    sources = ("fasttext-wiki-en",)
    published: ClassVar[dict[str, int]] = {"fasttext-wiki-en": 300}
    files = ("*.bin|*.ftz",)
    Options = FasttextOptions
    options: FasttextOptions

    def read_dim(self, checkpoint: Checkpoint) -> int:
        """Return the length D of the vectors."""
        return read_fasttext_layout(checkpoint.file(self.files[0])).dim

    def look_up(self, checkpoint: Checkpoint, names: Sequence[str]) -> NDArray[np.float32]:
        """Return [K, D], a vector per class name.

        Raises:
            ValueError: If names have no n-gram or vectors of zeros; the message names them all.
        """
        texts = {name: self._text(name) for name in names}
        vectors = read_fasttext(checkpoint.file(self.files[0]), texts.values())
        without = [name for name in names if not vectors[texts[name]].any()]
        if without:
            raise ValueError(
                f"{checkpoint.label} has no vector for the class name(s) "
                + ", ".join(map(repr, without))
                + ": they are no words of the file, and have no n-grams."
            )
        return np.stack([unit(vectors[texts[name]]) for name in names])

    def _text(self, name: str) -> str:
        """Return what is embedded for a class name."""
        if self.options.text == "as-is":
            return name
        text = split_name(name)
        return text.lower() if self.options.text == "lower" else text
