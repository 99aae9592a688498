"""What the encoders share that look class names up in published word vectors."""

from __future__ import annotations

import functools
import hashlib
import logging
import re
import unicodedata
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from avzsl.encoders.base import TextEncoder
from avzsl.encoders.pretrained import WithWeights
from avzsl.encoders.prompts import split_name
from avzsl.sources.checkpoint import Checkpoint, source_name

if TYPE_CHECKING:
    import torch

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
"""Letters and digits, with apostrophes inside."""

_log = logging.getLogger(__name__)


class WordVectors(WithWeights, TextEncoder):
    """An encoder that reads vectors from a file; it has no network."""

    published: ClassVar[Mapping[str, int]]
    """Length D of the vectors in each of ``sources``; what ``weights: random`` has."""

    @abstractmethod
    def read_dim(self, checkpoint: Checkpoint) -> int:
        """Return the length D of the vectors of a file.

        Raises:
            ValueError: If the file has another format.
        """

    @abstractmethod
    def look_up(self, checkpoint: Checkpoint, names: Sequence[str]) -> NDArray[np.float32]:
        """Return [K, D], a vector per class name, from the files.

        Raises:
            ValueError: If the files have no vector for a name; the message names all such.
        """

    @functools.cached_property
    def dim(self) -> int:
        """Length D of one vector."""
        if self.checkpoint is not None:
            return self.read_dim(self.checkpoint)
        return self.published[source_name(self.options.weights, self.sources) or ""]

    def load(self, device: torch.device) -> None:
        """Check that the file is there; nothing of it goes onto ``device``.

        Raises:
            MissingWeightsError: If it is not on disk.
            ValueError: If it has another format.
        """
        _log.info("%s: vectors of length %d from %s", self.kind, self.dim, self.provenance)

    def encode(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Return [K, D], a vector per class name, all of unit length.

        Raises:
            ValueError: If names have no vector; the message names all such.
        """
        if self.checkpoint is None:
            return random_vectors(names, self.dim)
        return self.look_up(self.checkpoint, names)


def words_of(name: str) -> list[str]:
    """Return the words of a class name in their spelling, without punctuation."""
    return _WORD.findall(unicodedata.normalize("NFC", split_name(name)))


def refuse_wordless(names: Sequence[str]) -> None:
    """Refuse names without a single word.

    Raises:
        ValueError: With all such names.
    """
    wordless = [name for name in names if not words_of(name)]
    if wordless:
        raise ValueError(
            "A class name needs at least one letter or digit; there is none in "
            + ", ".join(map(repr, wordless))
            + "."
        )


def random_vectors(names: Sequence[str], dim: int) -> NDArray[np.float32]:
    """Return [K, D] unit vectors that mean nothing: each word has a random direction of its own.

    Raises:
        ValueError: If a name has no word.
    """
    refuse_wordless(names)
    return np.stack([unit(_random_mean(words_of(name), dim)) for name in names])


def unit(vector_D: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a vector of unit length; zeros stay zeros."""
    length = np.linalg.norm(vector_D)
    return vector_D / length if length > 0 else vector_D


def _random_mean(words: Sequence[str], dim: int) -> NDArray[np.float32]:
    rows_WD = [
        np.random.RandomState(
            int.from_bytes(hashlib.blake2b(word.casefold().encode(), digest_size=4).digest(), "big")
        ).standard_normal(dim)
        for word in words
    ]
    return np.mean(rows_WD, axis=0).astype(np.float32)
