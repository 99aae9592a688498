"""The published split files, class vectors and descriptions: a pinned commit, each file verified.

``splits.tsv`` names repository, commit, path and git's id of each file's content, so that what is
fetched is what was published, to the byte.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from avzsl.provenance import write_aside

TABLE_FILE = Path(__file__).with_name("splits.tsv")
ADDRESS = "https://raw.githubusercontent.com/{repository}/{commit}/{path}"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SplitFile:
    """One published file."""

    dataset: str
    repository: str
    commit: str
    path: str
    """Within the repository."""
    target: str
    """Below the folder of splits."""
    git_blob: str
    """Git's SHA-1 of the content."""

    @property
    def url(self) -> str:
        """Where it is published."""
        return ADDRESS.format(repository=self.repository, commit=self.commit, path=quote(self.path))


@functools.cache
def split_files() -> tuple[SplitFile, ...]:
    """Return all published files."""
    with TABLE_FILE.open(newline="", encoding="utf-8") as file:
        return tuple(SplitFile(**row) for row in csv.DictReader(file, delimiter="\t"))


def git_blob(path: Path) -> str:
    """Return git's id of a file's content."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def fetch_splits(
    dataset: str,
    folder: Path,
    *,
    download: Callable[[str, Path], None],
    local: Path | None = None,
) -> int:
    """Bring the files of a benchmark to ``folder`` and verify each.

    Args:
        dataset: vggsound, ucf or activitynet.
        folder: Where they go, in the layout of their repository.
        download: Writes what is at an address to a file.
        local: A folder that was filled in this way, to copy from instead.

    Returns:
        How many files were not there yet.

    Raises:
        LookupError: If there is no such benchmark.
        ValueError: If a file is not the published one.
        OSError: If a file cannot be had.
    """
    files = [file for file in split_files() if file.dataset == dataset]
    if not files:
        known = ", ".join(sorted({file.dataset for file in split_files()}))
        raise LookupError(f"There are no split files of {dataset!r}. Known: {known}.")
    # Files with one content are fetched once: the two splits share most.
    have: dict[str, Path] = {}
    new = 0
    for file in files:
        target = folder / file.target
        if not target.is_file():
            new += 1
            with write_aside(target) as partial:
                _get(file, partial, have.get(file.git_blob), download, local)
        else:
            _verify(target, file, str(target))
        have[file.git_blob] = target
    return new


def _get(
    file: SplitFile,
    target: Path,
    same: Path | None,
    download: Callable[[str, Path], None],
    local: Path | None,
) -> None:
    """Write one file from the nearest place that has it."""
    source = same or (local / file.target if local else None)
    if source is None:
        _log.info("%s", file.url)
        download(file.url, target)
    elif source.is_file():
        shutil.copyfile(source, target)
    else:
        raise FileNotFoundError(f"There is no file {source}; expected {file.url}.")
    _verify(target, file, str(source or file.url))


def _verify(path: Path, file: SplitFile, named: str) -> None:
    """Raise ValueError unless a file's content is the published one."""
    found = git_blob(path)
    if found != file.git_blob:
        raise ValueError(
            f"{named} is not the published file: git's id of its content is {found}, published is "
            f"{file.git_blob}. Delete it and fetch it again."
        )
