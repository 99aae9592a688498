"""Features that stay on disk: indexed like a tensor, read when they are.

Shapes: N rows of all clips, D values a row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from avzsl.shards.feature_index import FeatureIndex
from avzsl.shards.layout import FEATURES, Column


class StoredRows:
    """The rows of a column of some clips, one clip after the other, where the shards hold them.

    Attributes:
        shape: [N, D]
        device: Where the rows that are read come to: the CPU.
    """

    device = torch.device("cpu")

    def __init__(
        self, index: FeatureIndex, video_ids: Sequence[str], column: Column = FEATURES
    ) -> None:
        """Find the rows; none is read.

        Args:
            index: Of the shards.
            video_ids: The clips.
            column: ``FEATURES`` or ``TIMES``.

        Raises:
            LookupError: If a clip has no features.
            FileNotFoundError: If a shard is gone.
            ValueError: If a shard is damaged or has changed since the index was written.
        """
        self._shard_V, self._first_V, lengths_V = index.locate(video_ids)
        self._offsets = np.concatenate([[0], np.cumsum(lengths_V, dtype=np.int64)])
        self._reader = index.rows_of(column)
        self.shape = (int(self._offsets[-1]), self._reader.width)

    def __getitem__(self, places: Tensor) -> Tensor:
        """Return the rows at some places, of any shape, as [*places, D]."""
        wanted, back = np.unique(places.numpy(), return_inverse=True)
        clips = np.searchsorted(self._offsets, wanted, side="right") - 1
        shards = self._shard_V[clips]
        rows = self._first_V[clips] + wanted - self._offsets[clips]
        order = np.lexsort((rows, shards))
        read = torch.from_numpy(self._reader.read(shards[order], rows[order]))
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return read[torch.from_numpy(rank[back.reshape(places.shape)])]
