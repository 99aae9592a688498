"""The four numbers of generalized zero-shot learning: S, U, HM and ZSL, as mean class accuracy.

Mean class accuracy is the recall of each class, averaged over classes (Xian et al., "Zero-Shot
Learning - A Comprehensive Evaluation of the Good, the Bad and the Ugly", TPAMI 2019, Eq. 9-10): a
class with five clips counts as much as one with fifty.

Shapes: N clips, K candidate classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from avzsl.metrics.winners import Winners, find_winners


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """What one set of scores comes to; accuracies in percent."""

    seen: float
    """S: mean accuracy of the seen classes, all classes being candidates."""
    unseen: float
    """U: mean accuracy of the unseen classes, all classes being candidates."""
    hm: float
    """Harmonic mean of S and U; 0 where both are 0."""
    zsl: float
    """Mean accuracy of the unseen classes, unseen ones alone being candidates; no bias."""
    zsl_chance: float
    """ZSL of guessing: 100 / number of unseen candidates."""
    bias: float | None
    """What was subtracted from the scores of seen classes; None where there was no calibration."""
    clips_seen: int
    """Clips of seen classes."""
    clips_unseen: int
    """Clips of unseen classes."""
    classes_seen: int
    """Seen classes that have clips."""
    classes_unseen: int
    """Unseen classes that have clips."""
    per_class: dict[str, float]
    """Accuracy of each class that has clips, all classes being candidates."""
    per_class_zsl: dict[str, float]
    """Accuracy of each unseen class that has clips, unseen ones alone being candidates."""
    left_out: tuple[str, ...]
    """Candidates without clips: they have no accuracy and take no part in the means."""


def compute_metrics(
    scores_NK: ArrayLike,
    labels_N: ArrayLike,
    is_seen_K: NDArray[np.bool_],
    *,
    bias: float | None = None,
    names: Sequence[str] | None = None,
) -> Metrics:
    """Return S, U, HM and ZSL of scored clips.

    S and U come from the same predictions, so U <= ZSL whatever the bias. Of several classes with
    the highest score the one in the lowest column is predicted.

    Args:
        scores_NK: Any scale; higher is likelier.
        labels_N: Column of the true class of each clip.
        is_seen_K: True for seen classes.
        bias: Subtracted from the scores of seen classes. None and 0 predict the same; None says
            that there was no calibration.
        names: Of the classes; their column numbers by default.

    Raises:
        ValueError: If the shapes disagree, a score is not finite, a label is no column, or there
            are no clips of seen or of unseen classes.
    """
    winners = find_winners(scores_NK, is_seen_K)
    labels_N = check_labels(labels_N, winners, is_seen_K)
    names = [str(column) for column in range(len(is_seen_K))] if names is None else names
    if len(names) != len(is_seen_K):
        raise ValueError(f"Expected {len(is_seen_K)} class names, got {len(names)}.")
    return metrics_of(winners, labels_N, is_seen_K, bias=bias, names=names)


def metrics_of(
    winners: Winners,
    labels_N: NDArray[np.int64],
    is_seen_K: NDArray[np.bool_],
    *,
    bias: float | None,
    names: Sequence[str],
) -> Metrics:
    """Return the metrics of clips whose winners are known; see ``compute_metrics``."""
    columns = range(len(is_seen_K))
    clips_K = np.bincount(labels_N, minlength=len(columns))
    scored_K = clips_K > 0
    of_clip_N = is_seen_K[labels_N]
    recall_K = class_recall(winners.predict(0.0 if bias is None else bias), labels_N, clips_K)
    recall_zsl_K = class_recall(winners.unseen, labels_N, clips_K)
    seen = float(recall_K[scored_K & is_seen_K].mean())
    unseen = float(recall_K[scored_K & ~is_seen_K].mean())
    return Metrics(
        seen=seen,
        unseen=unseen,
        hm=float(harmonic_mean(seen, unseen)),
        zsl=float(recall_zsl_K[scored_K & ~is_seen_K].mean()),
        zsl_chance=100.0 / int((~is_seen_K).sum()),
        bias=bias,
        clips_seen=int(of_clip_N.sum()),
        clips_unseen=int((~of_clip_N).sum()),
        classes_seen=int((scored_K & is_seen_K).sum()),
        classes_unseen=int((scored_K & ~is_seen_K).sum()),
        per_class={names[k]: float(recall_K[k]) for k in columns if scored_K[k]},
        per_class_zsl={
            names[k]: float(recall_zsl_K[k]) for k in columns if scored_K[k] and not is_seen_K[k]
        },
        left_out=tuple(names[k] for k in columns if not scored_K[k]),
    )


def class_recall(
    predicted_N: NDArray[np.int64], labels_N: NDArray[np.int64], clips_K: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the share [K] of each class's clips that are predicted right, in percent.

    A class without clips gets 0, which no mean may take in.
    """
    right_K = np.bincount(labels_N[predicted_N == labels_N], minlength=len(clips_K))
    return 100.0 * right_K / np.maximum(clips_K, 1)


def harmonic_mean(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return 2ab / (a + b) of numbers that are not negative, and 0 where both are 0."""
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    total = first + second
    return np.divide(2 * first * second, total, out=np.zeros_like(total), where=total > 0)


def confusion_counts(
    predicted_N: ArrayLike, labels_N: ArrayLike, classes: int
) -> NDArray[np.int64]:
    """Return [K, K]: how many clips of each true class (row) were taken for each class (column)."""
    cells_N = np.asarray(labels_N) * classes + np.asarray(predicted_N)
    return np.bincount(cells_N, minlength=classes**2).reshape(classes, classes)


def check_labels(
    labels_N: ArrayLike, winners: Winners, is_seen_K: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the labels as int64.

    Raises:
        ValueError: If there is not one column number per clip, or if there are no clips of seen
            or of unseen classes.
    """
    labels_N = np.asarray(labels_N)
    clips, classes = len(winners.margin), len(is_seen_K)
    if labels_N.shape != (clips,) or not np.issubdtype(labels_N.dtype, np.integer):
        raise ValueError(
            f"Expected a column number for each of {clips} clips, got {labels_N.shape = }, "
            f"{labels_N.dtype = }."
        )
    if labels_N.min() < 0 or labels_N.max() >= classes:
        raise ValueError(
            f"Labels must be columns of the scores, 0 to {classes - 1}, got {labels_N.min()} to "
            f"{labels_N.max()}."
        )
    seen = int(is_seen_K[labels_N].sum())
    if seen in (0, clips):
        raise ValueError(
            f"S and U need clips of seen and of unseen classes, got {seen} seen of {clips}."
        )
    return labels_N.astype(np.int64)
