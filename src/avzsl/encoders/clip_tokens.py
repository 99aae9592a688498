"""Text to token ids with the byte-pair vocabulary of CLIP (Radford et al., ICML 2021).

The vocabulary: 256 symbols for bytes within a word, 256 for the last byte of a word, one symbol for
each merge in order of rank, and two marks for begin and end. It is read from OpenAI's list of
merges (``bpe_simple_vocab_16e6.txt.gz``), from ``vocab.json`` with ``merges.txt``, or from the
``tokenizer.json`` of a hub folder.

Texts are cleaned as OpenAI's code does (``cleaning="openai"``): entities of HTML resolved, lower
case, all white space alike. That code repairs Unicode first, with the library ftfy. What it does
to text in one encoding is done here, too: canonical composition, straight quotes, letters of the
usual width and without ligatures, no control characters. Text that was once decoded by the wrong
encoding is not repaired. Tokenizers of the hub do none of this but for composition and lower case
(``cleaning="hub"``).

Shapes: K texts, L places.
"""

from __future__ import annotations

import functools
import gzip
import html
import json
import re
import unicodedata
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
PLACES = 77
"""Places that CLIP's text towers have."""
TOKENIZER_FILES = ("bpe_simple_vocab_16e6.txt.gz|vocab.json|tokenizer.json", "?merges.txt")
"""Patterns of ``find_checkpoint`` for what ``clip_tokens`` reads."""

LIST_MERGES = 48_894
"""Merges of OpenAI's list that CLIP has; the file holds more."""
_PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""What is merged by itself: endings, runs of letters, single digits, runs of other characters."""

Cleaning = Literal["openai", "hub"]


def clip_tokens(
    texts: Sequence[str],
    files: Sequence[Path],
    *,
    length: int = PLACES,
    cleaning: Cleaning = "openai",
) -> NDArray[np.int64]:
    """Return token ids [K, L]: begin, the text, end, then zeros.

    Args:
        texts: Any.
        files: Of the tokenizer: OpenAI's list, ``vocab.json`` and ``merges.txt``, or
            ``tokenizer.json``.
        length: Places L. Of a longer text the first L - 2 tokens are kept.
        cleaning: Whose rules prepare a text.

    Raises:
        ValueError: If the files hold no such vocabulary.
    """
    return read_tokenizer(tuple(files))(texts, length=length, cleaning=cleaning)


@functools.lru_cache(maxsize=4)
def read_tokenizer(files: tuple[Path, ...]) -> ClipTokenizer:
    """Return the tokenizer of the files that ``clip_tokens`` takes.

    Raises:
        ValueError: If they hold no such vocabulary.
    """
    by_name = {path.name: path for path in files}
    try:
        for name, path in by_name.items():
            if name.endswith(".gz"):
                lines = gzip.decompress(path.read_bytes()).decode().split("\n")
                return ClipTokenizer.of_merges(_pairs(lines[1 : 1 + LIST_MERGES]))
        if {"vocab.json", "merges.txt"} <= set(by_name):
            ids = json.loads(by_name["vocab.json"].read_text(encoding="utf-8"))
            lines = by_name["merges.txt"].read_text(encoding="utf-8").split("\n")
            return ClipTokenizer(ids, _pairs(lines[1:]))
        if "tokenizer.json" in by_name:
            model = json.loads(by_name["tokenizer.json"].read_text(encoding="utf-8"))["model"]
            return ClipTokenizer(model["vocab"], _pairs(model["merges"]))
    except (OSError, EOFError, zlib.error, UnicodeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"Cannot read CLIP's tokenizer from {', '.join(map(str, files))}: {error!r}."
        ) from None
    raise ValueError(
        f"CLIP's tokenizer needs {TOKENIZER_FILES[0].replace('|', ' or ')} (vocab.json together "
        f"with merges.txt), got {', '.join(by_name) or 'no file'}."
    )


class ClipTokenizer:
    """Vocabulary and merges, ready for use.

    Args:
        ids: Id of each symbol.
        merges: Pairs of symbols in order of rank; what they make has an id, too.

    Raises:
        ValueError: If a symbol has no id.
    """

    def __init__(self, ids: dict[str, int], merges: Sequence[tuple[str, str]]) -> None:
        from tokenizers import Regex, Tokenizer, models, pre_tokenizers

        lacking = [symbol for symbol in (*byte_symbols(), BEGIN, END) if symbol not in ids]
        if lacking:
            raise ValueError(f"the vocabulary has no symbol {lacking[0]!r}")
        self.size = 1 + max(ids.values())
        """Rows that the embedding of the tokens has."""
        self._begin, self._end = ids[BEGIN], ids[END]
        try:
            model = models.BPE(vocab=ids, merges=list(merges), end_of_word_suffix="</w>")
        except Exception as error:  # the library has no class of its own for it
            raise ValueError(str(error)) from None
        self._tokenizer: Any = Tokenizer(model)
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_PIECES), behavior="removed", invert=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        self._tokenizer.add_special_tokens([BEGIN, END])  # found in a text, as the original does

    @classmethod
    def of_merges(
        cls, merges: Sequence[tuple[str, str]], *, size: int | None = None
    ) -> ClipTokenizer:
        """Return a tokenizer in which ids follow from the merges, as in OpenAI's code.

        Args:
            merges: In order of rank; without any, all text is spelled byte by byte.
            size: Where the begin and end marks are to be the last of so many ids.
        """
        symbols = byte_symbols()
        names = [*symbols, *(symbol + "</w>" for symbol in symbols)]
        names += [left + right for left, right in merges]
        ids = {name: number for number, name in enumerate(names)}
        last = (size or len(names) + 2) - 1
        return cls(ids | {BEGIN: last - 1, END: last}, merges)

    def __call__(
        self, texts: Sequence[str], *, length: int = PLACES, cleaning: Cleaning = "openai"
    ) -> NDArray[np.int64]:
        """Return token ids [K, L], as ``clip_tokens`` does."""
        clean = clean_openai if cleaning == "openai" else clean_hub
        made_KL = np.zeros((len(texts), length), np.int64)
        for row, found in enumerate(self._tokenizer.encode_batch([clean(text) for text in texts])):
            ids = [self._begin, *found.ids[: length - 2], self._end]
            made_KL[row, : len(ids)] = ids
        return made_KL


def byte_symbols() -> list[str]:
    """Return the 256 one-letter symbols of bytes, in the order of their ids.

    Bytes that print in Latin-1 stand for themselves and come first; the others follow in turn,
    written as the letters from U+0100 on.
    """
    printing = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in printing] + [chr(0x100 + n) for n in range(256 - len(printing))]


def clean_openai(text: str) -> str:
    """Return a text as OpenAI's code prepares it; white space is left as it is."""
    text = html.unescape(html.unescape(text)).translate(_plain_characters())
    return unicodedata.normalize("NFC", _CONTROL.sub("", text)).lower()


def clean_hub(text: str) -> str:
    """Return a text as CLIP's tokenizer of the transformers library prepares it."""
    return "".join(letter.lower() for letter in unicodedata.normalize("NFC", text))


_CONTROL = re.compile(
    "\x1b\\[[0-9;]*[a-zA-Z]|[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff\u206a-\u206f\ufff9-\ufffc]"
)
"""What a terminal or a printer obeys: no part of a text."""


@functools.cache
def _plain_characters() -> dict[int, str]:
    """Return what replaces curly quotes, letters of other width, and ligatures."""
    quotes = dict.fromkeys([0x2BC, *range(0x2018, 0x201C)], "'")
    quotes |= dict.fromkeys(range(0x201C, 0x2020), '"')
    wide = [0x3000, *range(0xFF01, 0xFFEF)]
    joined = [0x132, 0x133, *range(0x1C4, 0x1CD), *range(0x1F1, 0x1F4), *range(0xFB00, 0xFB07)]
    plain = {code: unicodedata.normalize("NFKC", chr(code)) for code in (*wide, *joined)}
    return quotes | plain | {0x149: "'n", 0xFB05: "\u017ft"}


def _pairs(merges: Sequence[Any]) -> list[tuple[str, str]]:
    """Return merges as pairs, written ``"a b"`` or ``["a", "b"]``."""
    made = []
    for merge in merges:
        parts = merge.split() if isinstance(merge, str) else list(merge)
        if len(parts) == 2:
            made.append((parts[0], parts[1]))
        elif parts:
            raise ValueError(f"a merge has two parts, got {merge!r}")
    return made
