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
from torch import Tensor

from avzsl.datasets.features import FeatureSet
from avzsl.metrics.accuracy import Metrics, compute_metrics, confusion_counts
from avzsl.metrics.bias_curve import bias_curve
from avzsl.metrics.embedded import EmbeddedClips, choose_evenly, write_embedded
from avzsl.metrics.plateaus import BiasCurve
from avzsl.metrics.winners import find_winners
from avzsl.provenance import digest, origin, write_json
from avzsl.training.checkpoint import TrainedModel, load_model
from avzsl.training.clips import Judging, judging_clips, vectors_of
from avzsl.training.feeding import Feeder, averaged
from avzsl.training.scoring import score_clips

MOST_EMBEDDED = 2_000
"""Clips whose embeddings are kept at most: a figure shows no more."""


def evaluate_model(
    model_path: Path,
    features: FeatureSet,
    *,
    device: torch.device,
    expected_run_id: str | None = None,
    out: Path | None = None,
    name: str | None = None,
    embeddings_out: Path | None = None,
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
            was taken for; also how S and U would move with the bias, which is for looking only:
            nothing is chosen here.
        name: What the JSON calls the method; None means its kind.
        embeddings_out: HDF5 with up to ``MOST_EMBEDDED`` clips, and the classes, in the space where
            the method compares them (``avzsl.metrics.embedded``).

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
    feeder, classes_KW = _prepare(model, features, judging, device)
    scores_VK = score_clips(
        model.method,
        feeder,
        judging.rows,
        classes_KW,
        batch_size=model.options.training.batch_size,
    ).numpy()
    labels = feeder.labels(judging.rows)
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
            "bias_curve": _lines(
                bias_curve(scores_VK, labels, judging.is_seen, bias=model.bias),
            ),
        }
        notes = {"notes": sorted({*model.notes, *features.notes})}
        write_json(out, _describe(model) | asdict(metrics) | what | notes)
    if embeddings_out is not None:
        write_embedded(embeddings_out, _embed(model, features, judging, feeder, classes_KW, labels))
    return metrics


def _prepare(
    model: TrainedModel, features: FeatureSet, judging: Judging, device: torch.device
) -> tuple[Feeder, Tensor]:
    """Return what makes batches of the clips, and the embeddings [K, W] of the candidates."""
    feeder = Feeder(
        features if model.method.needs_tokens else averaged(features),
        judging.candidates,
        preparation=model.preparation,
        device=device,
        limits=model.options.training.evaluation_tokens,
    )
    return feeder, torch.from_numpy(vectors_of(model.classes, judging.candidates)).to(device)


def _embed(
    model: TrainedModel,
    features: FeatureSet,
    judging: Judging,
    feeder: Feeder,
    classes_KW: Tensor,
    labels: NDArray[np.int64],
) -> EmbeddedClips:
    """Return some clips, as many of each class, and the candidates; seen classes first."""
    # Not the seed of the run: the runs of a table show the same clips.
    chosen = choose_evenly(labels, MOST_EMBEDDED, np.random.default_rng(0))
    rows = judging.rows[chosen]
    clips, classes = _embedded(model, feeder, rows, classes_KW)
    order, place = _seen_first(judging)
    return EmbeddedClips(
        run_id=model.run_id,
        class_names=tuple(judging.candidates[k] for k in order),
        is_seen=tuple(map(bool, judging.is_seen[order])),
        video_ids=tuple(features.video_ids[row] for row in rows),
        labels=place[labels[chosen]],
        clips=clips,
        classes=None if classes is None else classes[order],
    )


@torch.no_grad()
def _embedded(
    model: TrainedModel, feeder: Feeder, rows: NDArray[np.int64], classes_KW: Tensor
) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
    """Return clips [V, D] and classes [K, D] where the method compares them, as far as it does."""
    clips, classes = [], None
    size = model.options.training.batch_size
    for start in range(0, len(rows), size):
        found = model.method.embed(feeder.batch(rows[start : start + size]), classes_KW)
        if found is None:
            return None, None
        clips.append(found[0].float().cpu().numpy())
        classes = found[1]
    return np.concatenate(clips), None if classes is None else classes.float().cpu().numpy()


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
    _, place = _seen_first(judging)
    return {
        "clips_id": digest("clips", [features.video_ids[row] for row in judging.rows]),
        "true": _line(place[labels]),
        "predicted": _line(place[predicted]),
        "zsl": _line(place[unseen]),
    }


def _seen_first(judging: Judging) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the candidates with the seen ones first, and the place of each in that order."""
    order = np.argsort(~judging.is_seen, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return order, place


def _lines(curve: BiasCurve) -> dict[str, str]:
    """Return one line of numbers for each series, without loss."""
    return {name: _line(getattr(curve, name)) for name in ("bias", "seen", "unseen")}


def _line(numbers: NDArray[Any]) -> str:
    return " ".join(map(str, numbers.tolist()))
