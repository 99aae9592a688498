"""DeViSE: score a class by the inner product of its embedding and the projected clip.

Frome et al., "DeViSE: A Deep Visual-Semantic Embedding Model", NeurIPS 2013: every wrong class
whose score comes within a margin of the true one's adds to the loss. What it shares with ALE and
SJE, and what the code of Mercea et al., CVPR 2022 (arXiv:2203.03598), whose margin, dropout and
step size are the defaults, does differently: ``linear.py``. That code also drops entries of the
class embeddings (``class_dropout``).
"""

from __future__ import annotations

from typing import ClassVar

from avzsl.losses.ranking import Violations
from avzsl.methods.base import MethodOptions, methods
from avzsl.methods.linear import LinearMethod, LinearOptions
from avzsl.options import options


@options
class DeviseOptions(LinearOptions):
    """Options of DeViSE."""


@methods.register("devise")
class Devise(LinearMethod):
    """One linear map, and a hinge for every wrong class."""

    kind: ClassVar[str] = "devise"
    paper: ClassVar[str] = "frome2013devise"
    summary: ClassVar[str] = "linear map of mean features, hinge ranking loss"
    Options: ClassVar[type[MethodOptions]] = DeviseOptions
    violations: ClassVar[Violations] = "all"
