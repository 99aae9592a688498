"""Which clips and classes train a model, and which judge it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avzsl.datasets.features import FeatureSet
from avzsl.types import ClassEmbeddings, Subset

_log = logging.getLogger(__name__)

TRAINED_ON: dict[int, tuple[Subset, ...]] = {
    1: ("train",),
    2: ("train", "val_seen", "val_unseen"),
}
"""Subsets that each stage trains on (Mercea et al., CVPR 2022)."""

_NAMED = 10
"""Names in a message at most."""


@dataclass(frozen=True, kw_only=True)
class Judging:
    """The clips that judge a model; none of them has trained it.

    V clips, K candidate classes.
    """

    rows: NDArray[np.int64]
    """[V]"""
    candidates: tuple[str, ...]
    """[K] the classes that a clip may be taken for: all seen and all unseen ones, sorted."""
    is_seen: NDArray[np.bool_]
    """[K]"""


def training_clips(features: FeatureSet, stage: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the rows of a stage's training clips, and their classes: the seen ones, sorted.

    Raises:
        ValueError: If there are none.
    """
    subsets = TRAINED_ON[stage]
    if not len(features.rows_of(*subsets)):
        raise ValueError(f"There are no training clips with features in {', '.join(subsets)}.")
    return features.rows_of(*subsets), features.classes_of(*subsets)


def judging_clips(
    features: FeatureSet, seen: Sequence[str], *, seen_subset: Subset, unseen_subset: Subset
) -> Judging:
    """Return the clips of two subsets and the classes that they are to be told apart from.

    A class without clips is a candidate if it is seen, for the model knows it. Clips of a seen
    subset whose class lost all its training clips cannot be judged; they are named in a warning.

    Args:
        features: The clips.
        seen: Classes that the model was trained on.
        seen_subset: Subset of further clips of these classes.
        unseen_subset: Subset of clips of other classes.

    Raises:
        ValueError: If either subset has no clips, or an unseen class was trained on.
    """
    unseen = features.classes_of(unseen_subset)
    both = set(seen) & set(unseen)
    if both:
        raise ValueError(
            f"Classes of {unseen_subset!r} were trained on: {name_some(both)}. Remove their "
            "training clips, or take the classes out of the unseen ones."
        )
    strangers = set(features.classes_of(seen_subset)) - set(seen)
    if strangers:
        _log.warning(
            "Classes of %s without a training clip take no part: %s",
            seen_subset,
            name_some(strangers),
        )
    known = _among(features.class_names, {*seen, *unseen})[features.labels]
    rows = {
        subset: (own := features.rows_of(subset))[known[own]]
        for subset in (seen_subset, unseen_subset)
    }
    for subset, own in rows.items():
        if not len(own):
            raise ValueError(
                f"There are no clips with features in {subset!r}, but accuracy is measured on "
                "seen and on unseen classes: both need clips."
            )
    candidates = tuple(sorted({*seen, *unseen}))
    return Judging(
        rows=np.concatenate(list(rows.values())),
        candidates=candidates,
        is_seen=_among(candidates, set(seen)),
    )


def _among(names: Sequence[str], chosen: set[str]) -> NDArray[np.bool_]:
    return np.array([name in chosen for name in names])


def vectors_of(classes: ClassEmbeddings, names: Sequence[str]) -> NDArray[np.float32]:
    """Return the embeddings of some classes, in the order asked for.

    Raises:
        LookupError: If a class has none; the message names it.
    """
    place = {name: i for i, name in enumerate(classes.names)}
    missing = [name for name in names if name not in place]
    if missing:
        raise LookupError(
            f"There is no class embedding for {name_some(missing)}. Embeddings and features must "
            "be of the same dataset."
        )
    return classes.vectors[[place[name] for name in names]]


def name_some(names: Iterable[str]) -> str:
    """Return up to ten names for a message."""
    names = sorted(names)
    rest = len(names) - _NAMED
    return ", ".join(map(repr, names[:_NAMED])) + (f" and {rest} more" if rest > 0 else "")
