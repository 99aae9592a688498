"""Tensors of published checkpoints: reading them safely and placing every one of them.

``torch.load`` runs with ``weights_only=True``: a checkpoint cannot run code here.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

SHOWN = 5
"""Tensor names in a message."""


def read_tensors(
    paths: Path | Sequence[Path],
    *,
    wrapped_in: Sequence[str] = (),
    shapes_only: bool = False,
    only: str | None = None,
) -> dict[str, torch.Tensor]:
    """Read the tensors of a checkpoint, of one file or of the parts of a large one.

    Args:
        paths: Files of torch, old or new format, or safetensors.
        wrapped_in: Keys under which training scripts keep the tensors (``model``, ``state_dict``);
            the first that is there is opened, nested ones in turn.
        shapes_only: Return tensors on the meta device, and read no more of the file than needed.
        only: Regular expression of the whole names that are wanted; the others may come on the
            meta device, unread.

    Raises:
        ValueError: If a file cannot be read as such, or holds no tensors.
    """
    tensors: dict[str, torch.Tensor] = {}
    for path in [paths] if isinstance(paths, Path) else paths:
        if path.suffix == ".safetensors":
            tensors |= _read_safetensors(path, shapes_only=shapes_only, only=only)
        else:
            tensors |= _read_torch(path, wrapped_in, shapes_only=shapes_only)
    return tensors


def renamed(
    tensors: Mapping[str, torch.Tensor],
    rules: Iterable[tuple[str, str]] = (),
    *,
    dropped: Iterable[str] = (),
) -> dict[str, torch.Tensor]:
    r"""Return the tensors under other names, without those that a network does not use.

    Args:
        tensors: By published name.
        rules: Regular expressions and what replaces them, applied in turn, as by ``re.sub``.
        dropped: Regular expressions of whole published names; such tensors are left out.

    Raises:
        ValueError: If two tensors come to have one name.
    """
    unwanted = [re.compile(pattern) for pattern in dropped]
    patterns = [(re.compile(pattern), replacement) for pattern, replacement in rules]
    made: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if any(pattern.fullmatch(name) for pattern in unwanted):
            continue
        new = name
        for pattern, replacement in patterns:
            new = pattern.sub(replacement, new)
        if new in made:
            raise ValueError(f"Two tensors of the checkpoint come to be called {new!r}.")
        made[new] = tensor
    return made


def load_strict(
    build: Callable[[], torch.nn.Module], state: Mapping[str, torch.Tensor], *, what: str
) -> torch.nn.Module:
    """Build a network without initialising it and give it every tensor of ``state``.

    Args:
        build: Makes the network; called on the meta device. All its buffers must be in ``state``.
        state: Tensors under the network's names; they become its parameters, in float32.
        what: The encoder and its weights, for messages.

    Raises:
        ValueError: If a tensor is missing, superfluous, or of another shape.
    """
    import torch

    with torch.device("meta"):
        network = build()
    check_state(network.state_dict(), state, what=what)
    whole = {
        # A copy: what was read may still be mapped to the file, which somebody may overwrite.
        name: tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)
        for name, tensor in state.items()
    }
    network.load_state_dict(whole, strict=True, assign=True)
    left = [name for name, tensor in _all_tensors(network) if tensor.is_meta]
    assert not left, f"{what}: buffers that no checkpoint holds: {left}"
    return network


def check_state(
    expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor], *, what: str
) -> None:
    """Compare names and shapes of tensors.

    Raises:
        ValueError: With the names that are missing, superfluous, or of another shape.
    """
    complaints = []
    for word, names in (
        ("missing", [name for name in expected if name not in found]),
        ("unexpected", [name for name in found if name not in expected]),
        (
            "of another shape",
            [
                f"{name} {tuple(found[name].shape)}, expected {tuple(tensor.shape)}"
                for name, tensor in expected.items()
                if name in found and found[name].shape != tensor.shape
            ],
        ),
    ):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            complaints.append(f"{word}: {', '.join(names[:SHOWN])}{more}")
    if complaints:
        raise ValueError(
            f"{what}: the file does not hold this network's tensors ({'; '.join(complaints)}). "
            "It may be another model's, or a layout that is not known here."
        )


def depth_of(names: Iterable[str], pattern: str) -> int:
    r"""Return how many layers there are: 1 + the largest number that ``pattern`` captures.

    Raises:
        ValueError: If no name matches, so that this is another network's checkpoint.
    """
    expression = re.compile(pattern)
    found = [int(match[1]) for name in names if (match := expression.match(name))]
    if not found:
        raise ValueError(f"The checkpoint has no tensors like {pattern!r}; is it another model's?")
    return 1 + max(found)


def _all_tensors(network: torch.nn.Module) -> list[tuple[str, torch.Tensor]]:
    return [*network.named_parameters(), *network.named_buffers()]


def _read_safetensors(
    path: Path, *, shapes_only: bool, only: str | None
) -> dict[str, torch.Tensor]:
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {
                name: torch.empty(file.get_slice(name).get_shape(), device="meta")
                if shapes_only or (only is not None and not re.fullmatch(only, name))
                else file.get_tensor(name)
                for name in file.keys()  # noqa: SIM118 - it is no mapping
            }
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file, or damaged ({error}).") from None


def _harmless() -> list[Any]:
    """Return what training scripts keep beside the tensors: arguments, numbers of numpy."""
    import numpy as np
    from numpy._core.multiarray import scalar

    numbers = [type(np.dtype(name)) for name in ("float32", "float64", "int64")]
    former: Any = (scalar, "numpy.core.multiarray.scalar")  # its name before numpy 2
    return [argparse.Namespace, scalar, former, np.dtype, *numbers]


def _read_torch(
    path: Path, wrapped_in: Sequence[str], *, shapes_only: bool
) -> dict[str, torch.Tensor]:
    import pickle
    import zipfile

    import torch

    device = "meta" if shapes_only else "cpu"
    lazy = not shapes_only and zipfile.is_zipfile(path)  # the format of before 2020 is no archive
    try:
        with torch.serialization.safe_globals(_harmless()):
            held: Any = torch.load(path, map_location=device, weights_only=True, mmap=lazy)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError) as error:
        first = (str(error).splitlines() or ["empty"])[0][:200]
        raise ValueError(f"{path}: cannot be read as a checkpoint of torch ({first}).") from None
    while isinstance(held, Mapping):
        inner = next((key for key in wrapped_in if isinstance(held.get(key), Mapping)), None)
        if inner is None:
            break
        held = held[inner]
    if not isinstance(held, Mapping) or not held:
        raise ValueError(f"{path}: expected named tensors, got {type(held).__name__}.")
    others = [name for name, value in held.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise ValueError(
            f"{path}: expected tensors only, {', '.join(map(str, others[:SHOWN]))} hold others."
        )
    return dict(held)
