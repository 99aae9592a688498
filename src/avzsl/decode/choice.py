"""Which decoder runs, and why: one line for the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DecoderName = Literal["auto", "torchcodec", "pyav", "decord"]


@dataclass(frozen=True, kw_only=True)
class DecoderChoice:
    """The decoder of the pictures of a run."""

    name: Literal["torchcodec", "pyav", "decord"]
    device: str = "cpu"
    reason: str = ""
    version: str = ""
    library_path: str = ""

    def __str__(self) -> str:
        return f"decoder: {self.name} ({self.reason})"


def choose_decoder(name: DecoderName, device: str) -> DecoderChoice:
    """Return the decoder to use on ``device``."""
    return DecoderChoice(name="pyav", reason="first version")
