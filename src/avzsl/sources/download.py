"""Files from the net to disk: resumed where they were cut off, verified, never half there."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO

from avzsl.sources.hashing import file_sha256
from avzsl.sources.table import Source, SourceFile

_log = logging.getLogger(__name__)

SUMS_NAME = "SHA256SUMS"
"""Beside the files of a checkpoint: their hashes at first sight, as ``sha256sum -c`` reads them."""
ATTEMPTS = 5
TIMEOUT_SECONDS = 60.0
BLOCK = 2**20


def fetch_file(url: str, target: Path) -> None:
    """Write what is at an address to a file, resumed and tried again as needed.

    Raises:
        OSError: If it cannot be had.
    """
    _fetch_file(SourceFile(name=target.name, url=url), target, pause_seconds=2.0)


def fetch_source(source: Source, folder: Path, *, pause_seconds: float = 2.0) -> Path:
    """Bring all files of a published checkpoint to ``folder/<name>`` and verify them.

    Args:
        source: From the table of weights.
        folder: The folder of weights.
        pause_seconds: Wait after the first failed attempt; doubled after each.

    Returns:
        The folder of the checkpoint.

    Raises:
        ValueError: If a file has another hash than documented, or than when it was first there.
        OSError: If a file cannot be had; what came of it is kept, and the next call goes on there.
    """
    place = folder / source.name
    place.mkdir(parents=True, exist_ok=True)
    by_hand = [
        file.name for file in source.files if not file.url and not (place / file.name).is_file()
    ]
    for file in source.files:
        target = place / file.name
        if not target.is_file() and file.url:
            _fetch_file(file, target, pause_seconds=pause_seconds)
        if target.is_file():
            _verify(file, target, folder)
    if by_hand:
        raise FileNotFoundError(
            f"{source.name}: {', '.join(by_hand)} cannot be fetched by a program. {source.how} "
            f"Put it into {place}."
        )
    return place


def _fetch_file(file: SourceFile, target: Path, *, pause_seconds: float) -> None:
    """Download one file, unpacked if it is a member of an archive."""
    partial = target.with_name(f".{target.name}.partial")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _download(file.url, partial, target.name)
            break
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                raise OSError(_refusal(file, error)) from None
            problem: Exception = error
        except (OSError, HTTPException) as error:
            problem = error
        if attempt == ATTEMPTS:
            raise OSError(
                f"{file.url}: {problem}. What came is kept; the same command goes on there."
            )
        _log.warning("%s: %s; attempt %d of %d", target.name, problem, attempt + 1, ATTEMPTS)
        time.sleep(pause_seconds * 2 ** (attempt - 1))
    if file.member:
        _unpack(partial, file.member, target)
    else:
        partial.replace(target)


def _refusal(file: SourceFile, error: urllib.error.HTTPError) -> str:
    hint = ""
    if error.code in (401, 403):
        hint = (
            " The publisher wants consent: accept the licence on the model's page, make an access "
            "token there, and set HF_TOKEN to it."
        )
    return f"{file.url}: {error.code} {error.reason}.{hint}"


def _download(url: str, partial: Path, name: str) -> None:
    """Append what is missing of a file."""
    have = partial.stat().st_size if partial.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "avzsl"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    token = os.environ.get("HF_TOKEN")
    if token and url.startswith("https://huggingface.co/"):
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        response: HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing is left: the file was whole already
            return
        raise
    with response, partial.open("ab") as out:
        if response.status != 206 and have:  # the server sends the whole file again
            out.truncate(0)
            have = 0
        left = response.headers.get("Content-Length")
        total = have + int(left) if left else None
        _copy(response, out, name, have, total)
    size = partial.stat().st_size
    if total is not None and size != total:
        raise OSError(f"the connection ended after {size:,} of {total:,} bytes")


def _copy(source: HTTPResponse, out: BinaryIO, name: str, have: int, total: int | None) -> None:
    from tqdm import tqdm

    # A bar on a terminal, a line a minute in a log.
    every = 0.1 if sys.stderr.isatty() else 60.0
    with tqdm(
        total=total, initial=have, unit="B", unit_scale=True, desc=name, mininterval=every
    ) as bar:
        while block := source.read(BLOCK):
            out.write(block)
            bar.update(len(block))


def _unpack(archive: Path, member: str, target: Path) -> None:
    """Take one member out of a zip archive and delete the archive."""
    aside = target.with_name(f".{target.name}.unpacking")
    try:
        with (
            zipfile.ZipFile(archive) as zipped,
            zipped.open(member) as packed,
            aside.open("wb") as out,
        ):
            shutil.copyfileobj(packed, out, BLOCK)
    except (zipfile.BadZipFile, KeyError) as error:
        archive.unlink()
        raise ValueError(
            f"{target.name}: the archive is damaged or holds no {member} ({error})."
        ) from None
    aside.replace(target)
    archive.unlink()


def _verify(file: SourceFile, target: Path, folder: Path) -> None:
    """Compare a file's hash with the documented one, else with the one at first sight."""
    found = file_sha256(target, cache_folder=folder)
    with _sums(target.parent) as sums:
        expected = file.sha256 or sums.get(file.name, found)
        where = "documented" if file.sha256 else "recorded when it was first fetched"
        if found != expected:
            raise ValueError(
                f"{target}: its SHA-256 is {found}, {where} is {expected}. The file is damaged or "
                "another one: delete it and fetch it again."
            )
        sums[file.name] = found
    _log.info("%s: SHA-256 %s (%s)", target, found, where)


@contextlib.contextmanager
def _sums(place: Path) -> Iterator[dict[str, str]]:
    """Yield file -> hash as recorded, and record what was added."""
    path = place / SUMS_NAME
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    sums = {name: sha for sha, _, name in (line.partition("  ") for line in lines)}
    before = dict(sums)
    yield sums
    if sums != before:
        path.write_text("".join(f"{sha}  {name}\n" for name, sha in sums.items()), encoding="utf-8")
