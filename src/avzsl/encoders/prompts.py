"""How a class name becomes the text that a language model reads.

Data sets write their classes in different ways: ``playing violin fiddle`` (VGGSound),
``ApplyEyeMakeup`` (UCF101), ``Applying_sunscreen`` (others). A text encoder first turns the name
into words, then puts the words into its ``prompt``, a template with one ``{}``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

PLACE = "{}"
"""Where the class name stands in a prompt."""

_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Between the words of ``CamelCase``, and behind the capitals of ``HTMLPage``."""


def split_name(name: str) -> str:
    """Return a class name as words with single spaces between them.

    Underscores are spaces. A name of one word in ``CamelCase`` is split, and its words become
    lower-case, except abbreviations in capitals. Names with spaces keep their spelling:

        ApplyEyeMakeup          apply eye makeup
        Applying_sunscreen      Applying sunscreen
        TVSet                   TV set
        driving a McLaren       driving a McLaren
    """
    words = name.replace("_", " ").split()
    if len(words) == 1:
        parts = _BOUNDARY.split(words[0])
        if len(parts) > 1:
            words = [part if len(part) > 1 and part.isupper() else part.lower() for part in parts]
    return " ".join(words)


def check_prompt(prompt: str) -> None:
    """Refuse a template that has no one place for the name.

    Raises:
        ValueError: If ``prompt`` does not hold ``{}`` exactly once.
    """
    if prompt.count(PLACE) != 1:
        raise ValueError(f"A prompt holds {PLACE!r} once, for the class name; got {prompt!r}.")


def prompted(names: Sequence[str], prompt: str = PLACE) -> list[str]:
    """Return the text of each class name: its words within the prompt.

    Args:
        names: Class names as the data set writes them.
        prompt: Template with one ``{}``; other braces stay as they are.

    Raises:
        ValueError: If names hold no word (the message names them all), or the prompt is no
            template.
    """
    check_prompt(prompt)
    wordless = [name for name in names if not any(c.isalnum() for c in name)]
    if wordless:
        raise ValueError(
            "A class name needs at least one letter or digit; there is none in "
            + ", ".join(map(repr, wordless))
            + "."
        )
    before, after = prompt.split(PLACE)
    return [before + split_name(name) + after for name in names]
