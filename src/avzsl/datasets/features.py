"""The features of a dataset's clips, and batches of them by one gather.

They live on the GPU, in main memory or on disk; a batch is the same, to the last bit.

Shapes: V clips, ΣT tokens of all clips (N), B clips of a batch, T tokens of its longest clip,
D size of a feature.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avzsl.datasets.manifest import ManifestRow
from avzsl.datasets.residency import MemoryOptions
from avzsl.datasets.stored_rows import StoredRows
from avzsl.shards.feature_index import FeatureIndex
from avzsl.shards.layout import FEATURES, TIMES
from avzsl.sources.checkpoint import is_random, untrained_note
from avzsl.types import SUBSETS, Subset

_log = logging.getLogger(__name__)

_NAMED = 20
"""Classes that a warning names at most."""
_GPU_SHARE = 0.5
"""Share of the free memory of a GPU that features may take; the rest is for training."""
_COPY_VALUES = 2**24
"""Values in main memory at a time on their way to a GPU."""


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """The tokens of many clips, one clip after the other."""

    features_ND: Tensor | StoredRows
    """float32, on the device that batches are wanted on if they fit there, or on disk."""
    times_N: Tensor
    """Middle of each window in seconds, float32, on the same device."""
    offsets: NDArray[np.int64]
    """[V+1] tokens at which the clips begin; on the CPU, where batches are planned."""

    @property
    def dim(self) -> int:
        """Length D of one feature."""
        return self.features_ND.shape[1]

    def tokens(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the positions of all tokens of some clips, one clip after the other."""
        lengths = self.lengths(rows)
        begins = np.cumsum(lengths) - lengths
        return np.arange(lengths.sum()) + np.repeat(self.offsets[rows] - begins, lengths)

    def lengths(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return [B] how many tokens some clips have."""
        return self.offsets[rows + 1] - self.offsets[rows]

    def pad(
        self,
        rows: NDArray[np.int64],
        device: torch.device,
        stretches: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the tokens of some clips as padded sequences.

        Args:
            rows: [B] the clips.
            device: Where the sequences are wanted.
            stretches: [B] first token of each clip and [B] number of tokens; None means all.

        Returns:
            features_BTD, zero where padded; mask_BT, True where a token is real; times_BT in
            seconds, zero where padded.
        """
        starts, lengths = self.offsets[rows], self.lengths(rows)
        if stretches is not None:
            starts, lengths = starts + stretches[0], stretches[1]
        steps = np.arange(lengths.max())
        real = steps < lengths[:, None]
        places = torch.from_numpy(np.where(real, starts[:, None] + steps, 0))
        places_BT = places.to(self.features_ND.device, non_blocking=True)
        mask_BT = torch.from_numpy(real).to(device, non_blocking=True)
        features_BTD = self.features_ND[places_BT].to(device, non_blocking=True)
        times_BT = self.times_N[places_BT].to(device, non_blocking=True)
        return features_BTD * mask_BT.unsqueeze(-1), mask_BT, times_BT * mask_BT


@dataclass(frozen=True, kw_only=True)
class FeatureSet:
    """Clips with their classes, what each is used for, and their audio and visual features."""

    video_ids: tuple[str, ...]
    """[V]"""
    class_names: tuple[str, ...]
    """Classes that have a clip, sorted."""
    labels: NDArray[np.int64]
    """[V] row of each clip's class in ``class_names``."""
    subsets: NDArray[np.int64]
    """[V] place of each clip's subset in ``SUBSETS``."""
    audio: Sequences
    visual: Sequences
    features_ids: tuple[str, str]
    """Ids of the audio and the visual features."""
    notes: tuple[str, ...] = ()
    """What a reader of any result made with them must know."""

    @classmethod
    def read(
        cls,
        rows: Sequence[ManifestRow],
        audio: FeatureIndex,
        visual: FeatureIndex,
        *,
        device: torch.device,
        memory: MemoryOptions | None = None,
    ) -> FeatureSet:
        """Take the features of all clips that have both modalities.

        Clips without are counted in the log, and a class left without a clip in a subset is named
        in a warning: it takes no part there, and so never becomes an average over nothing.

        Args:
            rows: The manifest, or a part of it.
            audio: Index of the audio features.
            visual: Index of the visual features.
            device: Where the features are to live if they fit there.
            memory: Where they live otherwise; None means the defaults.

        Raises:
            ValueError: If no clip has both modalities, or the dataset's files are damaged.
        """
        both = set(audio.video_ids) & set(visual.video_ids)
        kept = [row for row in rows if row.video_id in both]
        _report_dropped(rows, kept)
        names = sorted({row.class_name for row in kept})
        number = {name: i for i, name in enumerate(names)}
        video_ids = tuple(row.video_id for row in kept)
        sequences = _place_sequences((audio, visual), video_ids, device, memory or MemoryOptions())
        return cls(
            video_ids=video_ids,
            class_names=tuple(names),
            labels=np.array([number[row.class_name] for row in kept], dtype=np.int64),
            subsets=np.array([SUBSETS.index(row.subset) for row in kept], dtype=np.int64),
            audio=sequences[0],
            visual=sequences[1],
            features_ids=(audio.features_id, visual.features_id),
            notes=tuple(untrained_note(i.header.encoder) for i in (audio, visual) if _untrained(i)),
        )

    def rows_of(self, *subsets: Subset) -> NDArray[np.int64]:
        """Return the rows of all clips of some subsets, ascending."""
        wanted = [SUBSETS.index(subset) for subset in subsets]
        return np.flatnonzero(np.isin(self.subsets, wanted))

    def classes_of(self, *subsets: Subset) -> tuple[str, ...]:
        """Return the classes that have a clip in some subsets, sorted."""
        labels = np.unique(self.labels[self.rows_of(*subsets)])
        return tuple(self.class_names[label] for label in labels)


def _untrained(index: FeatureIndex) -> bool:
    return is_random(str(index.header.options.get("weights", "")))


def _place_sequences(
    indices: tuple[FeatureIndex, FeatureIndex],
    video_ids: Sequence[str],
    device: torch.device,
    memory: MemoryOptions,
) -> list[Sequences]:
    """Put both modalities where they fit: the smaller one is placed first."""
    lengths = [index.lengths(video_ids) for index in indices]
    sizes = [
        int(own.sum()) * index.dim * FEATURES.dtype.itemsize
        for own, index in zip(lengths, indices, strict=True)
    ]
    left = memory.limit_bytes
    placed: dict[int, Sequences] = {}
    for which in sorted(range(len(indices)), key=lambda i: sizes[i]):
        index, size = indices[which], sizes[which]
        rows: Tensor | StoredRows
        where: str = memory.features
        if where == "auto" and size <= left:
            where = "memory"
        if memory.features != "disk" and _fits_gpu(size, device):
            rows, times = _to_gpu(StoredRows(index, video_ids), device), _times(index, video_ids)
            where = str(device)
        elif where == "memory":
            left -= size
            ragged = index.read(video_ids)
            rows, times = torch.from_numpy(ragged.features), _middles(ragged.times)
        else:
            rows, times, where = StoredRows(index, video_ids), _times(index, video_ids), "disk"
        _log.info("%s features: %.1f MB, %s", index.modality, size / 1e6, where)
        offsets = np.concatenate([[0], np.cumsum(lengths[which], dtype=np.int64)])
        placed[which] = Sequences(features_ND=rows, times_N=times.to(rows.device), offsets=offsets)
    return [placed[which] for which in range(len(indices))]


def _fits_gpu(size: int, device: torch.device) -> bool:
    return device.type == "cuda" and size <= _GPU_SHARE * torch.cuda.mem_get_info(device)[0]


def _to_gpu(stored: StoredRows, device: torch.device) -> Tensor:
    """Return all rows on the GPU; a part of them at a time is in main memory."""
    rows_ND = torch.empty(stored.shape, device=device)
    for block in torch.arange(len(rows_ND)).split(max(1, _COPY_VALUES // stored.shape[1])):
        rows_ND[block[0] : block[-1] + 1] = stored[block].to(device)
    return rows_ND


def _times(index: FeatureIndex, video_ids: Sequence[str]) -> Tensor:
    stored = StoredRows(index, video_ids, TIMES)
    return _middles(stored[torch.arange(stored.shape[0])].numpy())


def _middles(times_N2: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(times_N2.mean(axis=1).astype(np.float32))


def _report_dropped(rows: Sequence[ManifestRow], kept: Sequence[ManifestRow]) -> None:
    """Log what has no features; refuse to go on with nothing."""
    if not kept:
        raise ValueError(
            f"None of the {len(rows)} clips has both audio and visual features; "
            "see the failures in the feature indices with: avzsl show"
        )
    if len(kept) < len(rows):
        _log.info(
            "%d of %d clips lack audio or visual features and take no part.",
            len(rows) - len(kept),
            len(rows),
        )
    for subset in SUBSETS:
        listed = {row.class_name for row in rows if row.subset == subset}
        empty = sorted(listed - {row.class_name for row in kept if row.subset == subset})
        if empty:
            _log.warning(
                "No clip in %s has both modalities for %d classes, which take no part there: %s",
                subset,
                len(empty),
                ", ".join(empty[:_NAMED]) + (", ..." if len(empty) > _NAMED else ""),
            )
