"""What the tests of parity with released models share: golden files and the renaming of weights.

A renaming is a function from a released state dict to ours that copies, joins and reshapes values.
It is applied to numbered values as well, which tells where a gradient of ours belongs there.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from random_states import random_state
from torch import Tensor, nn

from avzsl.methods.base import Batch, Method

State = dict[str, Tensor]
Rename = Callable[[Mapping[str, Tensor]], State]
FOLDER = Path(__file__).parent / "golden" / "methods"
TOLERANCE = {"rtol": 1e-7, "atol": 1e-9}


class Golden:
    """The golden file of a released model."""

    def __init__(self, name: str) -> None:
        with np.load(FOLDER / f"{name}.npz") as file:
            arrays = {key: file[key] for key in file.files}
        self.layout = json.loads(str(arrays.pop("layout")))
        self.counts = json.loads(str(arrays.pop("counts")))
        self._values = {key: torch.tensor(value) for key, value in arrays.items()}

    def __getitem__(self, key: str) -> Tensor:
        return self._values[key]

    def names(self, kind: str) -> list[str]:
        """Return what follows ``kind.`` in the keys that begin so."""
        return [key[len(kind) + 1 :] for key in self._values if key.startswith(f"{kind}.")]

    def released_state(self) -> State:
        """Return the random weights that the golden values belong to, in double precision."""
        state = random_state(self.layout)
        return {k: v.double() if v.is_floating_point() else v for k, v in state.items()}

    def size(self, *ends: str) -> int:
        """Return how many values the tensors have whose names end so."""
        shapes = [shape for name, (*shape, _) in self.layout.items() if name.endswith(ends)]
        return sum(int(np.prod(shape)) for shape in shapes)


def rename_embnet(state: Mapping[str, Tensor], released: str, ours: str) -> State:
    """Rename a network of linear layers, each before batch normalisation.

    The biases are dropped; a running mean loses the bias that it includes.
    """
    found = {}
    for name, value in state.items():
        if name.startswith(f"{released}.") and not name.endswith(".bias"):
            found[f"{ours}.{name[len(released) + 1 :]}"] = value
    for place in (0, 4):
        if f"{released}.{place}.bias" in state:
            norm = f"{place + 1}"
            mean = state[f"{released}.{norm}.running_mean"]
            found[f"{ours}.{norm}.running_mean"] = mean - state[f"{released}.{place}.bias"]
            found[f"{ours}.{norm}.bias"] = state[f"{released}.{norm}.bias"]
    return found


def rename_plainly(state: Mapping[str, Tensor], names: Mapping[str, str]) -> State:
    """Rename all below each prefix."""
    return {
        ours + name[len(released) :]: value
        for released, ours in names.items()
        for name, value in state.items()
        if name == released or name.startswith(f"{released}.")
    }


def load_released(method: nn.Module, golden: Golden, rename: Rename) -> None:
    """Fill a method, in double precision, with the weights of a golden file."""
    method.double()
    method.load_state_dict(rename(golden.released_state()))


def check_losses(method: Method, golden: Golden, batch: Batch, classes: Tensor) -> None:
    """Compare the terms of the loss in training, and leave the gradients of their sum."""
    terms = method.train().losses(batch, classes)
    for name, term in terms.items():
        torch.testing.assert_close(term, golden[f"loss.{name}"], **TOLERANCE)
    assert set(terms) == set(golden.names("loss"))
    torch.stack(list(terms.values())).sum().backward()


def check_scores(method: Method, golden: Golden, batch: Batch, classes: Tensor) -> None:
    """Compare the distances outside training."""
    with torch.no_grad():
        scores = method.eval()(batch, classes)
    torch.testing.assert_close(-scores, golden["distances"], **TOLERANCE)


def check_step(
    method: Method, golden: Golden, rename: Rename, batch: Batch, classes: Tensor
) -> None:
    """Compare the running statistics after a step whose learning rate is 0."""
    with torch.no_grad():
        method.train().losses(batch, classes)
        method.after_step(batch, classes)
    state = golden.released_state()
    known = {name: len(golden[f"after.{name}"]) for name in golden.names("after")}
    for name, count in known.items():
        state[name][:count] = golden[f"after.{name}"]
    wanted, ours = rename(state), method.state_dict()
    compared = [name for name in ours if "running" in name]
    assert len(compared) == len(known)
    for name in compared:
        count = min(known.values())
        torch.testing.assert_close(ours[name][:count], wanted[name][:count], **TOLERANCE)


def check_gradients(method: nn.Module, golden: Golden, rename: Rename) -> None:
    """Compare all gradients with the stored norms and slices."""
    numbered, start = {}, 0
    for name, (*shape, _) in golden.layout.items():
        size = int(np.prod(shape))
        numbered[name] = torch.arange(start, start + size, dtype=torch.float64).view(shape)
        start += size
    ids = rename(numbered)
    flat = torch.zeros(start, dtype=torch.float64)
    for name, parameter in method.named_parameters():
        flat[ids[name].long().flatten()] = parameter.grad.flatten()
    for name in golden.names("norm"):
        ours = flat[numbered[name].long()]
        part = ours.flatten()[:: max(1, ours.numel() // 6)][:6]
        stored = golden[f"slice.{name}"]
        torch.testing.assert_close(ours.norm(), golden[f"norm.{name}"], **TOLERANCE)
        torch.testing.assert_close(part, stored.expand_as(part), **TOLERANCE)


def published_options(kind: str, dataset: str, features: str) -> dict[str, Any]:
    """Return the options of a method under which numbers were published."""
    text = (files("avzsl") / "methods" / "published.toml").read_text(encoding="utf-8")
    found: dict[str, Any] = tomllib.loads(text)[kind][dataset][features]
    return found
