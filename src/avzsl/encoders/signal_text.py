"""``signal-text``: hashed words and word pairs of a class name; nothing is learned.

Each n-gram of a name is hashed to a few coordinates with a sign each (Weinberger et al., 2009), so
that names are as close as the words that they share are many: the inner product of two names is an
unbiased estimate of that of their word counts, of words never seen before, too.
"""

from __future__ import annotations

import hashlib
import itertools
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from avzsl.encoders.base import EncoderSpec, TextEncoder, encoders
from avzsl.options import options


@options
class SignalTextOptions:
    """Options of ``signal-text``."""

    dim: Annotated[int, Field(ge=16, le=65_536)] = 256
    """Length of a vector."""
    hashes: Annotated[int, Field(ge=1, le=256)] = 16
    """Coordinates that each n-gram is written to: more make accidental likeness even."""
    unigram_weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight of each word."""
    bigram_weight: Annotated[float, Field(ge=0)] = 0.25
    """Weight of each pair of neighbouring words. Low: pairs tell orders of words apart, while
    likeness to other classes lies in the words."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Chooses the hash functions."""


@encoders.register("signal-text")
class SignalText(TextEncoder):
    """Hashed bag of words and word pairs, of unit length."""

    kind = "signal-text"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="hashed words and word pairs, weight-free",
        paper="weinberger2009hashing",
        licence="none needed",
    )
    Options = SignalTextOptions
    options: SignalTextOptions

    @property
    def dim(self) -> int:
        """Length D of one feature vector."""
        return self.options.dim

    def encode(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Return [K, D], rows of unit length.

        Raises:
            ValueError: If names hold no word, or words that cancel out; the message names them.
        """
        wordless = [name for name in names if not split_words(name)]
        if wordless:
            raise ValueError(
                "signal-text needs at least one letter or digit in a class name; there is none in "
                + ", ".join(map(repr, wordless))
                + "."
            )
        vectors_KD = np.stack([self._vector(name) for name in names])
        lengths_K1 = np.linalg.norm(vectors_KD, axis=1, keepdims=True)
        cancelled = [name for name, length in zip(names, lengths_K1, strict=True) if length < 1e-6]
        if cancelled:
            raise ValueError(
                "The hashed words cancel out in "
                + ", ".join(map(repr, cancelled))
                + "; choose another seed, a larger dim or more hashes for signal-text."
            )
        return (vectors_KD / lengths_K1).astype(np.float32)

    def _vector(self, name: str) -> NDArray[np.float64]:
        """Return the weighted sum over the n-grams of a name, [D]."""
        words = split_words(name)
        vector_D = np.zeros(self.options.dim)
        for word in words:
            self._add(vector_D, word, self.options.unigram_weight)
        for pair in itertools.pairwise(words):
            self._add(vector_D, " ".join(pair), self.options.bigram_weight)
        return vector_D

    def _add(self, vector_D: NDArray[np.float64], ngram: str, weight: float) -> None:
        """Add an n-gram to ``vector_D``, in place: equal shares with random signs."""
        for number in range(self.options.hashes):
            word = f"{self.options.seed}/{number}/{ngram}".encode()
            hashed = int.from_bytes(hashlib.blake2b(word, digest_size=8).digest(), "big")
            sign = 1.0 if hashed & 1 else -1.0
            vector_D[(hashed >> 1) % len(vector_D)] += sign * weight / self.options.hashes**0.5


def split_words(name: str) -> list[str]:
    """Return the lower-case words of a name: runs of letters, their marks, and digits.

    Compatible forms count as one (NFKC), so that one name written in two ways has the same words.
    """
    return list(_runs(unicodedata.normalize("NFKC", name).casefold()))


def _runs(text: str) -> Iterator[str]:
    for wanted, run in itertools.groupby(text, lambda c: unicodedata.category(c)[0] in "LMN"):
        if wanted:
            yield "".join(run)
