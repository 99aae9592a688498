"""Readers of published word vectors that take only the vectors that are asked for.

Two formats: ``.bin`` of word2vec (3 million vectors, 3.6 GB), read once from begin to end, and
``.bin`` of fastText (8.5 GB), of which the word list is read and single rows of the matrix.

Shapes: V words of the file, D features, n rows of one word.
"""

from __future__ import annotations

import gzip
import mmap
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

CHUNK_BYTES = 1 << 22
"""Read at a time from a file of word2vec."""
LONGEST_WORD = 4096
"""Bytes of a word above which a file counts as another format."""

FASTTEXT_MAGIC = 793_712_314
FASTTEXT_VERSIONS = (11, 12)
CLASSIFIER = 3
"""fastText's number for a model that was trained to classify."""
WORDS_AT = 92
"""Where the list of words begins in a model of fastText, in bytes."""
COMPRESSED = "a compressed model (.ftz) does not serve; take the .bin that it was made from."
END_OF_SENTENCE = b"</s>"
"""fastText's word for the end of a line; it alone has no n-grams."""


def read_word2vec_dim(path: Path) -> int:
    """Return the length D of the vectors of a word2vec file.

    Raises:
        ValueError: If the file is no binary file of word2vec.
    """
    with _open(path) as file:
        return _word2vec_header(path, file)[1]


def read_word2vec(path: Path, wanted: Iterable[str]) -> dict[str, NDArray[np.float32]]:
    """Return word -> vector [D] for those of the words that the file has.

    Args:
        path: A binary file of word2vec, plain or ``.gz``.
        wanted: Words in the file's spelling; the first of equal words in the file counts.

    Raises:
        ValueError: If the file is damaged or another format.
    """
    left = {word.encode(): word for word in wanted}
    found: dict[str, NDArray[np.float32]] = {}
    with _open(path) as file:
        count, dim = _word2vec_header(path, file)
        entries = _word2vec_entries(path, file, count, 4 * dim)
        for spelled, vector in entries:
            word = left.pop(spelled, None)
            if word is not None:
                found[word] = np.frombuffer(vector, "<f4").astype(np.float32)
            if not left:
                break
    return found


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def _word2vec_header(path: Path, file: IO[bytes]) -> tuple[int, int]:
    line = file.readline(64)
    try:
        count, dim = (int(number) for number in line.split())
    except ValueError:
        count, dim = 0, 0
    if not line.endswith(b"\n") or count < 1 or dim < 1:
        raise ValueError(
            f"{path}: expected a binary file of word2vec, which begins with the number and the "
            f"length of its vectors; got {line[:40]!r}."
        )
    return count, dim


def _word2vec_entries(
    path: Path, file: IO[bytes], count: int, length: int
) -> Iterator[tuple[bytes, bytes]]:
    """Yield each word with the bytes of its vector."""
    data, place = b"", 0
    for number in range(count):
        space = data.find(b" ", place)
        if space < 0 or len(data) < space + 1 + length:
            more = file.read(max(CHUNK_BYTES, LONGEST_WORD + length))
            data, place = data[place:] + more, 0
            space = data.find(b" ")
        if not 0 <= space - place <= LONGEST_WORD or len(data) < space + 1 + length:
            raise ValueError(
                f"{path}: the file is damaged or truncated: its header tells of {count:,} vectors, "
                f"number {number + 1:,} cannot be read."
            )
        # Some programs end every vector with a newline, others do not.
        yield data[place:space].lstrip(b"\n"), data[space + 1 : space + 1 + length]
        place = space + 1 + length


@dataclass(frozen=True, kw_only=True)
class FastTextLayout:
    """What the head of a file of fastText says."""

    dim: int
    """Length D of the vectors."""
    shortest: int
    """Characters of the shortest n-grams."""
    longest: int
    """Characters of the longest n-grams; 0 for a model of whole words only."""
    buckets: int
    """Rows that the n-grams share."""
    words: int
    """Number V of words."""
    entries: int
    """Length of the list of words; a classifier's labels stand in it behind the words."""


def read_fasttext_layout(path: Path) -> FastTextLayout:
    """Return what the head of a file of fastText says.

    Raises:
        ValueError: If the file is no model of fastText, or one with compressed vectors.
    """
    with path.open("rb") as file:
        return _fasttext_layout(path, file.read(WORDS_AT))


def read_fasttext(path: Path, wanted: Iterable[str]) -> dict[str, NDArray[np.float32]]:
    """Return text -> vector [D] for every text, as fastText's own ``get_word_vector`` does.

    A word of the file has the mean of its own row and those of its n-grams, any other text the mean
    of those of its n-grams, or zeros where it has none.

    Args:
        path: A model of fastText, ``.bin``.
        wanted: Words, or any text.

    Raises:
        ValueError: If the file is no model of fastText, or one with compressed vectors.
    """
    layout = read_fasttext_layout(path)
    texts = {text.encode(): text for text in wanted}
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            places, end = _fasttext_words(data, layout, set(texts))
            rows_at = _rows_begin(path, data, end, layout)
        except struct.error:
            raise ValueError(f"{path}: the file is damaged or truncated.") from None
        found: dict[str, NDArray[np.float32]] = {}
        for spelled, text in texts.items():
            rows = [places[spelled]] if spelled in places else []
            if spelled != END_OF_SENTENCE:
                rows += [layout.words + bucket for bucket in ngram_buckets(spelled, layout)]
            found[text] = _mean_of_rows(data, rows_at, layout.dim, rows)
    return found


def ngram_buckets(word: bytes, layout: FastTextLayout) -> list[int]:
    """Return the bucket of every n-gram of ``<word>``, in fastText's order.

    An n-gram is a run of UTF-8 characters; the two marks alone are none.
    """
    marked = b"<" + word + b">"
    # A character begins where a byte is not a continuation byte, 10xxxxxx.
    begins = [at for at, byte in enumerate(marked) if byte & 0xC0 != 0x80] + [len(marked)]
    last = len(begins) - 1
    buckets = []
    for first in range(last):
        for length in range(layout.shortest, min(layout.longest, last - first) + 1):
            if length == 1 and (first == 0 or first + 1 == last):
                continue
            ngram = marked[begins[first] : begins[first + length]]
            buckets.append(_hash(ngram) % layout.buckets)
    return buckets


def _hash(ngram: bytes) -> int:
    """Return the FNV-1a hash of 32 bits, with bytes from 128 on extended as negative numbers."""
    value = 2_166_136_261
    for byte in ngram:
        value ^= byte if byte < 128 else byte | 0xFFFFFF00
        value = value * 16_777_619 & 0xFFFFFFFF
    return value


def _fasttext_layout(path: Path, head: bytes) -> FastTextLayout:
    """Return what the bytes in front of the list of words say."""
    if len(head) < WORDS_AT or struct.unpack_from("<i", head)[0] != FASTTEXT_MAGIC:
        raise ValueError(
            f"{path}: expected a model of fastText (.bin), got a file that begins with "
            f"{head[:8]!r}. Files of vectors (.vec) and models of before 2017 do not serve."
        )
    version, dim, model, buckets, shortest, longest = (
        struct.unpack_from("<i", head, at)[0] for at in (4, 8, 36, 40, 44, 48)
    )
    if version not in FASTTEXT_VERSIONS:
        raise ValueError(
            f"{path}: format {version} of fastText is not known here, {FASTTEXT_VERSIONS} are."
        )
    entries, words, _, _, pruned = struct.unpack_from("<iiiqq", head, 64)
    if pruned >= 0:
        raise ValueError(f"{path}: {COMPRESSED}")
    if version == 11 and model == CLASSIFIER:
        longest = 0  # classifiers of that format did not use the n-grams that they tell of
    if min(dim, words, entries - words + 1) < 1 or (longest > 0 and buckets < 1):
        raise ValueError(f"{path}: the head of the file is damaged.")
    return FastTextLayout(
        dim=dim,
        shortest=max(shortest, 1),
        longest=longest,
        buckets=buckets,
        words=words,
        entries=entries,
    )


def _fasttext_words(
    data: mmap.mmap, layout: FastTextLayout, wanted: set[bytes]
) -> tuple[dict[bytes, int], int]:
    """Return the row of those of the words that the file has, and where the list of words ends."""
    places: dict[bytes, int] = {}
    begin = WORDS_AT
    for row in range(layout.entries):
        end = data.find(b"\0", begin)
        if end < 0:
            raise struct.error
        word = data[begin:end]
        if word in wanted and row < layout.words:
            places[word] = row
        begin = end + 10  # 8 bytes of count and 1 of type follow the zero
    return places, begin


def _rows_begin(path: Path, data: mmap.mmap, begin: int, layout: FastTextLayout) -> int:
    """Return where the first row of the matrix begins, whose head begins at ``begin``."""
    compressed, rows, columns = struct.unpack_from("<?qq", data, begin)
    if compressed:
        raise ValueError(f"{path}: {COMPRESSED}")
    expected = layout.words + (layout.buckets if layout.longest else 0)
    begin += struct.calcsize("<?qq")
    if columns != layout.dim or rows < expected or len(data) < begin + 4 * rows * columns:
        raise struct.error
    return begin


def _mean_of_rows(data: mmap.mmap, begin: int, dim: int, rows: list[int]) -> NDArray[np.float32]:
    """Return the mean of rows of the matrix, [D], added up one after another as fastText does."""
    total_D = np.zeros(dim, np.float32)
    for row in rows:
        total_D += np.frombuffer(data, "<f4", dim, begin + 4 * dim * row)
    return total_D * np.float32(1 / len(rows)) if rows else total_D
