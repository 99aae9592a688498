"""Does a file end before its own header says?

A download that broke off often opens and plays, only shorter. The outermost layer of the three
families of containers in use gives the size of its parts, so a lost tail is seen without decoding:

    MP4, MOV    boxes      [size][type] ...              ISO/IEC 14496-12, section 4.2
    AVI, WAV    RIFF       'RIFF' [size] ...             Microsoft and IBM, RIFF, 1991
    WebM, MKV   EBML       header, Segment [id][size]    RFC 8794, sections 4 to 6

Streams without such a size (MPEG-TS, live recordings) cannot be checked and count as whole.
"""

from __future__ import annotations

import os
from typing import BinaryIO

_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"styp", b"pnot"}
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"


def missing_bytes(path: str | os.PathLike[str]) -> int:
    """Return how many bytes the file lacks at its end; 0 if it is whole or cannot be checked."""
    with open(path, "rb") as file:  # noqa: PTH123 - a name may be relative and begin with '-'
        size = os.fstat(file.fileno()).st_size
        head = file.read(12)
        if head[:4] == b"RIFF":
            end = _riff_end(head)
        elif head[4:8] in _BOXES:
            end = _boxes_end(file, size)
        elif head[:4] == _EBML:
            end = _segment_end(file)
        else:
            end = 0
    return max(0, end - size)


def _riff_end(head: bytes) -> int:
    """Return where the RIFF chunk ends; streaming writers leave its size 0 or all ones.

    The 8 bytes of the chunk's head should come on top, but some writers count them in.
    """
    size = int.from_bytes(head[4:8], "little")
    return 0 if size == 0xFFFFFFFF else size


def _boxes_end(file: BinaryIO, file_size: int) -> int:
    """Return where the last top-level box ends; a box of size 0 reaches to the file's end."""
    position = 0
    while position + 8 <= file_size:
        file.seek(position)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8:
            return 0
        position += size
    return position


def _segment_end(file: BinaryIO) -> int:
    """Return where the Segment ends; a live recording does not say."""
    file.seek(4)
    header_size = _ebml_number(file)
    if header_size is None:
        return 0
    file.seek(header_size, os.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return 0
    segment_size = _ebml_number(file)
    return 0 if segment_size is None else file.tell() + segment_size


def _ebml_number(file: BinaryIO) -> int | None:
    """Read a number of 1 to 8 bytes whose leading zero bits give its length; all ones is None."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(length - 1), "big")
    value -= 1 << (7 * length)
    return None if value == (1 << (7 * length)) - 1 else value
