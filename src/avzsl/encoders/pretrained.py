"""What encoders with published weights share: finding, sizing, loading and precision.

Such an encoder says which files it needs, how large a network its checkpoint holds, how to build
that network, and what the tensors of the file are called in it:

    class Dino(Pretrained[VitSizes], VisualEncoder):
        sources = ("dino-vitb16", "dino-vits16")      # entries of sources/weights.toml
        files = ("*.pth|*.safetensors",)
        published = {"dino-vitb16": VitSizes(...), ...}

        def read_sizes(self, checkpoint): ...          # from the shapes of its tensors
        def build(self, sizes): ...                    # an nn.Module of that size
        def read_state(self, checkpoint): ...          # its tensors under the module's names

Everything else (``load``, ``dim`` before loading, the fingerprint, ``weights: random``) follows.
"""

from __future__ import annotations

import functools
import logging
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from avzsl.encoders.base import Encoder
from avzsl.options import options
from avzsl.sources.checkpoint import Checkpoint, find_checkpoint, is_random, source_name
from avzsl.sources.table import get_source

if TYPE_CHECKING:
    import torch

Sizes = TypeVar("Sizes")

_log = logging.getLogger(__name__)


@options
class WeightsOptions:
    """Options of every encoder with weights; each gives ``weights`` its own default."""

    weights: str = "random"
    """Published weights by name (see: avzsl show encoder), the path of a file or folder of your
    own, or ``random``: untrained, to try the workflow."""


@options
class PretrainedOptions(WeightsOptions):
    """Options of every encoder that runs a network."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the network. bfloat16 is faster on a GPU and moves features by about 1 %."""


class WithWeights(Encoder):
    """An encoder with published weights: what they are called, where they lie, what they hold."""

    files: ClassVar[tuple[str, ...]]
    """Files of a checkpoint, as patterns of ``find_checkpoint``."""

    options: Any

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        source_name(self.options.weights, self.sources)  # refuses unknown names early

    @functools.cached_property
    def checkpoint(self) -> Checkpoint | None:
        """The files, None with random weights.

        Raises:
            MissingWeightsError: If they are not on disk; the message says how to get them.
        """
        if is_random(self.options.weights):
            return None
        return find_checkpoint(self.options.weights, self.sources, self.files)

    @property
    def weights_id(self) -> str | None:
        """The id of the weights' content."""
        if self.checkpoint is not None:
            return self.checkpoint.id
        return f"random:{source_name(self.options.weights, self.sources)}"

    @property
    def weights_bytes(self) -> int:
        """Size of the weights' files."""
        return 0 if self.checkpoint is None else self.checkpoint.bytes

    @property
    def untrained(self) -> bool:
        """Whether the weights are random."""
        return is_random(self.options.weights)

    @property
    def provenance(self) -> str:
        """Return where the weights come from and under which terms, in one line."""
        weights = self.options.weights
        if self.untrained:
            return f"{weights}: untrained, the features mean nothing"
        name = source_name(weights, self.sources)
        return f"{name} ({get_source(name).terms})" if name else weights


class Pretrained(WithWeights, Generic[Sizes]):
    """An encoder whose network has published weights."""

    files: ClassVar[tuple[str, ...]] = ("*.pth|*.pt|*.safetensors|*.bin",)
    published: ClassVar[Mapping[str, Any]]
    """Sizes of the network in each of ``sources``; what ``weights: random`` has."""

    network: torch.nn.Module
    """There after ``load``, on the device, in evaluation mode."""
    device: torch.device
    """There after ``load``."""

    @abstractmethod
    def read_sizes(self, checkpoint: Checkpoint) -> Sizes:
        """Return how large the network of a checkpoint is, without reading its tensors if possible.

        Raises:
            ValueError: If the file holds another network.
        """

    @abstractmethod
    def build(self, sizes: Sizes) -> torch.nn.Module:
        """Return a network of that size; called on the meta device, too."""

    @abstractmethod
    def read_state(self, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
        """Return the tensors of a checkpoint under the names of the network's.

        Raises:
            ValueError: If a tensor is there that is neither needed nor known to be superfluous.
        """

    @functools.cached_property
    def sizes(self) -> Sizes:
        """How large the network is, by its checkpoint or, with random weights, as published."""
        if self.checkpoint is not None:
            return self.read_sizes(self.checkpoint)
        sizes: Sizes = self.published[source_name(self.options.weights, self.sources) or ""]
        return sizes

    def load(self, device: torch.device) -> None:
        """Put the network onto ``device``.

        Raises:
            MissingWeightsError: If the weights are not on disk.
            ValueError: If the file holds anything else than the tensors of this network.
        """
        network = self.random_network() if self.checkpoint is None else self.trained_network()
        _log.info("%s: weights %s", self.kind, self.provenance)
        self.device = device
        self.network = network.eval().requires_grad_(False).to(device)

    def random_network(self) -> torch.nn.Module:
        """Return an untrained network, the same each time."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.build(self.sizes)

    def trained_network(self) -> torch.nn.Module:
        """Return the network of the checkpoint, every tensor accounted for."""
        from avzsl.encoders.states import load_strict

        assert self.checkpoint is not None
        return load_strict(
            lambda: self.build(self.sizes),
            self.read_state(self.checkpoint),
            what=f"{self.kind} from {self.checkpoint.label}",
        )

    def arithmetic(self) -> AbstractContextManager[Any]:
        """Return the context in which the network runs: the precision of the options."""
        import torch

        if self.options.precision == "float32" or self.device.type == "meta":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)
