"""What can be wrong with a media file, in words for its owner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import av


class DecodeError(ValueError):
    """The file is damaged, or holds something that the decoder cannot read."""


class NoStream(ValueError):  # noqa: N818 - an absence, not an error of the file
    """The file is sound, but has no picture or no sound."""


class TooShort(ValueError):  # noqa: N818 - likewise
    """The clip is shorter than one window."""


@contextmanager
def explained(path: str, doing: str) -> Iterator[None]:
    """Turn what FFmpeg raises into one line that names the file.

    Args:
        path: The file, for the message.
        doing: What is tried, such as ``"cannot open"``.

    Raises:
        FileNotFoundError: If there is no such file.
        MemoryError: If memory ran out.
        DecodeError: For everything else that FFmpeg complains about.
    """
    try:
        yield
    except av.error.FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: there is no such file.") from error
    except av.error.MemoryError as error:
        raise MemoryError(f"{path}: {doing}: out of memory.") from error
    except av.error.FFmpegError as error:
        raise DecodeError(f"{path}: {doing}: {error.strerror or error}.") from error
    except IndexError as error:
        # PyAV, when a stream turns up midway that the header does not name (MPEG-TS).
        raise DecodeError(f"{path}: {doing}: its streams change midway.") from error
