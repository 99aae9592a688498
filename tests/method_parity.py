"""One method of ours beside the released one that a golden file holds the numbers of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import avca_golden
import numpy as np
import torch
from random_states import random_state
from torch import Tensor

from avzsl.methods.base import Batch, Dims, Method, methods
from avzsl.options import from_dict

DIMS = Dims(audio=avca_golden.AUDIO, visual=avca_golden.VISUAL, text=avca_golden.TEXT)


def same(name: str, tensor: Tensor) -> Tensor:
    """Return a tensor as it is."""
    return tensor


@dataclass(frozen=True, kw_only=True)
class Parity:
    """A released model, and how its weights and options are ours."""

    kind: str
    golden: str
    rules: Sequence[tuple[str, str]]
    """Regular expression of the beginning of a released name -> ours."""
    options: dict
    """Sizes and switches under which our method does what the released one does."""
    ours: Callable[[str, Tensor], Tensor] = same
    """Released name and tensor -> our tensor."""
    theirs: Callable[[str, Tensor], Tensor] = same
    """Released name and our tensor, or gradient -> theirs."""
    dropouts: dict = field(default_factory=dict)
    """Options of dropouts with which the released model was made for its list of dropouts."""

    @cached_property
    def stored(self) -> tuple[dict, dict[str, np.ndarray]]:
        """What the golden file holds."""
        return avca_golden.read(self.golden)

    def names(self, released: Sequence[str]) -> dict[str, str]:
        """Return released name -> our name."""
        return avca_golden.renamed(released, self.rules)

    def make(self, **changes) -> Method:
        """Return our method with the released weights, in training mode."""
        cls = methods.get(self.kind)
        method = cls(from_dict(cls.Options, self.options | changes), DIMS).double()
        layout = self.stored[0]["layout"]
        names = self.names(list(layout))
        weights = random_state(layout)
        method.load_state_dict({names[n]: self.ours(n, w) for n, w in weights.items()})
        return method.train()

    def scores(self, method: Method) -> np.ndarray:
        """Return the scores of all classes in evaluation."""
        with torch.no_grad():
            scores: np.ndarray = method.eval()(batch(), CLASSES_KW).numpy()
        method.train()
        return scores

    def gradients(self, method: Method) -> np.ndarray:
        """Return what is stored of the gradient of every released parameter."""
        method.zero_grad()
        sum(method.losses(batch(), CLASSES_KW).values()).backward()
        own = dict(method.named_parameters())
        released = self.stored[0]["parameters"]
        tensors = {n: own[our].grad for n, our in self.names(released).items()}
        # A parameter that nothing depends on has no gradient here, and zeros there.
        layout = self.stored[0]["layout"]
        filled = {
            n: torch.zeros(layout[n][:-1]) if g is None else self.theirs(n, g)
            for n, g in tensors.items()
        }
        return avca_golden.summaries(filled)

    def statistics(self, method: Method, prefix: str = "") -> tuple[np.ndarray, np.ndarray]:
        """Return what is stored of the running statistics under a prefix: ours, and theirs."""
        meta, arrays = self.stored
        stored = [(i, n) for i, n in enumerate(meta["buffers"]) if n.startswith(prefix)]
        own = dict(method.named_buffers())
        names = self.names([n.removeprefix(prefix) for _, n in stored])
        ours = {n: own[names[n.removeprefix(prefix)]] for _, n in stored}
        return avca_golden.summaries(ours), arrays["statistics"][[i for i, _ in stored]]


def batch(**changes: Tensor) -> Batch:
    """Return the clips that the released model was given, each of one token, as our batch."""
    data = avca_golden.inputs() | changes
    negatives = _batch(data["negative_audio"], data["negative_visual"], data["negative_labels"])
    return _batch(data["audio"], data["visual"], data["labels"], negatives)


def _batch(audio: Tensor, visual: Tensor, labels: Tensor, negatives: Batch | None = None) -> Batch:
    real = torch.ones(len(labels), 1, dtype=torch.bool)
    times = torch.zeros(len(labels), 1)
    return Batch(
        audio_BTA=audio[:, None],
        audio_mask_BT=real,
        audio_times_BT=times,
        visual_BUV=visual[:, None],
        visual_mask_BU=real,
        visual_times_BU=times,
        labels_B=labels,
        negatives=negatives,
    )


CLASSES_KW = avca_golden.inputs()["classes"]


def assert_parity(parity: Parity, method: Method, *, tolerance: float = 1e-9) -> None:
    """Scores, each term of the loss and every gradient are the released ones."""
    meta, arrays = parity.stored
    np.testing.assert_allclose(parity.scores(method), arrays["scores"], rtol=0, atol=tolerance)
    terms = {n: t.item() for n, t in method.losses(batch(), CLASSES_KW).items()}
    for name, value in meta["terms"].items():
        assert abs(terms[name] - value) <= tolerance, name
    assert abs(sum(terms.values()) - meta["total"]) <= tolerance, "total"
    ours = parity.gradients(method)
    np.testing.assert_allclose(ours, arrays["gradients"], rtol=0, atol=tolerance)


def assert_dropouts(parity: Parity) -> None:
    """Every dropout of the released model is in its place here, at its rate, and no other."""
    method = parity.make(**parity.dropouts)
    own = {n: m.p for n, m in method.named_modules() if isinstance(m, torch.nn.Dropout)}
    stored = parity.stored[0]["dropouts"]
    names = parity.names(list(stored))
    assert own == {names[n]: rate for n, rate in stored.items()}


def parameter_counts(kind: str, **changes) -> tuple[int, int]:
    """Return the weights that training moves, for SeLaVi and for VGGish and C3D features."""
    cls = methods.get(kind)
    counts = []
    for dims in (Dims(audio=512, visual=512, text=300), Dims(audio=128, visual=4096, text=300)):
        with torch.device("meta"):
            method = cls(from_dict(cls.Options, changes), dims)
        counts.append(sum(p.numel() for p in method.parameters()))
    return counts[0], counts[1]
