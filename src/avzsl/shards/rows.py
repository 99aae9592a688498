"""Rows of a shard's columns by plain reads at known places, for many clips at random.

A feature shard is written in one piece, so that each of its columns lies in the file without gaps:
a row is found by counting. This costs no more than the read itself, needs no lock between threads
or forked processes, and what it reads is not counted as memory of the process.

Shapes: R rows asked for, W values a row.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from avzsl.shards.layout import Column


class RowReader:
    """Reads rows of one column of several shards. Files stay open until it is deleted.

    Attributes:
        width: Values W of a row.
    """

    def __init__(self, paths: Sequence[Path], column: Column, width: int) -> None:
        """Find the column in each shard.

        Args:
            paths: The shards; the caller has checked that they are.
            column: One with two dimensions.
            width: Values of a row.

        Raises:
            OSError: If a file cannot be opened.
            ValueError: If a column does not lie in one piece.
        """
        self.width = width
        self._dtype = column.dtype
        self._row_bytes = width * column.dtype.itemsize
        self._files: list[int] = []
        self._paths = list(paths)
        self._begins = [self._open(path, column) for path in paths]

    def _open(self, path: Path, column: Column) -> int:
        """Open a shard and return the byte at which the column begins."""
        with h5py.File(path, "r", locking=False) as file:
            held = file[column.name]
            begin = held.id.get_offset()
            if held.dtype != column.dtype or (begin is None and held.size):
                raise ValueError(
                    f"{path}: the column {column.name!r} was written by another program, with gaps "
                    "or another type. Make the shard again, or set memory.features to memory."
                )
        self._files.append(os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)))
        return begin or 0

    def __del__(self) -> None:
        for file in self._files:
            os.close(file)
        self._files = []

    def __reduce__(self) -> str:
        # A copy would close the files of the original.
        raise TypeError("A RowReader holds open files; make another one instead of a copy.")

    def read(self, shards_R: NDArray[np.int64], rows_R: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return [R, W] rows; ascending ones that follow one another are read at once.

        Args:
            shards_R: Place among ``paths`` of each row's shard.
            rows_R: Row within the shard.

        Raises:
            OSError: If a file cannot be read.
            ValueError: If it ends too early.
        """
        out_RW = np.empty((len(rows_R), self.width), self._dtype)
        together = (np.diff(rows_R) == 1) & (np.diff(shards_R) == 0)
        starts = np.concatenate([[0], np.flatnonzero(~together) + 1, [len(rows_R)]])
        for start, end in itertools.pairwise(starts):
            if start < end:
                self._read_run(int(shards_R[start]), int(rows_R[start]), out_RW[start:end])
        return out_RW

    def _read_run(self, shard: int, row: int, out_RW: NDArray[np.float32]) -> None:
        view = memoryview(out_RW.reshape(-1).view(np.uint8).data)
        place = self._begins[shard] + row * self._row_bytes
        while len(view):
            count = os.preadv(self._files[shard], [view], place)
            if not count:
                raise ValueError(f"{self._paths[shard]} ends too early; it was changed meanwhile.")
            view, place = view[count:], place + count
