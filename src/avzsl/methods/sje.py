"""SJE: the linear compatibility of DeViSE, trained against the worst wrong class alone.

Akata et al., "Evaluation of Output Embeddings for Fine-Grained Image Classification", CVPR 2015
(arXiv:1409.8403), as it stands in the repository of AVCA (ExplainableML/AVCA-GZSL), whose values
for VGGish and C3D features of UCF are the defaults; ``linear.py`` says what it does differently.
"""

from __future__ import annotations

from typing import ClassVar

from avzsl.losses.ranking import Violations
from avzsl.methods.avca_parts import TRAINING, Share
from avzsl.methods.base import MethodOptions, Training, methods
from avzsl.methods.linear import LinearMethod, LinearOptions
from avzsl.options import options


@options
class SjeOptions(LinearOptions):
    """Options of SJE."""

    training: Training = TRAINING
    """How the method is fitted."""
    class_dropout: Share = 0.2
    """Share of the entries of the class embeddings zeroed in training."""


@methods.register("sje")
class Sje(LinearMethod):
    """One linear map, and a hinge for the worst wrong class."""

    kind: ClassVar[str] = "sje"
    paper: ClassVar[str] = "akata2015sje"
    summary: ClassVar[str] = "linear map of mean features, hinge on the worst wrong class"
    Options: ClassVar[type[MethodOptions]] = SjeOptions
    violations: ClassVar[Violations] = "worst"
