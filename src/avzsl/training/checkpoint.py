"""The model file, which holds all that is needed to use a model; and the file to resume from."""

from __future__ import annotations

import logging
import pickle
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from avzsl.methods.base import Dims, Method, methods
from avzsl.options import as_dict, from_dict
from avzsl.provenance import write_aside
from avzsl.training.feeding import Preparation, Standardisation
from avzsl.types import ClassEmbeddings

_log = logging.getLogger(__name__)

FORMAT_VERSION = 1
"""Raised whenever the layout of a model file changes."""


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A method with its weights and everything else that a prediction depends on."""

    kind: str
    """The method's registered name."""
    method: Method
    options: Any
    """Options of the method, of its class ``Options``."""
    dims: Dims
    preparation: Preparation | None
    """What is done to features first; None for raw ones."""
    seen_classes: tuple[str, ...]
    """Classes it was trained on (stage 2), sorted; the bias is taken from their scores."""
    classes: ClassEmbeddings
    """All class embeddings that it was given, unseen ones included."""
    bias: float
    """Calibrated stacking: taken from the score of every seen class; chosen on validation."""
    epoch: int
    """Epochs of stage 2, as chosen by stage 1."""
    seed: int
    run_id: str
    """Id of everything that the model was made from."""
    origin: dict[str, str]
    """Versions of the software that made it."""
    notes: tuple[str, ...] = ()
    """What a reader of its results must know."""

    @property
    def unseen_classes(self) -> tuple[str, ...]:
        """Return the classes with an embedding that it was not trained on."""
        return tuple(name for name in self.classes.names if name not in set(self.seen_classes))


def save_model(path: Path, model: TrainedModel) -> None:
    """Write a model in one step; it is a file of tensors and plain containers, without code."""
    content = {
        "format_version": FORMAT_VERSION,
        "kind": model.kind,
        "revision": model.method.revision,
        "options": as_dict(model.options),
        "dims": asdict(model.dims),
        "weights": {name: value.cpu() for name, value in model.method.state_dict().items()},
        "preparation": _dump_preparation(model.preparation),
        "seen_classes": list(model.seen_classes),
        "class_names": list(model.classes.names),
        "class_vectors": torch.from_numpy(model.classes.vectors.copy()),
        "bias": model.bias,
        "epoch": model.epoch,
        "seed": model.seed,
        "run_id": model.run_id,
        "origin": model.origin,
        "notes": list(model.notes),
    }
    with write_aside(path) as partial:
        torch.save(content, partial)


def load_model(
    path: Path, *, expected_run_id: str | None = None, device: torch.device | None = None
) -> TrainedModel:
    """Read a model and put it into evaluation mode.

    Nothing in the file is executed, wherever it came from.

    Args:
        path: From ``avzsl train``.
        expected_run_id: The id that the reader counts on; None takes any.
        device: Where the weights are wanted; None means the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no model, of another format, method revision or run.
        LookupError: If its method is not installed.
    """
    content = _load(path)
    if content is None or content.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{path} is no model of format {FORMAT_VERSION}; make it anew with: avzsl train"
        )
    if expected_run_id is not None and content["run_id"] != expected_run_id:
        raise ValueError(
            f"{path} is a model of another run (found {content['run_id']!r}, expected "
            f"{expected_run_id!r}); run: snakemake --forcerun train"
        )
    cls = methods.get(content["kind"])
    if content["revision"] != cls.revision:
        raise ValueError(
            f"{path} was trained by revision {content['revision']} of {content['kind']}, the code "
            f"is revision {cls.revision}; train it anew with: avzsl train"
        )
    options, dims = from_dict(cls.Options, content["options"]), Dims(**content["dims"])
    method = cls(options, dims)
    method.load_state_dict(content["weights"])
    return TrainedModel(
        kind=content["kind"],
        method=method.to(device or "cpu").eval(),
        options=options,
        dims=dims,
        preparation=_parse_preparation(content["preparation"]),
        seen_classes=tuple(content["seen_classes"]),
        classes=ClassEmbeddings(
            names=tuple(content["class_names"]), vectors=content["class_vectors"].numpy()
        ),
        notes=tuple(content.get("notes", ())),
        bias=content["bias"],
        epoch=content["epoch"],
        seed=content["seed"],
        run_id=content["run_id"],
        origin=content["origin"],
    )


def _load(path: Path) -> dict[str, Any] | None:
    """Return what a file of tensors and plain containers holds, None if it is no such file."""
    with path.open("rb") as file:
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
            # Whichever torch raises, depending on where a damaged file ends.
            _log.info("%s cannot be read: %s", path, str(error).partition("\n")[0])
            return None
    return content if isinstance(content, dict) else None


def _dump_preparation(preparation: Preparation | None) -> dict[str, dict[str, Tensor]] | None:
    if preparation is None:
        return None
    parts = {"audio": preparation.audio, "visual": preparation.visual}
    return {
        name: {"mean": part.mean_D.cpu(), "std": part.std_D.cpu()} for name, part in parts.items()
    }


def _parse_preparation(parts: dict[str, dict[str, Tensor]] | None) -> Preparation | None:
    if parts is None:
        return None
    return Preparation(
        **{
            name: Standardisation(mean_D=part["mean"], std_D=part["std"])
            for name, part in parts.items()
        }
    )


class ResumeFile:
    """The state of a running training beside its output, for the case that it is killed."""

    def __init__(self, out: Path, key: str, *, every_seconds: float) -> None:
        """Name the file and start the clock.

        Args:
            out: The model that is being made.
            key: Id of the training; the state of another one is not resumed.
            every_seconds: Time between two saves.
        """
        self.path = out.with_name(f".{out.name}.resume")
        self._key = key
        self._every_seconds = every_seconds
        self._saved_at = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """Return the state that was saved last, None if there is none of this training."""
        if not self.path.exists():
            return None
        content = _load(self.path)
        if content is None or content.get("key") != self._key:
            _log.info("%s is of another training and is not resumed.", self.path)
            return None
        state: dict[str, Any] = content["state"]
        return state

    def save_if_due(self, state: Callable[[], dict[str, Any]]) -> None:
        """Save what ``state`` returns if the last save was long enough ago."""
        if time.monotonic() - self._saved_at < self._every_seconds:
            return
        with write_aside(self.path) as partial:
            torch.save({"key": self._key, "state": state()}, partial)
        self._saved_at = time.monotonic()

    def remove(self) -> None:
        """Delete the file: the output is there."""
        self.path.unlink(missing_ok=True)
