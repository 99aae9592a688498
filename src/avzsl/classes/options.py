"""The section ``classes`` of ``config.yaml``; imports no torch, for the workflow reads it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from avzsl.options import options

Objective = Literal["margin-ranking", "proximity"]
Distance = Literal["cosine", "l2", "l1"]


@options
class ClassOptimisation:
    """Class-embedding optimisation (Mo & Morgado, ECCV 2024, Eq. 1-4)."""

    objective: Objective = "margin-ranking"
    """What keeps the meaning. ``margin-ranking``: each class keeps the order of its neighbours
    (Eq. 3; best in the paper's ablations). ``proximity``: each class stays near its original
    embedding (Eq. 2; the paper's main tables)."""
    distance: Distance = "cosine"
    """Between class embeddings; the best of the three in the paper's Table 10."""
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Weight of the separation in Eq. 4; the semantic term has 1 - alpha. The paper's default."""
    margin: Annotated[float, Field(ge=0)] = 1.0
    """Lead in Eq. 3, in units of the distance; best in the paper's Table 9."""
    ranking: Literal["exact", "dense", "sampled"] = "exact"
    """How the triplets of Eq. 3 are counted. ``exact``: all of them, in C² log C steps for C
    classes. ``dense``: all of them one by one, in C³; the same result. ``sampled``: some drawn anew
    in each step, as the paper proposes for many classes; an estimate."""
    sampled_triplets: Annotated[int, Field(ge=1)] = 1_000_000
    """Triplets drawn in a step where ``ranking`` is ``sampled``."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-2
    """First step size of Adam; halved whenever the loss stands still. Not stated in the paper."""
    tolerance: Annotated[float, Field(ge=0)] = 3e-4
    """The loss stands still where a window gains less than this share of it; the optimisation has
    converged where halving the step size gains less, too. Not stated in the paper."""
    window: Annotated[int, Field(ge=1)] = 25
    """Steps over which the loss is averaged before it is compared. Not stated in the paper."""
    max_steps: Annotated[int, Field(ge=1)] = 5000
    """Stop here even without convergence, with a warning. Not stated in the paper."""
