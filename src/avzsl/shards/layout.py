"""Names and types of everything inside a feature file: the only file that spells them.

Format version 1. V clips, T windows of a clip, ΣT windows of all clips, D values a feature,
S shards, E clips without features.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, cast

import h5py
import numpy as np

from avzsl.types import Modality

FORMAT_VERSION = 1
"""Raised whenever a reader of the old version would misread the new one."""

Kind = Literal["feature-shard", "feature-index", "converted-archive"]

TEXT = h5py.string_dtype("utf-8")
"""Text of any length."""


@dataclass(frozen=True)
class Column:
    """One HDF5 dataset of a feature file."""

    name: str
    dtype: np.dtype[Any]
    ndim: int = 1


FEATURES = Column("features", np.dtype("<f4"), ndim=2)
"""[ΣT, D] windows of all clips, clip after clip."""
OFFSETS = Column("offsets", np.dtype("<i8"))
"""[V+1] rows ``offsets[v]`` to ``offsets[v + 1]`` of ``features`` and ``times`` are clip ``v``."""
TIMES = Column("times", np.dtype("<f8"), ndim=2)
"""[ΣT, 2] begin and end of each window, in seconds from the clip's begin."""
VIDEO_ID = Column("video_id", np.dtype(TEXT))
"""[V] ascending within a shard."""
STAMP = Column("stamp", np.dtype(TEXT))
"""[V] the stamp that the clip had when it was encoded."""
FAILURES = Column("failures", np.dtype([("video_id", TEXT), ("stage", TEXT), ("reason", TEXT)]))
"""[E] clips without features and why (``types.Failure``), ascending by id within a shard."""

SHARD_COLUMNS = (FEATURES, OFFSETS, TIMES, VIDEO_ID, STAMP, FAILURES)

SHARDS = Column("shards", np.dtype([("path", TEXT), ("members_id", TEXT), ("clips", "<i8")]))
"""[S] of an index: path relative to the index, id of the members, number of clips with features."""
SHARD = Column("shard", np.dtype("<i4"))
"""[V] of an index: row in ``shards`` of each clip."""
ROW = Column("row", np.dtype("<i8"))
"""[V] of an index: position of each clip within its shard."""

INDEX_COLUMNS = (FEATURES, OFFSETS, TIMES, VIDEO_ID, FAILURES, SHARDS, SHARD, ROW)


@dataclass(frozen=True, kw_only=True)
class Header:
    """What the attributes of a feature file say."""

    dataset: str
    """Name of the dataset in ``config.yaml``."""
    encoder: str
    """Name of the encoder in ``config.yaml``."""
    encoder_kind: str
    """Registered name of the encoder's class."""
    modality: Modality
    fingerprint: str
    """Id of the encoder's code, options and weights."""
    options: dict[str, Any]
    """Every option of the encoder, defaults spelled out."""
    members_id: str
    """Digest of the clips that the file was made of; of the shards' digests in an index."""
    dim: int
    """D, known even where no clip has features."""
    decoders: tuple[str, ...] = ()
    """What decoded the clips, such as ``PyAV 18.1.0, FFmpeg 8.1 on cpu``; several where rows of
    an earlier version were reused."""

    def as_attributes(self) -> dict[str, str | int]:
        """Return the values as HDF5 attributes."""
        values = dict(vars(self))
        values["options"] = json.dumps(self.options, sort_keys=True, ensure_ascii=False)
        values["decoders"] = json.dumps(self.decoders, ensure_ascii=False)
        return values

    @classmethod
    def from_attributes(cls, values: dict[str, Any]) -> Header:
        """Rebuild the header.

        Raises:
            KeyError: If an attribute is missing.
        """
        kept = {name: values[name] for name in cls.__dataclass_fields__}
        kept["options"] = json.loads(kept["options"])
        kept["decoders"] = tuple(json.loads(kept["decoders"]))
        kept["dim"] = int(kept["dim"])
        return cls(**kept)


@dataclass(frozen=True)
class Attributes:
    """Names of the attributes that are not in the header."""

    kind: str = "kind"
    format_version: str = "format_version"
    origin: str = "origin"
    """JSON: versions of what wrote the file."""
    timings: str = "timings"
    """JSON: where the time went, in seconds, and how much was done."""
    features_id: str = "features_id"
    """Of an index: id of all features of a dataset by one encoder."""


ATTRIBUTES = Attributes()

EXTRACT_RULES: dict[Modality, str] = {"audio": "extract_audio", "visual": "extract_visual"}
"""The Snakemake rule that makes the shards of a modality."""


def rerun_hint(modality: str) -> str:
    """Return the command that makes shards of a modality anew."""
    return f"run: snakemake --forcerun {EXTRACT_RULES[cast('Modality', modality)]}"
