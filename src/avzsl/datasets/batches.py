"""Which clips make up the batches of an epoch.

Shapes: C training clips, B clips of a batch.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Sampling = Literal["uniform", "class-balanced"]


def epoch_batches(
    labels_C: NDArray[np.int64],
    *,
    batch_size: int,
    steps: int | None,
    sampling: Sampling,
    generator: np.random.Generator,
) -> list[NDArray[np.int64]]:
    """Draw the batches of one epoch, as positions among the training clips.

    ``uniform`` without ``steps`` is one shuffled pass in which the batches differ in size by at
    most one clip: 65 clips in batches of 64 are 33 and 32 and not 64 and 1, since one clip has
    neither batch statistics nor a wrong class beside it. With ``steps`` it is as many shuffled
    passes as are needed, cut into full batches. ``class-balanced`` draws a class, then a clip of
    it, both uniformly with replacement (the sampler of Mercea et al., CVPR 2022, and of all code
    derived from it), in full batches.

    Args:
        labels_C: Class of every training clip.
        batch_size: Clips in a full batch.
        steps: Batches of the epoch; None means as many as one pass over the clips takes.
        sampling: How clips are drawn.
        generator: Source of randomness.

    Raises:
        ValueError: If there are fewer than two training clips.
    """
    clips = len(labels_C)
    if clips < 2:
        raise ValueError(f"Training needs at least two clips, got {clips}.")
    # No batch of a pass is a single clip, even of an odd number of clips in batches of two.
    count = min(-(-clips // batch_size), clips // 2) if steps is None else steps
    if sampling == "class-balanced":
        drawn = _draw_balanced(labels_C, count * batch_size, generator)
        return np.split(drawn, count)
    if steps is None:
        return np.array_split(generator.permutation(clips), count)
    passes = -(-steps * batch_size // clips)
    drawn = np.concatenate([generator.permutation(clips) for _ in range(passes)])
    return np.split(drawn[: steps * batch_size], steps)


def draw_negatives(
    labels_C: NDArray[np.int64], positions_B: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw for each clip one of another class: the class uniformly, then the clip uniformly.

    Args:
        labels_C: Class of every training clip.
        positions_B: The clips.
        generator: Source of randomness.

    Returns:
        [B] positions among the training clips.

    Raises:
        ValueError: If all training clips are of one class.
    """
    by_class = np.argsort(labels_C, kind="stable")
    names, first, counts = np.unique(labels_C[by_class], return_index=True, return_counts=True)
    if len(names) < 2:
        raise ValueError("Negative clips need at least two training classes, got one.")
    own_B = np.searchsorted(names, labels_C[positions_B])
    others_B = generator.integers(len(names) - 1, size=len(positions_B))
    others_B += others_B >= own_B
    return by_class[first[others_B] + generator.integers(counts[others_B])]


def _draw_balanced(
    labels_C: NDArray[np.int64], draws: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return ``draws`` positions: a class uniformly, then one of its clips uniformly."""
    by_class = np.argsort(labels_C, kind="stable")
    _, first, counts = np.unique(labels_C[by_class], return_index=True, return_counts=True)
    classes = generator.integers(len(counts), size=draws)
    return by_class[first[classes] + generator.integers(counts[classes])]
