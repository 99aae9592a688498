"""Print what a dataset holds: counts by subset and class, files missing, and known leakage.

Clips that are cut from one recording are near copies. Where a recording is in training and in the
test, the test measures memory in part; such pairs are counted. Nothing is changed by that: the
benchmarks are scored as published.

example: avzsl inspect dataset ucf
example: avzsl inspect dataset ucf --classes
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from avzsl.cli.arguments import add_configuration, add_dataset, make_dataset

if TYPE_CHECKING:
    from avzsl.datasets.kinds import DatasetKind
    from avzsl.datasets.manifest import ManifestRow
    from avzsl.datasets.overview import SubsetCounts

NAMED_CLASSES = 10
"""Empty classes that a line names."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("what", choices=["dataset"])
    add_dataset(parser)
    add_configuration(parser)
    parser.add_argument("--classes", action="store_true", help="a line for each class, too")


def run(args: argparse.Namespace) -> None:
    """Print the overview.

    Raises:
        ValueError: If there is no such dataset, or it cannot be used as configured.
        OSError: If its files cannot be read.
    """
    dataset = make_dataset(args)
    rows = dataset.listed()
    print("\n".join(overview(dataset, rows, by_class=args.classes)))


def overview(dataset: DatasetKind, rows: list[ManifestRow], *, by_class: bool = False) -> list[str]:
    """Return the lines that are printed.

    Args:
        dataset: Whose clips.
        rows: All of them.
        by_class: Whether each class has a line, too.
    """
    from avzsl.datasets.manifest import class_names
    from avzsl.datasets.overview import count_classes

    counts = count_classes(rows)
    missing = sum(not row.present for row in rows)
    lines = [
        f"{dataset.name} ({dataset.kind}): {len(class_names(rows))} classes, {len(rows):,} clips, "
        f"{missing:,} of them missing on disk",
        "",
        *_subset_lines(counts),
        "",
        *_empty_lines(counts),
        *_leakage_lines(dataset, rows),
    ]
    return lines + (["", *_class_lines(counts)] if by_class else [])


def _subset_lines(counts: list[SubsetCounts]) -> list[str]:
    lines = [f"{'subset':<12} {'classes':>7} {'clips':>7} {'missing':>7}  smallest, largest class"]
    for own in counts:
        few, many = own.extremes
        lines.append(
            f"{own.subset:<12} {len(own.clips):>7} {sum(own.clips.values()):>7,} "
            f"{sum(own.missing.values()):>7,}  {few} ({own.clips[few]}), {many} ({own.clips[many]})"
        )
    return lines


def _empty_lines(counts: list[SubsetCounts]) -> list[str]:
    if all(own.clips == own.missing for own in counts):
        return ["No clip is on disk."]
    lines = []
    for own in counts:
        if own.empty:
            more = len(own.empty) - NAMED_CLASSES
            named = "; ".join(own.empty[:NAMED_CLASSES]) + (f"; and {more} more" * (more > 0))
            lines.append(f"{own.subset}: classes left without a clip, {len(own.empty)}: {named}")
    return lines or ["Every class of every subset has a clip on disk."]


def _leakage_lines(dataset: DatasetKind, rows: list[ManifestRow]) -> list[str]:
    from avzsl.datasets.overview import HELD_OUT, in_several_clips, shared_with_training

    word = dataset.source_word
    lines = []
    for found in shared_with_training(rows, dataset.source_of):
        example = f" ({found.sources:,} such, as {found.example})" if found.shared else ""
        lines.append(
            f"leakage: {found.shared:,} of {found.clips:,} clips of {found.subset} share their "
            f"{word} with training clips{example}"
        )
    everywhere = in_several_clips(rows, dataset.source_of, {row.subset for row in rows})
    held_out = in_several_clips(rows, dataset.source_of)
    return [
        *lines,
        f"{word}s in more than one clip: {everywhere:,}; in {', '.join(HELD_OUT)} alone: "
        f"{held_out:,}",
    ]


def _class_lines(counts: list[SubsetCounts]) -> list[str]:
    lines = [f"{'subset':<12} {'clips':>7} {'missing':>7}  class"]
    for own in counts:
        lines += [
            f"{own.subset:<12} {clips:>7,} {own.missing.get(name, 0):>7,}  {name}"
            for name, clips in own.clips.items()
        ]
    return lines
