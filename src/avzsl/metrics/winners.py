"""Which class wins a clip under calibrated stacking (Chao et al., ECCV 2016).

The bias is subtracted from the scores of the seen classes. It cannot change which seen class is
the best of the seen ones, nor which unseen class is the best of the unseen ones; it decides between
the two. All that a prediction depends on is therefore one seen class, one unseen class, and the
margin between them:

    bias:        ───────────────────┬───────────────────►
    prediction:   best seen class   │   best unseen class
                                  margin

Shapes: N clips, K candidate classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, kw_only=True)
class Winners:
    """The best seen and the best unseen class of each clip."""

    seen: NDArray[np.int64]
    """[N] column of the best seen class; the lowest one of several equals."""
    unseen: NDArray[np.int64]
    """[N] column of the best unseen class; the lowest one of several equals."""
    margin: NDArray[np.float64]
    """[N] score of the best seen minus that of the best unseen class: the bias that makes a tie."""

    @property
    def seen_wins_tie(self) -> NDArray[np.bool_]:
        """[N] whether a tie goes to the seen class: it goes to the lower column."""
        return self.seen < self.unseen

    def predict(self, bias: float) -> NDArray[np.int64]:
        """Return the predicted column of each clip."""
        tie_N = (self.margin == bias) & self.seen_wins_tie
        return np.where((self.margin > bias) | tie_N, self.seen, self.unseen)


def find_winners(scores_NK: ArrayLike, is_seen_K: NDArray[np.bool_]) -> Winners:
    """Return the best seen and the best unseen class of each clip.

    Raises:
        ValueError: If there are no clips, if a score is not finite, if the shapes disagree, or if
            the candidates are not seen and unseen classes both.
    """
    scores_NK = np.asarray(scores_NK, dtype=np.float64)
    is_seen_K = np.asarray(is_seen_K)
    if scores_NK.ndim != 2 or is_seen_K.shape != scores_NK.shape[1:] or not len(scores_NK):
        raise ValueError(
            f"Expected scores [N, K] of N > 0 clips and one flag a class, got "
            f"{scores_NK.shape = }, {is_seen_K.shape = }."
        )
    if is_seen_K.dtype != np.bool_ or is_seen_K.all() or not is_seen_K.any():
        raise ValueError(
            f"is_seen must hold True for seen and False for unseen classes and both of them, got "
            f"{int(is_seen_K.sum())} of {len(is_seen_K)} seen, {is_seen_K.dtype = }."
        )
    broken_N = ~np.isfinite(scores_NK).all(1)
    if broken_N.any():
        raise ValueError(
            f"Scores must be finite, but those of {int(broken_N.sum())} of {len(scores_NK)} clips "
            f"are not (the first is row {int(broken_N.argmax())}). Has the training diverged?"
        )
    seen_K, unseen_K = np.flatnonzero(is_seen_K), np.flatnonzero(~is_seen_K)
    seen_N = seen_K[scores_NK[:, seen_K].argmax(1)]
    unseen_N = unseen_K[scores_NK[:, unseen_K].argmax(1)]
    clips_N = np.arange(len(scores_NK))
    margin_N = scores_NK[clips_N, seen_N] - scores_NK[clips_N, unseen_N]
    return Winners(seen=seen_N, unseen=unseen_N, margin=margin_N)
