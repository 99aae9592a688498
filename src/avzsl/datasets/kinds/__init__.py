"""Kinds of datasets: one file each, registered by name, importable without torch."""

from avzsl.datasets.kinds.base import DatasetKind, DatasetOptions, dataset_kinds

__all__ = ["DatasetKind", "DatasetOptions", "dataset_kinds"]
