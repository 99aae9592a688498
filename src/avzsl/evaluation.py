"""A trained model on the test clips: the one time that they are looked at.

Shapes: V clips, K candidate classes.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from avzsl.datasets.features import FeatureSet
from avzsl.metrics.accuracy import Metrics, compute_metrics, confusion_counts
from avzsl.metrics.winners import find_winners
from avzsl.provenance import digest, origin, write_json
from avzsl.training.checkpoint import TrainedModel, load_model
from avzsl.training.clips import Judging, judging_clips, vectors_of
from avzsl.training.feeding import Feeder, averaged
from avzsl.training.scoring import score_clips


def evaluate_model(
    model_path: Path,
    features: FeatureSet,
    *,
    device: torch.device,
    expected_run_id: str | None = None,
    out: Path | None = None,
    name: str | None = None,
) -> Metrics:
    """Measure S, U, HM and ZSL on ``test_seen`` and ``test_unseen``, with the model's own bias.

    Candidates are all classes that the model was trained on, and the unseen test classes that have
    a clip.

    Args:
        model_path: From ``avzsl train``.
        features: At least the test clips.
        device: Where to compute.
        expected_run_id: The id that the reader counts on; None takes any.
        out: JSON with the metrics, the accuracy of each class, the confusions, and what each clip
            was taken for.
        name: What the JSON calls the method; None means its kind.

    Raises:
        FileNotFoundError: If there is no such model.
        ValueError: If the model is of another run or of other features, or a subset is empty.
        LookupError: If a test class has no embedding in the model.
    """
    model = load_model(model_path, expected_run_id=expected_run_id, device=device)
    _check_dims(model, features)
    judging = judging_clips(
        features, model.seen_classes, seen_subset="test_seen", unseen_subset="test_unseen"
    )
    scores_VK, labels = _score(model, features, judging, device)
    metrics = compute_metrics(
        scores_VK, labels, judging.is_seen, bias=model.bias, names=judging.candidates
    )
    if out is not None:
        winners = find_winners(scores_VK, judging.is_seen)
        predicted = winners.predict(model.bias)
        what = {
            "method": name or model.kind,
            "candidates": _candidates(judging),
            "confusions": _confusions(predicted, labels, judging.candidates),
            "outcomes": _outcomes(features, judging, labels, predicted, winners.unseen),
        }
        notes = {"notes": sorted({*model.notes, *features.notes})}
        write_json(out, _describe(model) | asdict(metrics) | what | notes)
    return metrics


def _score(
    model: TrainedModel, features: FeatureSet, judging: Judging, device: torch.device
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the scores [V, K] without bias, and the column of each clip's class."""
    fed = features if model.method.needs_tokens else averaged(features)
    feeder = Feeder(
        fed,
        judging.candidates,
        preparation=model.preparation,
        device=device,
        limits=model.options.training.evaluation_tokens,
    )
    classes = torch.from_numpy(vectors_of(model.classes, judging.candidates)).to(device)
    scores_VK = score_clips(
        model.method,
        feeder,
        judging.rows,
        classes,
        batch_size=model.options.training.batch_size,
    )
    return scores_VK.numpy(), feeder.labels(judging.rows)


def _check_dims(model: TrainedModel, features: FeatureSet) -> None:
    for modality in ("audio", "visual"):
        wanted, found = getattr(model.dims, modality), getattr(features, modality).dim
        if wanted != found:
            raise ValueError(
                f"The model takes {modality} features of length {wanted}, these have {found}: "
                "they are of another encoder."
            )


def _describe(model: TrainedModel) -> dict[str, Any]:
    return {
        "run_id": model.run_id,
        "kind": model.kind,
        "seed": model.seed,
        "epoch": model.epoch,
        "origin": {"trained_by": model.origin, "evaluated_by": origin()},
    }


def _confusions(
    predicted: NDArray[np.int64], labels: NDArray[np.int64], names: tuple[str, ...]
) -> dict[str, dict[str, int]]:
    """Return true class -> predicted class -> number of clips, without the zeros."""
    counts = confusion_counts(predicted, labels, len(names))
    return {
        names[true]: {names[k]: int(counts[true, k]) for k in np.flatnonzero(counts[true])}
        for true in np.flatnonzero(counts.sum(axis=1))
    }


def _candidates(judging: Judging) -> dict[str, list[str]]:
    pairs = list(zip(judging.candidates, judging.is_seen, strict=True))
    return {
        "seen": [name for name, seen in pairs if seen],
        "unseen": [name for name, seen in pairs if not seen],
    }


def _outcomes(
    features: FeatureSet,
    judging: Judging,
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    unseen: NDArray[np.int64],
) -> dict[str, str]:
    """Return what each clip is, and was taken for, as places among the candidates, seen ones first.

    One line of numbers each, in the order of the manifest, the clips of ``test_seen`` first; the id
    of the clips tells whether two evaluations can be compared clip by clip.
    """
    order = np.argsort(~judging.is_seen, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return {
        "clips_id": digest("clips", [features.video_ids[row] for row in judging.rows]),
        "true": _line(place[labels]),
        "predicted": _line(place[predicted]),
        "zsl": _line(place[unseen]),
    }


def _line(numbers: NDArray[np.int64]) -> str:
    return " ".join(map(str, numbers.tolist()))
