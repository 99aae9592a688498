"""``class-vectors``: vectors of class names that were published with a benchmark.

The default are those that AVCA, TCaF, KDA and others use and call word2vec: three files for the
classes of UCF101, ActivityNet and VGGSound, from https://github.com/ExplainableML/AVCA-GZSL (Mercea
et al., "Audio-Visual Generalised Zero-Shot Learning with Cross-Modal Attention and Language", CVPR
2022; MIT). They were made with fastText, ``wiki.en.bin``, from the whole name in its spelling:
``fasttext`` gives any further name a vector of the same space.

*Files*: ``.npy`` or ``.pkl`` with a dict from name to vector; all files of a folder together. They
are read without running what they hold.

*Names* are looked up as they are, then without regard to capitals, underscores for spaces and
``CamelCase``: ``ApplyEyeMakeup``, ``Apply_eye_makeup`` and ``Apply Eye Makeup`` are one class.

*Output*: the vector as it stands in the file; those of the published files have 300 values and unit
length.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from avzsl.encoders.base import EncoderSpec, encoders
from avzsl.encoders.pretrained import WeightsOptions
from avzsl.encoders.prompts import split_name
from avzsl.encoders.word_vectors import WordVectors
from avzsl.options import options
from avzsl.sources.checkpoint import Checkpoint
from avzsl.sources.unpickle import read_published

Vectors = dict[str, NDArray[np.float32]]


@options
class ClassVectorsOptions(WeightsOptions):
    """Options of ``class-vectors``."""

    weights: str = "avca-class-vectors"
    """Published vectors by name (avca-class-vectors), the path of a file or folder of your own, or
    ``random``: vectors that mean nothing, to try the workflow."""


@encoders.register("class-vectors")
class ClassVectors(WordVectors):
    """Vectors of class names from published files."""

    kind = "class-vectors"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="published vectors of class names (AVCA's: fastText of the whole name)",
        paper="mercea2022avca",
        licence="MIT",
        preprocessing="the name is looked up; capitals, underscores and CamelCase do not count",
        output="the published vector as it is; 300-d, unit length",
    )
    sources = ("avca-class-vectors",)
    published: ClassVar[dict[str, int]] = {"avca-class-vectors": 300}
    files = ("*.npy|*.pkl",)
    Options = ClassVectorsOptions
    options: ClassVectorsOptions

    def read_dim(self, checkpoint: Checkpoint) -> int:
        """Return the length D of the vectors."""
        return len(next(iter(self._known.values())))

    def look_up(self, checkpoint: Checkpoint, names: Sequence[str]) -> NDArray[np.float32]:
        """Return [K, D], a vector per class name, from the files.

        Raises:
            ValueError: If names have no vector; the message names all such and what is near.
        """
        known = self._known
        folded: dict[str, list[str]] = {}
        for name in known:
            folded.setdefault(_fold(name), []).append(name)
        chosen = {name: _choose(name, known, folded) for name in names}
        missing = [name for name, found in chosen.items() if found is None]
        if missing:
            raise ValueError(_missing(checkpoint.label, missing, folded))
        return np.stack([known[str(chosen[name])] for name in names])

    @functools.cached_property
    def _known(self) -> Vectors:
        assert self.checkpoint is not None
        return _read_files(self.checkpoint.files[self.files[0]])


def _read_files(paths: Sequence[Path]) -> Vectors:
    """Return name -> vector [D] of all files.

    Raises:
        ValueError: If a file holds something else, or files differ in a name's vector.
    """
    merged: Vectors = {}
    for path in paths:
        for name, vector in _as_vectors(path, read_published(path)).items():
            if name in merged and not np.array_equal(merged[name], vector):
                raise ValueError(f"{path}: {name!r} has another vector in {paths[0].parent}, too.")
            merged[name] = vector
    lengths = sorted({len(vector) for vector in merged.values()})
    if len(lengths) != 1:
        raise ValueError(
            f"{paths[0].parent}: expected vectors of one length, got {lengths or 'no vectors'}."
        )
    return merged


def _as_vectors(path: Path, held: Any) -> Vectors:
    if not isinstance(held, Mapping):
        raise ValueError(
            f"{path}: expected a dict from class name to vector, got {type(held).__name__}."
        )
    vectors: Vectors = {}
    for name, value in held.items():
        vector = np.asarray(value)
        if not isinstance(name, str) or vector.ndim != 1 or vector.dtype.kind != "f":
            raise ValueError(
                f"{path}: expected a vector of numbers for each name, got {name!r}: "
                f"{vector.dtype} {vector.shape}."
            )
        vectors[name] = vector.astype(np.float32)
    return vectors


def _fold(name: str) -> str:
    return split_name(name).casefold()


def _choose(name: str, known: Vectors, folded: Mapping[str, list[str]]) -> str | None:
    """Return the known name that is meant, None if there is none.

    Raises:
        ValueError: If several are, with different vectors.
    """
    if name in known:
        return name
    likely = folded.get(_fold(name), [])
    if len({known[other].tobytes() for other in likely}) > 1:
        raise ValueError(
            f"The class name {name!r} may be any of {', '.join(map(repr, likely))}, whose vectors "
            "differ; write it as one of them."
        )
    return likely[0] if likely else None


def _missing(label: str, missing: Sequence[str], folded: Mapping[str, list[str]]) -> str:
    lines = []
    for name in missing:
        near = difflib.get_close_matches(_fold(name), folded, n=2, cutoff=0.6)
        known = " or ".join(repr(folded[word][0]) for word in near)
        lines.append(f"  {name!r}" + (f" (near: {known})" if known else ""))
    return (
        f"{label} has no vector for {len(missing)} class name(s):\n"
        + "\n".join(lines)
        + "\nCorrect the names, or use the encoder 'fasttext', which embeds any name."
    )
