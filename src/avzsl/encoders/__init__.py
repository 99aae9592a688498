"""Encoders: one file each, registered by name, importable without torch."""

from avzsl.encoders.base import (
    AudioEncoder,
    Encoder,
    EncoderSpec,
    TextEncoder,
    VisualEncoder,
    encoders,
)

__all__ = ["AudioEncoder", "Encoder", "EncoderSpec", "TextEncoder", "VisualEncoder", "encoders"]
