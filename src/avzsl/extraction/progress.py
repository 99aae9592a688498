"""How far an extraction is: a bar in place on a terminal, one line a minute in a log."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import Self, TextIO

_log = logging.getLogger(__name__)

_TERMINAL_SECONDS = 0.2
_LOG_SECONDS = 60.0
_BAR_WIDTH = 24


class Progress:
    """Counts finished clips and says so now and then; a context manager."""

    def __init__(self, total: int, label: str, *, stream: TextIO | None = None) -> None:
        """Begin to count.

        Args:
            total: Number of clips to do.
            label: What is being done, in front of every line.
            stream: Where the bar goes, if it is a terminal; None means stderr.
        """
        self.total = total
        self.done = 0
        self.media_seconds = 0.0
        self._label = label
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._every_seconds = _TERMINAL_SECONDS if self._terminal else _LOG_SECONDS
        self._started = self._said = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._terminal and self.total:
            self._stream.write(f"\r{self.line()}\n")
            self._stream.flush()

    def advance(self, media_seconds: float) -> None:
        """Count one more clip of this length."""
        self.done += 1
        self.media_seconds += media_seconds
        now = time.monotonic()
        if now - self._said < self._every_seconds:
            return
        self._said = now
        if self._terminal:
            self._stream.write(f"\r{self.line()}")
            self._stream.flush()
        else:
            _log.info("%s", self.line())

    def line(self) -> str:
        """Return clips done, clips a second, and seconds of media a second (real-time factor)."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        filled = _BAR_WIDTH * self.done // max(self.total, 1)
        bar = f" [{'#' * filled}{'.' * (_BAR_WIDTH - filled)}]" if self._terminal else ":"
        return (
            f"{self._label}{bar} {self.done}/{self.total} clips, "
            f"{self.done / seconds:.1f} clips/s, {self.media_seconds / seconds:.1f} x real time"
        )
