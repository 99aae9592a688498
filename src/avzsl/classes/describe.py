"""Descriptions of classes by a language model, written into a file that a person reviews.

For each class and each aspect (what it is, how it looks, how it sounds) a causal language model of
``transformers`` goes on from a prompt. What comes is one cell of a CSV file
(``encoders/descriptions.py``); the file is written anew after each class, so that a killed run goes
on where it was, and cells that hold text are never touched: correct what is wrong there by hand.

A cell's random numbers follow from the seed, the class and the aspect alone, so that a file that
was made in several runs is that of one run.

Shapes: L tokens.
"""

from __future__ import annotations

import csv
import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field

from avzsl.encoders.descriptions import COLUMNS, fold, read_rows
from avzsl.encoders.prompts import PLACE, check_prompt, split_name
from avzsl.options import options
from avzsl.provenance import write_aside

_log = logging.getLogger(__name__)

ASPECTS = COLUMNS[1:]
"""Columns that are written."""


@options
class DescribeOptions:
    """How descriptions are written."""

    what_it_is: str = (
        'Define "{}" in one or two plain sentences of at most 40 words. Answer with the '
        "definition alone."
    )
    """Prompt of ``description_1``; the class name stands at ``{}``."""
    how_it_looks: str = (
        "Describe in one or two plain sentences of at most 40 words what is seen in a video of "
        '"{}". Answer with the description alone.'
    )
    """Prompt of ``description_2``."""
    how_it_sounds: str = (
        "Describe in one or two plain sentences of at most 40 words what is heard in a video of "
        '"{}". Answer with the description alone.'
    )
    """Prompt of ``description_3``."""
    sampling: Literal["greedy", "sample"] = "greedy"
    """``greedy`` takes the likeliest token each time, ``sample`` draws."""
    temperature: Annotated[float, Field(gt=0, le=10)] = 0.7
    """Of ``sample``: above 1 more varied, below 1 less."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Of ``sample``: the likeliest tokens with this probability together are drawn from."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of ``sample``."""
    max_tokens: Annotated[int, Field(ge=1, le=2048)] = 120
    """Tokens of a description at most. CLIP reads 77 of its own, some 50 words."""
    sentences: Annotated[int, Field(ge=1, le=20)] = 2
    """Sentences of a description at most."""

    @property
    def prompts(self) -> dict[str, str]:
        """Column -> prompt."""
        texts = (self.what_it_is, self.how_it_looks, self.how_it_sounds)
        return dict(zip(ASPECTS, texts, strict=True))


class Writer(Protocol):
    """A language model."""

    def __call__(self, prompt: str, seed: int) -> str:
        """Return what follows the prompt, as it comes."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a run did."""

    cells: int
    """Descriptions that were written."""
    kept: int
    """Descriptions that were there before."""
    empty: tuple[str, ...]
    """Classes of which the model wrote nothing for an aspect."""


def undescribed(names: Sequence[str], path: Path) -> list[str]:
    """Return the classes that lack a description in a file.

    Raises:
        ValueError: If the file has other columns.
    """
    _, rows = _read(path)
    whole = {fold(row["name"]) for row in rows if all(_texts(row)[aspect] for aspect in ASPECTS)}
    return [name for name in names if fold(name) not in whole]


def describe_classes(
    names: Sequence[str], path: Path, writer: Writer, options: DescribeOptions
) -> Written:
    """Write what is not yet described into a file, class by class.

    Args:
        names: The classes, as they will stand in the file.
        path: The CSV file; made if it is not there.
        writer: The language model.
        options: Prompts, seed, and length.

    Raises:
        ValueError: If a prompt has no place for the name, or the file has other columns.
    """
    for prompt in options.prompts.values():
        check_prompt(prompt)
    cells, kept, empty = 0, 0, []
    for number, name in enumerate(names, start=1):
        known = _cells_of(path, name)
        texts = {
            aspect: describe(name, aspect, writer, options)
            for aspect in ASPECTS
            if not known.get(aspect)
        }
        kept += len(ASPECTS) - len(texts)
        cells += sum(map(bool, texts.values()))
        if not all(texts.values()):
            empty.append(name)
        if texts:
            fill_in(path, name, texts)
            _log.info("%d of %d: %s", number, len(names), name)
    return Written(cells=cells, kept=kept, empty=tuple(empty))


def describe(name: str, aspect: str, writer: Writer, options: DescribeOptions) -> str:
    """Return the description of one aspect of a class; empty if the model has nothing to say."""
    before, after = options.prompts[aspect].split(PLACE)
    word = f"{options.seed}\0{aspect}\0{name}".encode()
    seed = int.from_bytes(hashlib.blake2b(word, digest_size=4).digest(), "big")
    said = writer(before + split_name(name) + after, seed)
    return tidy(said, options.sentences)


_END = re.compile(r"[.!?][\"'”’)\]]*(?=\s+[\"'“‘(\[]?[A-Z0-9]|\s*$)")
"""The end of a sentence: what follows begins with a capital, or nothing follows."""
_LABEL = re.compile(r"^(answer|definition|description|assistant)\s*:\s*", re.IGNORECASE)


def tidy(text: str, sentences: int) -> str:
    """Return the first sentences of what a model said, as one line.

    The first paragraph counts. A last sentence that was cut off is left out, unless it is the only
    one; so are quotes around the whole, and a label such as "Answer:".
    """
    paragraph = re.split(r"\n\s*\n", text.strip(), maxsplit=1)[0]
    line = _LABEL.sub("", " ".join(paragraph.split()))
    quoted = re.fullmatch(r'"([^"]+)"|“([^“”]+)”', line)
    if quoted:
        line = (quoted[1] or quoted[2]).strip()
    ends = [found.end() for found in _END.finditer(line)]
    return line[: ends[min(sentences, len(ends)) - 1]] if ends else line


def is_complete(text: str, sentences: int) -> bool:
    """Return whether further text would be cut off: the sentences are there, and more has begun."""
    text = text.lstrip()
    if re.search(r"\n\s*\n", text):
        return True
    ends = [found.end() for found in _END.finditer(text)]
    return len([end for end in ends if text[end:].strip()]) >= sentences


def fill_in(path: Path, name: str, texts: Mapping[str, str]) -> None:
    """Write descriptions of a class into the empty cells of its row, all other text untouched.

    Args:
        path: The CSV file; made if it is not there.
        name: The class; a row is added at the end if it has none.
        texts: Column -> text.

    Raises:
        ValueError: If the file has other columns.
    """
    columns, rows = _read(path)
    row = next((row for row in rows if fold(row["name"]) == fold(name)), None)
    if row is None:
        row = dict.fromkeys(columns, "") | {"name": name}
        rows.append(row)
    for column, text in texts.items():
        if not (row[column] or "").strip():
            row[column] = text
    with write_aside(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def _cells_of(path: Path, name: str) -> dict[str, str]:
    """Return column -> text of a class, without blanks; empty if it has no row."""
    _, rows = _read(path)
    return next((_texts(row) for row in rows if fold(row["name"]) == fold(name)), {})


def _texts(row: Mapping[str, str | None]) -> dict[str, str]:
    return {column: (text or "").strip() for column, text in row.items()}


def _read(path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Return columns and rows of a file; those of an empty one if it is not there."""
    if not path.is_file():
        return list(COLUMNS), []
    read_rows(path)  # refuses what is no file of descriptions
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        return list(reader.fieldnames or ()), list(reader)
