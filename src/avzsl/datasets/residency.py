"""The section ``memory`` of ``config.yaml``. Imports no torch: the schema is made from it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from avzsl.options import options


@options
class MemoryOptions:
    """Where features are while a method is trained. No key changes a result."""

    features: Literal["auto", "memory", "disk"] = "auto"
    """``memory``: read once, before training. ``disk``: the clips of a batch are read when the
    batch is made. ``auto``: on the GPU if they take less than half of what is free there; else in
    memory up to ``megabytes``, and on disk beyond."""
    megabytes: Annotated[int, Field(ge=0)] = 4096
    """With ``auto``: main memory that the features of both modalities may take, in MiB, in each
    training job."""

    @property
    def limit_bytes(self) -> int:
        """``megabytes`` in bytes."""
        return self.megabytes * 2**20
