"""``described-clip``: class names and their descriptions through the text half of CLIP, averaged.

Chen et al., "Boosting Audio-visual Zero-shot Learning with Large Language Models", 2023 (KDA). For
each class a language model said what it is, how it looks and how it sounds; the class embedding is
the mean of CLIP's embeddings of the name and of these three texts.

*Descriptions*: CSV files (``descriptions.py``): the published ones, which ``avzsl fetch splits``
gets (https://github.com/chenhaoxing/KDA, Apache-2.0), or those that ``avzsl describe`` writes. Of
several files that is taken which describes all classes of the data set.

*Preprocessing*: the name as ``clip-text`` has it; a description as it is, lower-cased, in byte-pair
tokens, cut to 77. All published ones fit.

*Output*: the mean of the projections, which are not normalised, as in KDA's code; 512 values (base
models) or 768 (large). KDA does not say which CLIP it used; 512 values have the base models.

*Checkpoints*: those of ``clip-text``.

Shapes: K classes, P parts of a class, U distinct texts, D features.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from itertools import chain
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from avzsl.encoders.base import EncoderSpec, encoders
from avzsl.encoders.clip_text import ClipText, ClipTextOptions
from avzsl.encoders.descriptions import (
    PARTS,
    Descriptions,
    Row,
    description_files,
    lacking,
    read_descriptions,
)
from avzsl.encoders.prompts import prompted
from avzsl.options import as_dict, options
from avzsl.provenance import digest, encoder_fingerprint

_log = logging.getLogger(__name__)


def _distinct(parts: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(parts)) < len(parts):
        raise ValueError(f"expected each part once, got {', '.join(parts)}")
    return parts


@options
class DescribedClipOptions(ClipTextOptions):
    """Options of ``described-clip``."""

    prompt: str = "{}"
    """Text around the class name, which stands at ``{}``; descriptions have none."""
    descriptions: str = "resources/splits"
    """File of descriptions (CSV), or the folder of splits that ``avzsl fetch splits`` fills: of its
    files that is taken which describes all classes."""
    parts: Annotated[
        tuple[Literal["name", "d1", "d2", "d3"], ...],
        Field(min_length=1),
        AfterValidator(_distinct),
    ] = ("name", "d1", "d2", "d3")
    """What is averaged: the class name, what it is (d1), how it looks (d2), how it sounds (d3)."""
    normalise_parts: bool = False
    """Whether each part's vector is scaled to length 1 before the mean; KDA does not."""
    alignment: Literal["name", "row"] = "name"
    """``name`` joins descriptions by class name. ``row`` is the published behaviour: the row at the
    class's place among the sorted original names, which is another class's for 8 of 200 classes of
    ActivityNet and 205 of 309 of VGGSound; for UCF it is right."""


@encoders.register("described-clip")
class DescribedClip(ClipText):
    """Class names with their descriptions by CLIP, averaged."""

    kind = "described-clip"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="class names and their descriptions, text half of CLIP, averaged (KDA)",
        paper="chen2023kda",
        licence="MIT",
        preprocessing="the name in the prompt, and its descriptions; up to 77 byte-pair tokens",
        output="mean of the projected texts, not normalised; 512-d (base) or 768-d (large)",
    )
    Options = DescribedClipOptions
    options: DescribedClipOptions

    @property
    def fingerprint(self) -> str:
        """The id of this encoder; what is described enters ``fingerprint_of``, by content."""
        own = as_dict(self.options)
        values = {name: own[name] for name in own if name not in ("weights", "descriptions")}
        return encoder_fingerprint(self.kind, self.spec.revision, values, self.weights_id)

    def fingerprint_of(self, names: Sequence[str]) -> str:
        """Return the id of the vectors of these classes: their own descriptions count.

        Raises:
            ValueError: If classes have no description; the message names them all.
            MissingWeightsError: If there are no descriptions at all, or no weights.
        """
        return digest(self.fingerprint, self.texts(names))

    def encode(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Return [K, D], a vector per class.

        Raises:
            ValueError: If classes have no description; the message names them all.
            MissingWeightsError: If there are no descriptions at all.
        """
        texts = self.texts(names)
        places = {text: place for place, text in enumerate(dict.fromkeys(chain(*texts)))}
        self._warn_of_long(list(places))
        vectors_UD = self.embed(list(places))
        if self.options.normalise_parts:
            vectors_UD /= np.linalg.norm(vectors_UD, axis=1, keepdims=True)
        rows_KP = [[places[text] for text in parts] for parts in texts]
        return vectors_UD[rows_KP].mean(axis=1)

    def texts(self, names: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the P texts of each class.

        Raises:
            ValueError: If classes have no description; the message names them all.
            MissingWeightsError: If there are no descriptions at all.
        """
        by_row = self.options.alignment == "row"
        rows = self._rows(names)
        called = prompted([row[0] for row in rows] if by_row else names, self.options.prompt)
        whole = [(name, *row[1:]) for name, row in zip(called, rows, strict=True)]
        chosen = [PARTS.index(part) for part in self.options.parts]
        return [tuple(texts[place] for place in chosen) for texts in whole]

    @functools.cached_property
    def _files(self) -> list[Descriptions]:
        return [read_descriptions(path) for path in description_files(self.options.descriptions)]

    def _rows(self, names: Sequence[str]) -> list[Row]:
        """Return the row of each class, all from one file."""
        by_row = self.options.alignment == "row"
        files = [file for file in self._files if file.has_class_ids or not by_row]
        if not files:
            raise ValueError(
                "alignment 'row' needs a benchmark's own descriptions with its class names beside "
                f"them, as 'avzsl fetch splits' puts them; {self._files[0].path} has none."
            )
        found = [self._rows_of(file, names) for file in files]
        whole = [rows for rows in found if None not in rows]
        if len({tuple(rows) for rows in whole}) > 1:
            named = [str(f.path) for f, rows in zip(files, found, strict=True) if rows in whole]
            raise ValueError(
                f"{' and '.join(named)} describe all of the classes, each in its own words; give "
                "the one that is meant as 'descriptions'."
            )
        if whole:
            return [row for row in whole[0] if row is not None]
        best = min(range(len(found)), key=lambda place: found[place].count(None))
        missing = [name for name, row in zip(names, found[best], strict=True) if row is None]
        raise ValueError(lacking(files[best], missing))

    def _rows_of(self, file: Descriptions, names: Sequence[str]) -> list[Row | None]:
        """Return the row of each class in a file; None where a text that is needed is not there."""
        find = file.by_class_id if self.options.alignment == "row" else file.by_name
        needed = [PARTS.index(part) for part in self.options.parts]
        rows = [find(name) for name in names]
        return [row if row and all(row[place] for place in needed) else None for row in rows]

    def _warn_of_long(self, texts: Sequence[str]) -> None:
        places = int(self.sizes["text_config"]["max_position_embeddings"])
        tokens = self.tokenizer(texts, length=places + 1, cleaning=self.cleaning)
        cut = [text for text, row in zip(texts, tokens, strict=True) if row[-1]]
        if cut:
            _log.warning(
                "%s: %d of %d texts have more than %d tokens and lose their ends, such as %r",
                self.kind,
                len(cut),
                len(texts),
                places,
                cut[0],
            )
