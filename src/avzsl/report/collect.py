"""Evaluations and histories of single runs, read from their files."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avzsl.metrics.embedded import EmbeddedClips, read_embedded
from avzsl.metrics.plateaus import BiasCurve


@dataclass(frozen=True, kw_only=True)
class ClipOutcomes:
    """What became of each test clip; V clips, numbers are places in ``Evaluation.class_names``."""

    clips_id: str
    """Id of the clips and their order."""
    true: NDArray[np.int64]
    """[V] its class."""
    predicted: NDArray[np.int64]
    """[V] what it was taken for, all classes being candidates."""
    zsl: NDArray[np.int64]
    """[V] what it was taken for among the unseen classes alone."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One run on the test clips; accuracies in percent. K candidate classes."""

    run_id: str
    """The id of everything that the run depends on."""
    method: str
    seed: int
    epoch: int
    """The epoch that validation chose."""
    seen: float
    unseen: float
    hm: float
    zsl: float
    zsl_chance: float
    clips_seen: int
    clips_unseen: int
    classes_seen: int
    classes_unseen: int
    class_names: tuple[str, ...]
    """[K] seen classes first."""
    is_seen: tuple[bool, ...]
    """[K]"""
    confusion: NDArray[np.int64]
    """[K, K] clips of the true class (row) that were taken for a class (column)."""
    notes: tuple[str, ...]
    """What a reader of the table must know."""
    outcomes: ClipOutcomes | None = None
    """None in files of versions that did not keep them."""
    bias: float | None = None
    """What was taken from the scores of seen classes; None where there was no calibration."""
    bias_curve: BiasCurve | None = None
    """How S and U would move with the bias; None in files of versions that did not keep it."""

    @property
    def per_class(self) -> NDArray[np.float64]:
        """[K] percent of each class's clips that are right; NaN for a class without clips."""
        clips = self.confusion.sum(1)
        return np.where(clips > 0, 100 * self.confusion.diagonal() / np.maximum(clips, 1), np.nan)


@dataclass(frozen=True, kw_only=True)
class History:
    """Stage 1 of one run."""

    method: str
    seed: int
    chosen_epoch: int
    epochs: tuple[int, ...]
    loss: tuple[float, ...]
    """Mean training loss of each epoch."""
    val_epochs: tuple[int, ...]
    """Epochs with validation."""
    val_hm: tuple[float, ...]
    """Harmonic mean on validation at each of them, in percent."""


def read_evaluations(
    paths: Sequence[Path], expected_run_ids: Sequence[str] | None = None
) -> list[Evaluation]:
    """Read what ``avzsl evaluate`` wrote.

    Args:
        paths: The files.
        expected_run_ids: The id that each must have; None takes any.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If it is something else, or of another run.
    """
    evaluations = [_evaluation(path) for path in paths]
    if expected_run_ids is None:
        return evaluations
    for path, run, expected in zip(paths, evaluations, expected_run_ids, strict=True):
        if run.run_id != expected:
            raise ValueError(
                f"{path} is of another run (found {run.run_id}, expected {expected}): features, "
                "classes, method or protocol have changed since. Run: snakemake --forcerun "
                "extract_audio extract_visual embed_classes"
            )
    return evaluations


def _evaluation(path: Path) -> Evaluation:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        names = (*found["candidates"]["seen"], *found["candidates"]["unseen"])
        seen_count = len(found["candidates"]["seen"])
        left_out = found["left_out"]
        numbers = {
            key: found[key]
            for key in Evaluation.__dataclass_fields__
            if key in found and key not in ("confusion", "notes", "outcomes", "bias_curve")
        }
        outcomes = _outcomes(found["outcomes"]) if "outcomes" in found else None
        curve = _bias_curve(found["bias_curve"]) if "bias_curve" in found else None
    except (json.JSONDecodeError, KeyError) as error:
        raise ValueError(f"{path} is no evaluation of avzsl ({error!r}).") from None
    notes = [*found.get("notes", [])]
    if left_out:
        notes.append(f"without clips: {', '.join(left_out)}")
    return Evaluation(
        **numbers,
        class_names=names,
        is_seen=tuple(i < seen_count for i in range(len(names))),
        confusion=_confusion(found["confusions"], names),
        notes=tuple(notes),
        outcomes=outcomes,
        bias_curve=curve,
    )


def _outcomes(found: dict[str, str]) -> ClipOutcomes:
    numbers = {
        key: np.array(found[key].split(), dtype=np.int64) for key in ("true", "predicted", "zsl")
    }
    return ClipOutcomes(clips_id=found["clips_id"], **numbers)


def _bias_curve(found: dict[str, str]) -> BiasCurve:
    series = {
        key: np.array(found[key].split(), dtype=np.float64) for key in ("bias", "seen", "unseen")
    }
    return BiasCurve(**series)


def _confusion(cells: dict[str, dict[str, int]], names: Sequence[str]) -> NDArray[np.int64]:
    column = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    for true, row in cells.items():
        for predicted, count in row.items():
            counts[column[true], column[predicted]] = count
    return counts


def read_histories(paths: Sequence[Path], evaluations: Sequence[Evaluation]) -> list[History]:
    """Read the training histories that belong to some evaluations, in the same order."""
    return [_history(path, run) for path, run in zip(paths, evaluations, strict=True)]


def _history(path: Path, run: Evaluation) -> History:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["stage"] == "1"]
    judged = [row for row in rows if row["val_hm"]]
    return History(
        method=run.method,
        seed=run.seed,
        chosen_epoch=run.epoch,
        epochs=tuple(int(row["epoch"]) for row in rows),
        loss=tuple(float(row["loss"]) for row in rows),
        val_epochs=tuple(int(row["epoch"]) for row in judged),
        val_hm=tuple(float(row["val_hm"]) for row in judged),
    )


def label_runs(
    evaluations: Sequence[Evaluation], labels: Mapping[str, str] | Sequence[str] | None
) -> list[Evaluation]:
    """Return the evaluations with other names for their methods.

    Args:
        evaluations: The runs.
        labels: Method -> label, where methods that are not named keep their names; or one label
            for each evaluation; None keeps all names.

    Raises:
        ValueError: If a label is of no method, two methods would get the same one, or the number
            of labels is another one than that of the evaluations.
    """
    if labels is None:
        return list(evaluations)
    if not isinstance(labels, Mapping):
        if isinstance(labels, str) or len(labels) != len(evaluations):
            raise ValueError(
                f"Give a label for each of the {len(evaluations)} evaluations, or an object from "
                f"method to label, got {labels!r}."
            )
        pairs = zip(evaluations, labels, strict=True)
        return [replace(run, method=str(label)) for run, label in pairs]
    methods = {run.method: labels.get(run.method, run.method) for run in evaluations}
    strangers = sorted(set(labels) - set(methods))
    if strangers:
        raise ValueError(
            f"There is a label for {strangers[0]!r}, but the evaluations are of "
            f"{', '.join(methods)}."
        )
    if len(set(methods.values())) < len(methods):
        raise ValueError(f"Two methods have the same label: {', '.join(methods.values())}.")
    return [replace(run, method=methods[run.method]) for run in evaluations]


def read_embeddings(
    paths: Sequence[Path], evaluations: Sequence[Evaluation]
) -> list[tuple[str, list[EmbeddedClips]]]:
    """Read embedded clips of runs that were evaluated.

    Returns:
        The method of each evaluation in their order, with its runs; one without a file is left
        out.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If it is something else, or of no run that was evaluated.
    """
    methods = {run.run_id: run.method for run in evaluations}
    groups: dict[str, list[EmbeddedClips]] = {method: [] for method in methods.values()}
    for path in paths:
        embedded = read_embedded(path, list(methods))
        groups[methods[embedded.run_id]].append(embedded)
    return [(method, runs) for method, runs in groups.items() if runs]
