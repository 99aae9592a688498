"""The options of the two-stage protocol. Imports no torch: Snakemake reads them on every parse."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from avzsl.options import options

TRAINING_REVISION = 2
"""Raised by hand whenever the code of training changes what comes out, whatever the method."""


@options
class ProtocolOptions:
    """How runs are repeated, judged and calibrated; the same for all methods."""

    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0, 1, 2)
    """One run each; a table shows mean and standard deviation. Published numbers are single runs
    with seed 42; three are the fewest that give a spread."""
    calibration: Literal["exact", "grid"] = "exact"
    """How the bias of seen classes is searched on validation: ``exact`` over every value at which a
    prediction changes, ``grid`` over equally spaced ones, as in the code of AVCA and TCaF."""
    grid_max: Annotated[float, Field(gt=0)] = 3.0
    """Largest bias of the grid, in units of the scores (AVCA, TCaF: 3)."""
    grid_steps: Annotated[int, Field(ge=2)] = 16
    """Values of the grid, 0 and ``grid_max`` among them (AVCA, TCaF: 16)."""
    standardise: bool = True
    """Whether each feature dimension is brought to mean 0 and variance 1 over the training clips of
    the stage. Published methods feed raw features."""
    evaluate_every: Annotated[int, Field(ge=1)] = 1
    """Epochs from one validation to the next; the last epoch is always validated."""
