"""``word2vec``: the mean of the word2vec vectors of a name's words.

Mikolov et al., "Distributed Representations of Words and Phrases and their Compositionality",
NeurIPS 2013. Weights: 3 million words and phrases of Google News, 300 values each,
https://code.google.com/archive/p/word2vec/ (the vectors state no licence).

*Names*: punctuation and underscores part words, ``CamelCase`` is split. From left to right the
longest run of words is taken that the file has as one (``ice_cream``; with ``phrases: false`` words
are single), and of a run the first spelling that it has: in small letters, as in the name, with
Capital Letters. Words without a vector are left out and logged; a name all of whose words are
without one is an error.

*Output*: the mean of the vectors found, brought to unit length.

*Files*: the binary format of word2vec, plain or ``.gz``. The file is read once for all names, and
only their words are kept.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from avzsl.encoders.base import EncoderSpec, encoders
from avzsl.encoders.pretrained import WeightsOptions
from avzsl.encoders.word_files import read_word2vec, read_word2vec_dim
from avzsl.encoders.word_vectors import WordVectors, refuse_wordless, unit, words_of
from avzsl.options import options
from avzsl.sources.checkpoint import Checkpoint

Found = Mapping[str, NDArray[np.float32]]

_log = logging.getLogger(__name__)


@options
class Word2vecOptions(WeightsOptions):
    """Options of ``word2vec``."""

    weights: str = "word2vec-googlenews"
    """Published vectors by name (word2vec-googlenews), the path of a file of your own, or
    ``random``: vectors that mean nothing, to try the workflow."""
    phrases: bool = True
    """Whether several words are taken as one where the file has a vector for them (``ice_cream``);
    in the text that it was trained on, such words stand together as one."""


@encoders.register("word2vec")
class Word2vec(WordVectors):
    """The mean of the word2vec vectors of a name's words."""

    kind = "word2vec"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="mean of the word2vec vectors of a name's words",
        paper="mikolov2013word2vec",
        licence="none stated",
        preprocessing="words and phrases in the spelling that the file has; others are left out",
        output="mean of the words' vectors, unit length; 300-d",
    )
    sources = ("word2vec-googlenews",)
    published: ClassVar[dict[str, int]] = {"word2vec-googlenews": 300}
    files = ("*.bin.gz|*.bin|*.gz",)
    Options = Word2vecOptions
    options: Word2vecOptions

    def read_dim(self, checkpoint: Checkpoint) -> int:
        """Return the length D of the vectors."""
        return read_word2vec_dim(checkpoint.file(self.files[0]))

    def look_up(self, checkpoint: Checkpoint, names: Sequence[str]) -> NDArray[np.float32]:
        """Return [K, D], a vector per class name.

        Raises:
            ValueError: If the file has no vector for any word of a name; the message names all
                such names.
        """
        refuse_wordless(names)
        longest = 10_000 if self.options.phrases else 1
        words = {name: words_of(name) for name in names}
        found = self._find({s for run in words.values() for s in _all_spellings(run, longest)})
        means: dict[str, NDArray[np.float32]] = {}
        for name, run in words.items():
            vectors, missed = _greedy(run, found, longest)
            if vectors:
                means[name] = unit(np.mean(vectors, axis=0))
                if missed:
                    _log.warning("word2vec: %r has no vector for %s", name, ", ".join(missed))
        without = [name for name in names if name not in means]
        if without:
            raise ValueError(
                f"{checkpoint.label} has no vector for any word of the class name(s) "
                + ", ".join(map(repr, without))
                + ". Rename them, or use the encoder 'fasttext', which embeds any name."
            )
        return np.stack([means[name] for name in names])

    @functools.cached_property
    def _known(self) -> dict[str, NDArray[np.float32] | None]:
        """Every spelling that was looked for so far, None where the file lacks it."""
        return {}

    def _find(self, spellings: set[str]) -> Found:
        """Return those of the spellings that the file has."""
        assert self.checkpoint is not None
        new = spellings - self._known.keys()
        if new:
            self._known.update(dict.fromkeys(new))
            self._known.update(read_word2vec(self.checkpoint.file(self.files[0]), new))
        return {s: vector for s in spellings if (vector := self._known[s]) is not None}


def _spellings(run: Sequence[str]) -> list[str]:
    """Return how a run of words may stand in the file, the likeliest first."""
    written = "_".join(run)
    capital = "_".join(word[:1].upper() + word[1:] for word in run)
    return list(dict.fromkeys((written.lower(), written, capital)))


def _all_spellings(words: Sequence[str], longest: int) -> Iterable[str]:
    for begin in range(len(words)):
        for end in range(begin + 1, min(len(words), begin + longest) + 1):
            yield from _spellings(words[begin:end])


def _greedy(
    words: Sequence[str], found: Found, longest: int
) -> tuple[list[NDArray[np.float32]], list[str]]:
    """Return the vectors of the longest known runs from left to right, and the words without."""
    vectors, missed, begin = [], [], 0
    while begin < len(words):
        for end in range(min(len(words), begin + longest), begin, -1):
            known = [s for s in _spellings(words[begin:end]) if s in found]
            if known:
                vectors.append(found[known[0]])
                begin = end
                break
        else:
            missed.append(words[begin])
            begin += 1
    return vectors, missed
