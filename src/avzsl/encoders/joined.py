"""``joined``: the vectors of several text encoders side by side.

Kurzendoerfer et al., "Audio-Visual Generalized Zero-Shot Learning using Pre-Trained Large
Multi-Modal Models", CVPR Workshops 2024 (ClipClap): a class is embedded by the text halves of CLIP
and of a CLAP, and both vectors together are its embedding. That is the default; any text encoders
may be joined. ClipClap takes the CLAP of WavCaps, and the mean over some dozens of prompts; here it
is LAION's, and one prompt for each encoder.

*Preprocessing* is that of each encoder; each has its own prompt.

*Output*: the vectors one behind the other, in the order of the encoders; 1024 values by default.
Each is scaled to length 1 first, as in ClipClap, so that all weigh the same: CLIP's are some ten
times as long as CLAP's otherwise.

*Checkpoints*: those of the encoders.

Shapes: K classes, D features of one encoder, S of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from avzsl.encoders.base import EncoderSpec, TextEncoder, encoders
from avzsl.options import options
from avzsl.provenance import digest, encoder_fingerprint
from avzsl.sources.checkpoint import MissingWeightsError

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


@options
class JoinedPart:
    """One of the encoders."""

    kind: str
    """A text encoder (avzsl list encoders)."""
    options: dict[str, Any] = Field(default_factory=dict, json_schema_extra={"default": {}})
    """Its options that differ from their defaults."""


@options
class JoinedOptions:
    """Options of ``joined``."""

    encoders: Annotated[tuple[JoinedPart, ...], Field(min_length=1)] = (
        JoinedPart(kind="clip-text"),
        JoinedPart(kind="clap-text"),
    )
    """Text encoders in this order, each with its kind and options."""
    normalise_parts: bool = True
    """Whether each encoder's vector is scaled to length 1 first, so that all weigh the same, as in
    ClipClap."""


@encoders.register("joined")
class Joined(TextEncoder):
    """Several text encoders side by side."""

    kind = "joined"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="several text encoders side by side (ClipClap: CLIP and CLAP)",
        paper="kurzendorfer2024clipclap",
        licence="those of its encoders",
        preprocessing="that of each encoder",
        output="their unit vectors one behind the other; 1024-d by default",
    )
    Options = JoinedOptions
    options: JoinedOptions

    def __init__(self, options: JoinedOptions) -> None:
        super().__init__(options)
        self._encoders = tuple(_make(place, part) for place, part in enumerate(options.encoders))

    @property
    def components(self) -> tuple[TextEncoder, ...]:
        """The encoders that are joined."""
        return self._encoders

    @property
    def dim(self) -> int:
        """Length S of one feature vector."""
        return sum(encoder.dim for encoder in self._encoders)

    @property
    def fingerprint(self) -> str:
        """The id of the encoders that are joined, in this order.

        Raises:
            MissingWeightsError: If one needs weights that are not on disk; the message says which.
        """
        own = {"normalise_parts": self.options.normalise_parts}
        ids = self._ask(lambda encoder: encoder.fingerprint)
        return encoder_fingerprint(self.kind, self.spec.revision, own, digest(ids))

    def fingerprint_of(self, names: Sequence[str]) -> str:
        """Return the id of the vectors of these names."""
        ids = self._ask(lambda encoder: encoder.fingerprint_of(names))
        return digest(self.fingerprint, ids)

    @property
    def weights_bytes(self) -> int:
        """Size of all weights' files."""
        return sum(encoder.weights_bytes for encoder in self._encoders)

    @property
    def untrained(self) -> bool:
        """Whether the weights of one are random."""
        return any(encoder.untrained for encoder in self._encoders)

    def load(self, device: torch.device) -> None:
        """Load each encoder.

        Raises:
            MissingWeightsError: If one needs weights that are not on disk; the message says which.
        """
        self._ask(lambda encoder: encoder.load(device))

    def encode(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Return [K, S].

        Raises:
            ValueError: If an encoder does not know a name.
        """
        vectors = [encoder.encode(names) for encoder in self._encoders]
        if self.options.normalise_parts:
            vectors = [v_KD / np.linalg.norm(v_KD, axis=1, keepdims=True) for v_KD in vectors]
        return np.concatenate(vectors, axis=1).astype(np.float32, copy=False)

    def _ask(self, question: Callable[[TextEncoder], T]) -> list[T]:
        """Return what each encoder answers.

        Raises:
            MissingWeightsError: If one lacks files; the message says which.
        """
        answers = []
        for encoder in self._encoders:
            try:
                answers.append(question(encoder))
            except MissingWeightsError as error:
                raise MissingWeightsError(f"{self.kind}, {encoder.kind}: {error}") from None
        return answers


def _make(place: int, part: JoinedPart) -> TextEncoder:
    """Build one of the encoders.

    Raises:
        LookupError: If there is no such encoder, or its weights do not fit.
        ValueError: If it is not of text, or an option is wrong.
    """
    where = f"joined: encoders[{place}] ({part.kind})"
    try:
        encoder = encoders.get(part.kind).from_dict(part.options)
    except LookupError as error:
        raise LookupError(f"{where}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    if not isinstance(encoder, TextEncoder):
        raise ValueError(f"{where}: expected a text encoder, it is of {encoder.modality}.")
    return encoder
