"""From what ``weights:`` says in the configuration to files on disk.

    weights: imagebind-huge         a published checkpoint, from the folder of weights
    weights: /data/imagebind.pth    a file or a folder of your own
    weights: random                 untrained, to try the workflow; every table says so
    weights: random:dino-vits16     untrained, in the sizes of a published checkpoint

The folder of weights is ``weights`` in the working directory, or ``AVZSL_WEIGHTS``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avzsl.provenance import digest
from avzsl.registry import did_you_mean
from avzsl.sources.hashing import file_sha256
from avzsl.sources.table import Source, sources

RANDOM = "random"


class MissingWeightsError(FileNotFoundError):
    """Weights that an encoder needs are not on disk; the message holds the command to get them."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The files of one checkpoint."""

    label: str
    """What the configuration calls it."""
    files: dict[str, tuple[Path, ...]]
    """For each pattern that the encoder asked for, what is there."""

    def file(self, pattern: str) -> Path:
        """Return the one file that a pattern found.

        Raises:
            ValueError: If it found several, so that it is not clear which is meant.
        """
        found = self.files[pattern]
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise ValueError(
                f"weights: {self.label!r} holds several files ({names}); give the path of one."
            )
        return found[0]

    @property
    def folder(self) -> Path:
        """The folder that the files lie in."""
        return next(iter(self.files.values()))[0].parent

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(path.stat().st_size for found in self.files.values() for path in found)

    @property
    def id(self) -> str:
        """Return what changes when the content of any file does, wherever the files lie."""
        cache = weights_folder()
        hashes = {
            pattern: [file_sha256(path, cache_folder=cache) for path in found]
            for pattern, found in self.files.items()
        }
        return digest("weights", hashes)


def weights_folder() -> Path:
    """Return the folder of published weights."""
    return Path(os.environ.get("AVZSL_WEIGHTS") or "weights").expanduser()


def is_random(weights: str) -> bool:
    """Return whether ``weights`` asks for an untrained network."""
    return weights == RANDOM or weights.startswith(f"{RANDOM}:")


def untrained_note(encoder: str) -> str:
    """Return what every result made with an untrained encoder says."""
    return f"{encoder} is UNTRAINED (weights: random), so the figures say nothing of the method"


def source_name(weights: str, published: Sequence[str]) -> str | None:
    """Return the published checkpoint that ``weights`` names, or whose sizes it asks for.

    Args:
        weights: As in the configuration.
        published: Names of the checkpoints that fit the encoder, the default first.

    Returns:
        None where ``weights`` is a path.

    Raises:
        LookupError: If it is no path and names none of them.
    """
    if weights == RANDOM:
        return published[0]
    name = weights.removeprefix(f"{RANDOM}:")
    if name in published:
        return name
    if _is_path(weights):
        return None
    raise LookupError(
        f"No weights {name!r} fit this encoder. {did_you_mean(name, published)} "
        "A path holds a slash or a dot."
    )


def find_checkpoint(weights: str, published: Sequence[str], patterns: Sequence[str]) -> Checkpoint:
    """Find the files of a checkpoint.

    Args:
        weights: A published name or a path, as in the configuration.
        published: Names of the checkpoints that fit the encoder.
        patterns: What must be there: file patterns, with alternatives as in ``*.pth|*.pt``; the
            first alternative that finds a file is taken, with all files that it finds. A pattern
            that begins with ``?`` need not find any.

    Raises:
        MissingWeightsError: If there is nothing; the message says how to get it.
        LookupError: If ``weights`` is no path and no name that fits.
    """
    name = source_name(weights, published)
    place = weights_folder() / name if name else Path(weights).expanduser()
    files: dict[str, tuple[Path, ...]] = {}
    for pattern in patterns:
        found = _matches(place, pattern.removeprefix("?"))
        if found:
            files[pattern] = found
        elif not pattern.startswith("?"):
            raise _missing(weights, place, pattern, sources().get(name or ""))
    return Checkpoint(label=weights, files=files)


def present(name: str) -> bool:
    """Return whether all files of a published checkpoint are on disk."""
    return all((weights_folder() / name / file.name).is_file() for file in sources()[name].files)


def _is_path(weights: str) -> bool:
    return not {"/", ".", "~", os.sep}.isdisjoint(weights)


def _matches(place: Path, pattern: str) -> tuple[Path, ...]:
    """Return what the first fruitful alternative of a pattern finds, sorted.

    A checkpoint that is given as a file has its companions (a tokenizer, PCA) in the same folder.
    """
    alternatives = pattern.split("|")
    if place.is_file() and any(place.match(alternative) for alternative in alternatives):
        return (place,)
    folder = place.parent if place.is_file() else place
    for alternative in alternatives:
        found = sorted(path for path in folder.glob(alternative) if path.is_file())
        if found:
            return tuple(found)
    return ()


def _missing(weights: str, place: Path, pattern: str, source: Source | None) -> MissingWeightsError:
    wanted = " or ".join(pattern.split("|"))
    if source is None:
        what = f"has no {wanted} beside it" if place.is_file() else f"holds no {wanted}"
        what = what if place.exists() else "is not there"
        return MissingWeightsError(f"weights: {weights!r} {what}.")
    return MissingWeightsError(
        f"The weights {source.name} are not in {place} (no {wanted}). Get them with: "
        f"avzsl fetch weights {source.name} ({source.megabytes:,} MB, {source.terms}). Or give a "
        "path of your own as 'weights', or 'random' to try the workflow with an untrained network."
    )
