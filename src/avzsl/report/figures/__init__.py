"""Figures of runs, a file a kind; readable in grey, by the colour-blind, and with many methods.

Every ``plot_*`` function takes panels, a title and the runs of one method or variant each, and
writes a PNG and, beside it, a PDF. A panel keeps its colour, marker, hatch and line in all figures
that are made of the same panels.
"""

from avzsl.report.figures.bias import plot_bias
from avzsl.report.figures.classes import plot_classes
from avzsl.report.figures.confusion import plot_confusion
from avzsl.report.figures.embeddings import plot_embeddings
from avzsl.report.figures.methods import plot_methods
from avzsl.report.figures.style import Panels, by_method
from avzsl.report.figures.training import plot_training

__all__ = [
    "Panels",
    "by_method",
    "plot_bias",
    "plot_classes",
    "plot_confusion",
    "plot_embeddings",
    "plot_methods",
    "plot_training",
]
