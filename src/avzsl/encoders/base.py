"""The contract of an encoder, and the registry of all encoders.

An encoder is one file that registers one class. The module must import without torch, since
Snakemake, ``avzsl list`` and the decoding workers import it too: import torch inside the methods.

Shapes: B windows of a batch, N windows of a clip, F frames, C channels, S samples, D features.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from avzsl.decode.sampling import AudioWindows, VideoWindows
from avzsl.options import as_dict, from_dict
from avzsl.provenance import encoder_fingerprint
from avzsl.registry import Registry
from avzsl.types import Frames, Modality, Waveform

if TYPE_CHECKING:
    import torch

encoders: Registry[type[Encoder]] = Registry(
    "encoder", package="avzsl.encoders", group="avzsl.encoders"
)
"""All encoders by the name that ``config.yaml`` uses as ``kind``."""


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """What is true of an encoder whatever its options."""

    revision: int
    """Raised by hand whenever the code changes what comes out; part of the fingerprint."""
    summary: str
    """One line: what it measures."""
    paper: str
    """Key in ``references.bib``."""
    licence: str
    """Licence of the published weights, or ``none needed``."""
    preprocessing: str = ""
    """What happens to a clip before the network sees it, in one line."""
    output: str = ""
    """What one feature vector is, in one line."""


class Encoder(ABC):
    """What all encoders share: options, fingerprint, and loading onto a device."""

    kind: ClassVar[str]
    """The registered name."""
    modality: ClassVar[Modality]
    spec: ClassVar[EncoderSpec]
    Options: ClassVar[type]
    """The options class (``avzsl.options``)."""
    sources: ClassVar[tuple[str, ...]] = ()
    """Published weights that fit (``avzsl/sources/weights.toml``), the default first."""

    def __init__(self, options: Any) -> None:
        self.options = options

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Encoder:
        """Build the encoder from plain option values; defaults are filled in."""
        return cls(from_dict(cls.Options, values))

    @property
    @abstractmethod
    def dim(self) -> int:
        """Length D of one feature vector."""

    @property
    def fingerprint(self) -> str:
        """The id of this encoder with these options and weights.

        Raises:
            MissingWeightsError: If it needs weights that are not on disk.
        """
        values = as_dict(self.options)
        weights = self.weights_id
        if weights is not None:
            values.pop("weights", None)  # their content counts, not where they lie
        return encoder_fingerprint(self.kind, self.spec.revision, values, weights)

    @property
    def weights_id(self) -> str | None:
        """The id of the weights' content; None for an encoder without weights."""
        return None

    @property
    def weights_bytes(self) -> int:
        """Size of the weights' files."""
        return 0

    @property
    def untrained(self) -> bool:
        """Whether the weights are random; every table made with such an encoder says so."""
        return False

    @property
    def components(self) -> tuple[Encoder, ...]:
        """The encoders that it is made of; none in most."""
        return ()

    def load(self, device: torch.device) -> None:  # noqa: B027 - weight-free encoders need none
        """Put weights and buffers onto ``device``; called once, before the first batch."""


class AudioEncoder(Encoder):
    """Sound in, one vector per window out."""

    modality: ClassVar[Modality] = "audio"

    @property
    @abstractmethod
    def windows(self) -> AudioWindows:
        """Where the windows lie; pickled into the decoding workers."""

    @abstractmethod
    def preprocess(self, waveform: Waveform, spans: NDArray[np.float64]) -> torch.Tensor:
        """Return the windows of one clip, [N, ...] on the device, given their spans [N, 2]."""

    @abstractmethod
    def encode(self, windows: torch.Tensor) -> torch.Tensor:
        """Return [B, D] float32 for a batch [B, ...] of windows, whichever clips they are from."""


class VisualEncoder(Encoder):
    """Pictures in, one vector per window out."""

    modality: ClassVar[Modality] = "visual"

    @property
    @abstractmethod
    def windows(self) -> VideoWindows:
        """Which frames make up which window; pickled into the decoding workers."""

    @abstractmethod
    def preprocess(self, frames: Frames) -> torch.Tensor:
        """Return the windows of one clip, [N, ...] on the device."""

    @abstractmethod
    def encode(self, windows: torch.Tensor) -> torch.Tensor:
        """Return [B, D] float32 for a batch [B, ...] of windows, whichever clips they are from."""


class TextEncoder(Encoder):
    """Class names in, one vector per name out."""

    modality: ClassVar[Modality] = "text"

    def fingerprint_of(self, names: Sequence[str]) -> str:
        """Return the id of the vectors of these names: the fingerprint, and what else they rest on.

        An encoder that looks something up for each name overrides it, so that what stands there
        for other names changes nothing.

        Raises:
            ValueError: If there is nothing for a name; the message names all such.
            MissingWeightsError: If files are not on disk.
        """
        return self.fingerprint

    @abstractmethod
    def encode(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Return [K, D], a vector per class name.

        Raises:
            ValueError: If a name holds nothing the encoder knows; the message names all such.
        """
