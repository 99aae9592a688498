"""The section ``extraction`` of ``config.yaml``. Imports no torch: the schema is made from it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from avzsl.decode.choice import DecoderName
from avzsl.options import options

GPU_BATCH_WINDOWS = 256
CPU_BATCH_WINDOWS = 16


@options
class ExtractionSettings:
    """How clips are decoded and encoded. No key changes what the features mean."""

    decoder: DecoderName = "auto"
    """What decodes pictures: ``auto`` (the best that is installed), ``torchcodec``, ``pyav`` or
    ``decord``."""
    workers: Annotated[int, Field(ge=1)] | None = None
    """Processes that decode ahead of the encoder; the job's other threads encode. null means all
    threads but one: right for a GPU and small encoders, too many for a large network on the CPU."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 60.0
    """Seconds after which the decoding of one clip is given up; the clip becomes a failure."""
    batch_windows: Annotated[int, Field(ge=1)] | None = None
    """Windows in a batch, whichever clips they are from; null means 256 on a GPU (halved while it
    lacks the memory) and 16 on the CPU, whose caches hold no more."""
    ahead_megabytes: Annotated[int, Field(ge=1)] = 512
    """Memory for clips that are decoded and wait for the encoder, in MiB."""
    max_failure_rate: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Share of the clips that may fail, of a shard and of a dataset. Clips without the file, the
    sound track or the pictures do not count, and one failed clip alone never fails a shard."""

    def windows_per_batch(self, device_type: str) -> int:
        """Return the largest batch on a device of type ``cpu`` or ``cuda``."""
        if self.batch_windows is not None:
            return self.batch_windows
        return CPU_BATCH_WINDOWS if device_type == "cpu" else GPU_BATCH_WINDOWS

    def decoding_processes(self, threads: int) -> int:
        """Return how many processes decode for a job that may use so many threads."""
        return max(1, threads - 1) if self.workers is None else self.workers

    def encoding_threads(self, threads: int) -> int:
        """Return how many threads of the CPU encode: those that decoding leaves, at least one."""
        return max(1, threads - self.decoding_processes(threads))
