"""From text to token numbers, with a checkpoint's own tokenizer; nothing is downloaded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

_log = logging.getLogger(__name__)

Tokenise = Callable[[Sequence[str]], list[list[int]]]
"""From texts to the numbers of their tokens, begin and end included where the model has them."""


def read_tokenizer(file: Path, *, max_length: int | None = None) -> Tokenise:
    """Return what a ``tokenizer.json`` does, without padding.

    Args:
        file: Description of the tokenizer, in the format of Hugging Face.
        max_length: Tokens of a text at most, begin and end included; longer texts are cut, which
            is logged. None cuts none, whatever the file says.

    Raises:
        ValueError: If the file is no such description.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises no narrower class
        raise ValueError(f"{file}: not a tokenizer.json, or damaged ({error}).") from None
    tokenizer.no_padding()
    if max_length is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(max_length)

    def tokenise(texts: Sequence[str]) -> list[list[int]]:
        encodings = [tokenizer.encode(text) for text in texts]
        cut = [text for text, found in zip(texts, encodings, strict=True) if found.overflowing]
        if cut:
            _log.warning(
                "%d of %d texts are longer than %d tokens and were cut, such as %r",
                len(cut),
                len(texts),
                max_length,
                cut[0][:60],
            )
        return [list(found.ids) for found in encodings]

    return tokenise


def byte_tokenizer(begin: int, end: int | None = None) -> Tokenise:
    """Return a tokenizer for untrained networks, which have none: a token for every byte.

    Args:
        begin: Number of the first token.
        end: Number of the last token; None for none.
    """
    last = [] if end is None else [end]
    return lambda texts: [[begin, *(3 + byte for byte in text.encode()), *last] for text in texts]


def of_one_length(ids: Sequence[Sequence[int]], most: int) -> Iterator[list[int]]:
    """Yield the places of texts of one length, ``most`` at a time, so that none needs padding."""
    places: dict[int, list[int]] = {}
    for place, tokens in enumerate(ids):
        places.setdefault(len(tokens), []).append(place)
    for same in places.values():
        for first in range(0, len(same), most):
            yield same[first : first + most]
