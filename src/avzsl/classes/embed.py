"""Class names to unit vectors, with the checks that every text encoder needs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from avzsl.encoders import TextEncoder
from avzsl.sources.checkpoint import untrained_note
from avzsl.types import ClassEmbeddings

_log = logging.getLogger(__name__)

_SAME_COSINE_DISTANCE = 5e-13
"""Unit vectors 1e-6 apart: ten times the noise of float32, far below any difference in meaning."""
_BLOCK_CELLS = 2**22
"""Cosines in memory at once."""


def embed_classes(
    names: Sequence[str], text_encoder: TextEncoder, texts: Sequence[str] | None = None
) -> ClassEmbeddings:
    """Return the unit vector of each class.

    Args:
        names: The classes.
        text_encoder: Loaded.
        texts: What the encoder reads for each of them; None means the names.

    Logs a warning where the encoder cannot tell two classes apart, for then no method can.

    Raises:
        ValueError: If a name is empty or stands twice, if the encoder knows no word of one, or if
            it returns the wrong shape, zeros or values that are not finite.
    """
    if not names:
        raise ValueError("There are no class names to embed.")
    blank = [name for name in names if not name.strip()]
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if blank or twice:
        raise ValueError(f"Class names must hold text and be distinct, got {blank + twice}.")
    vectors = text_encoder.encode(names if texts is None else texts)
    notes = (untrained_note(text_encoder.kind),) if text_encoder.untrained else ()
    if vectors.shape != (len(names), text_encoder.dim):
        raise ValueError(
            f"The text encoder {text_encoder.kind!r} returned {vectors.shape = } "
            f"for {len(names)} names of {text_encoder.dim} features each."
        )
    embeddings = normalise(ClassEmbeddings(names=tuple(names), vectors=vectors, notes=notes))
    for first, second in same_pairs(embeddings):
        _log.warning("The text encoder gives %r and %r the same vector.", first, second)
    return embeddings


def normalise(embeddings: ClassEmbeddings) -> ClassEmbeddings:
    """Return the embeddings with rows of unit L2 norm; their lengths are kept beside them.

    Raises:
        ValueError: If a row is zero or not finite; the message names the classes.
    """
    vectors = embeddings.vectors.astype(np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    bad = [embeddings.names[row] for row in np.flatnonzero(~np.isfinite(norms) | (norms == 0))]
    if bad:
        raise ValueError(
            f"No direction in the vectors of {bad}: they are zero or not finite. "
            "Rename these classes or choose another text encoder."
        )
    lengths = norms[:, 0] if embeddings.lengths is None else embeddings.lengths
    return replace(embeddings, vectors=(vectors / norms).astype(np.float32), lengths=lengths)


def same_pairs(embeddings: ClassEmbeddings) -> list[tuple[str, str]]:
    """Return the pairs of classes whose unit vectors are equal but for rounding."""
    vectors = embeddings.vectors.astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names, pairs = embeddings.names, []
    rows = max(1, _BLOCK_CELLS // max(len(names), 1))
    for start in range(0, len(names), rows):
        near = 1 - vectors[start : start + rows] @ vectors.T <= _SAME_COSINE_DISTANCE
        for first, second in np.argwhere(np.triu(near, k=start + 1)).tolist():
            pairs.append((names[start + first], names[second]))
    return pairs
