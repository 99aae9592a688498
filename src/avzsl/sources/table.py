"""The table of published weights, ``weights.toml``: one entry a checkpoint.

Facts only: where the files are, how large, under which licence. Imports nothing heavy, for
``avzsl list`` and Snakemake read it.
"""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

from avzsl.registry import did_you_mean

TABLE_FILE = Path(__file__).with_name("weights.toml")
TABLE_VERSION = 1
"""Format of the table; a newer one is refused."""


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One file of a checkpoint."""

    name: str
    """Its name on disk, below the folder of the checkpoint."""
    url: str
    """Where it is published; empty where it must be got by hand (``Source.how``)."""
    sha256: str = ""
    """Documented hash; where there is none, that of the first download is recorded and holds."""
    member: str = ""
    """Name within a zip archive that is unpacked; empty where the download is the file."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One published checkpoint."""

    name: str
    title: str
    """One line."""
    page: str
    """Where its authors describe it."""
    licence: str
    commercial: bool
    """Whether the licence allows commercial use."""
    megabytes: int
    """Size of all files together, about."""
    layout: str
    """Whose names the tensors have."""
    files: tuple[SourceFile, ...]
    how: str = ""
    """What to do by hand, where no address leads to the files or they ask for consent."""

    @property
    def terms(self) -> str:
        """Return the licence, with a warning where it forbids commercial use."""
        return self.licence if self.commercial else f"{self.licence}, no commercial use"


@functools.cache
def sources() -> dict[str, Source]:
    """Return all published checkpoints by name.

    Raises:
        ValueError: If the table has a newer format.
    """
    table = tomllib.loads(TABLE_FILE.read_text(encoding="utf-8"))
    if table.pop("version") != TABLE_VERSION:
        raise ValueError(f"{TABLE_FILE.name} has another version than {TABLE_VERSION}.")
    return {name: _source(name, dict(entry)) for name, entry in table.items()}


def _source(name: str, entry: dict) -> Source:
    files = tuple(SourceFile(**file) for file in entry.pop("files"))
    return Source(name=name, files=files, **entry)


def get_source(name: str) -> Source:
    """Return a published checkpoint.

    Raises:
        LookupError: If there is none of that name; the message names the nearest ones.
    """
    if name not in sources():
        raise LookupError(f"There are no weights {name!r}. {did_you_mean(name, sources())}")
    return sources()[name]
