"""Batches of windows across clips, and what to do when one fails.

Shapes: N windows of a clip, B windows of a batch, D values a feature.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avzsl.types import Failure

_log = logging.getLogger(__name__)
_REASON_CHARACTERS = 300


@dataclass(frozen=True)
class _Piece:
    """Windows of one clip within one batch."""

    video_id: str
    windows: Tensor


class WindowBatcher:
    """Fills batches whatever the clips' lengths, encodes them, and sorts the vectors by clip.

    Vectors stay on the device until ``finish``, so that a GPU is not waited for batch by batch.
    A batch that fails is halved until the clips at fault are found; the others keep their vectors.
    """

    def __init__(self, encode: Callable[[Tensor], Tensor], *, dim: int, batch_windows: int) -> None:
        """Begin with no windows.

        Args:
            encode: Windows [B, ...] to vectors [B, D] float32.
            dim: The length D that the vectors must have.
            batch_windows: The largest B; halved for good when the device lacks memory.
        """
        self.batch_windows = batch_windows
        self._encode = encode
        self._dim = dim
        self._pending: list[_Piece] = []
        self._vectors: dict[str, list[Tensor]] = defaultdict(list)
        self._failures: dict[str, Failure] = {}
        self._reasons_seen: set[str] = set()

    def add(self, video_id: str, windows: Tensor) -> None:
        """Queue the windows [N, ...] of a clip; full batches are encoded at once."""
        if self._pending and self._pending[-1].windows.shape[1:] != windows.shape[1:]:
            self._flush()  # an encoder may give windows of several sizes; a batch has one
        start = 0
        while start < len(windows):
            room = self.batch_windows - sum(len(piece.windows) for piece in self._pending)
            piece = _Piece(video_id, windows[start : start + room])
            start += len(piece.windows)
            self._pending.append(piece)
            if len(piece.windows) == room:
                self._flush()

    def fail(self, video_id: str, error: Exception | str) -> None:
        """Give a clip up; the first time that a reason occurs, the log shows where it arose."""
        reason = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        reason = " ".join(reason.replace("\0", " ").split())[:_REASON_CHARACTERS]
        reason = reason.encode("utf-8", "replace").decode()
        new = reason not in self._reasons_seen
        self._reasons_seen.add(reason)
        trace = error if new and isinstance(error, Exception) else None
        level = logging.WARNING if new else logging.INFO
        _log.log(level, "%s cannot be encoded: %s", video_id, reason, exc_info=trace)
        self._failures[video_id] = Failure(video_id=video_id, stage="encode", reason=reason)

    def finish(self) -> tuple[dict[str, NDArray[np.float32]], dict[str, Failure]]:
        """Encode what is queued, and return and forget everything since the last call.

        Returns:
            The vectors [N, D] of each clip that has them, and the failures of the others.
        """
        self._flush()
        vectors, self._vectors = self._vectors, defaultdict(list)
        features: dict[str, NDArray[np.float32]] = {}
        if vectors:
            counts = [sum(len(piece) for piece in pieces) for pieces in vectors.values()]
            pieces = [piece for clip_pieces in vectors.values() for piece in clip_pieces]
            together = torch.cat(pieces).cpu().numpy()  # one transfer, one wait
            rows = np.split(together, np.cumsum(counts)[:-1])
            features = dict(zip(vectors, rows, strict=True))
        for video_id, values in features.items():
            bad = int((~np.isfinite(values)).any(axis=1).sum())
            if bad and video_id not in self._failures:
                self.fail(video_id, f"{bad} of {len(values)} windows give NaN or infinity")
        failures, self._failures = self._failures, {}
        return {k: v for k, v in features.items() if k not in failures}, failures

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        self._encode_pieces([p for p in pending if p.video_id not in self._failures])

    def _encode_pieces(self, pieces: Sequence[_Piece]) -> None:
        """Encode one batch; split it where that fails."""
        if not pieces:
            return
        outcome = self._attempt(pieces)
        clips = list(dict.fromkeys(piece.video_id for piece in pieces))
        if isinstance(outcome, Tensor):
            rows = outcome.split([len(piece.windows) for piece in pieces])
            for piece, vectors in zip(pieces, rows, strict=True):
                self._vectors[piece.video_id].append(vectors)
        elif isinstance(outcome, torch.OutOfMemoryError):
            self._encode_in_halves(pieces)
        elif len(clips) == 1:
            self.fail(clips[0], outcome)
        else:
            half = set(clips[: len(clips) // 2])
            self._encode_pieces([p for p in pieces if p.video_id in half])
            self._encode_pieces([p for p in pieces if p.video_id not in half])

    def _attempt(self, pieces: Sequence[_Piece]) -> Tensor | Exception:
        """Return the vectors of one batch, or what went wrong."""
        try:
            return self._encode_checked(torch.cat([piece.windows for piece in pieces]))
        except torch.OutOfMemoryError as error:
            return error.with_traceback(None)  # whose frames would hold on to the memory
        except Exception as error:
            return error

    def _encode_checked(self, windows: Tensor) -> Tensor:
        vectors = self._encode(windows)
        if vectors.shape != (len(windows), self._dim) or vectors.dtype != torch.float32:
            raise ValueError(
                f"The encoder gave {tuple(vectors.shape)} {vectors.dtype} for {len(windows)} "
                f"windows; expected {(len(windows), self._dim)} torch.float32."
            )
        return vectors

    def _encode_in_halves(self, pieces: Sequence[_Piece]) -> None:
        """Make all batches half as large from now on, and encode these windows so."""
        windows = sum(len(piece.windows) for piece in pieces)
        if windows == 1:
            raise OSError(
                "A single window does not fit into the memory of the GPU. Free its memory, use a "
                "larger GPU, or extract on the CPU (device cpu)."
            )
        torch.cuda.empty_cache()
        self.batch_windows = windows // 2
        _log.warning(
            "The GPU lacks the memory for %d windows; batches have %d from now on. Set "
            "extraction.batch_windows to that to save the attempt.",
            windows,
            self.batch_windows,
        )
        size = self.batch_windows  # which may shrink again below
        for start in range(0, windows, size):
            self._encode_pieces(_slice(pieces, start, start + size))


def _slice(pieces: Sequence[_Piece], start: int, end: int) -> list[_Piece]:
    """Return the windows ``start`` to ``end`` of a batch."""
    taken, first = [], 0
    for piece in pieces:
        low, high = max(start - first, 0), max(end - first, 0)
        if len(part := piece.windows[low:high]):
            taken.append(_Piece(piece.video_id, part))
        first += len(piece.windows)
    return taken
