"""Word vectors of a few words, in the three formats that are published."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from random_states import random_array

CLASS_NAMES = (
    "Dog Barking",
    "bee, wasp, etc. buzzing",
    "playing the saxophone (alto)",
    "été à vélo",
)
"""Names that tests of every text encoder ask for."""
WORDS = ("dog", "barking", "Dog_Barking", "bee", "wasp", "etc", "buzzing", "playing", "the")
MORE_WORDS = ("saxophone", "alto", "été", "vélo", "ice_cream", "Ice", "cream")
DIM = 12
BUCKETS = 50


def write(folder: Path) -> dict[str, dict[str, Any]]:
    words = (*WORDS, *MORE_WORDS)
    vectors = dict(zip(words, random_array(len(words), DIM, seed=3), strict=True))
    paths = {
        "class-vectors": folder / "word_embeddings_tiny_normed.npy",
        "word2vec": folder / "tiny.bin.gz",
        "fasttext": folder / "tiny.bin",
    }
    rows = random_array(len(CLASS_NAMES), DIM, seed=4)
    np.save(paths["class-vectors"], dict(zip(CLASS_NAMES, rows, strict=True)))  # type: ignore[arg-type]
    paths["word2vec"].write_bytes(gzip.compress(word2vec_bytes(vectors)))
    matrix = random_array(len(words) + BUCKETS, DIM, seed=5)
    paths["fasttext"].write_bytes(fasttext_bytes(words, matrix))
    return {kind: {"weights": str(path)} for kind, path in paths.items()}


def word2vec_bytes(vectors: Mapping[str, np.ndarray], *, newlines: bool = True) -> bytes:
    """The file of word2vec with these vectors; some programs end each with a newline."""
    dim = len(next(iter(vectors.values())))
    end = b"\n" if newlines else b""
    entries = [
        word.encode() + b" " + vector.astype("<f4").tobytes() + end
        for word, vector in vectors.items()
    ]
    return b"%d %d\n" % (len(vectors), dim) + b"".join(entries)


def fasttext_bytes(
    words: Sequence[str],
    matrix: np.ndarray,
    *,
    labels: Sequence[str] = (),
    ngrams: tuple[int, int] = (3, 6),
    version: int = 12,
    model: int = 2,
    pruned: int = -1,
    compressed: bool = False,
) -> bytes:
    """The model of fastText with these words; the rows behind theirs belong to the n-grams."""
    rows, dim = matrix.shape
    head = struct.pack("<ii", 793_712_314, version)
    head += struct.pack("<12i", dim, 5, 1, 1, 5, 1, 2, model, rows - len(words), *ngrams, 100)
    head += struct.pack("<d", 1e-4)
    head += struct.pack("<iiiqq", len(words) + len(labels), len(words), len(labels), 100, pruned)
    for kind, some in enumerate((words, labels)):
        head += b"".join(word.encode() + struct.pack("<xqb", 1, kind) for word in some)
    head += struct.pack("<?qq", compressed, rows, dim)
    return head + matrix.astype("<f4").tobytes()
