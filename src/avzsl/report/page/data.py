"""The clips that the numbers rest on: by subset, missing on disk, without features, not scored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from avzsl.datasets.manifest import ManifestRow, class_names
from avzsl.datasets.overview import TESTS, TRAINING
from avzsl.report.page.records import Section, Table, text_table
from avzsl.shards.feature_index import FeatureIndex
from avzsl.types import SUBSETS, Failure

NAMED = 3
"""Clips or classes that a row names."""


@dataclass(frozen=True, kw_only=True)
class FeaturePair:
    """The two indexes that runs on a feature set read."""

    name: str
    """Of the feature set."""
    audio: FeatureIndex
    visual: FeatureIndex

    def without(self, rows: Iterable[ManifestRow]) -> dict[str, list[ManifestRow]]:
        """Return what is lacking -> clips that are not used because of it."""
        found: dict[str, list[ManifestRow]] = defaultdict(list)
        audio, visual = set(self.audio.video_ids), set(self.visual.video_ids)
        for row in rows:
            lacking = [
                modality
                for modality, ids in (("audio", audio), ("visual", visual))
                if row.video_id not in ids
            ]
            if lacking:
                found[" and ".join(lacking)].append(row)
        return dict(found)


def data_section(
    dataset: str, rows: Sequence[ManifestRow], pairs: Sequence[FeaturePair]
) -> Section:
    """Return what was used of a dataset.

    Args:
        dataset: Its name.
        rows: Its manifest.
        pairs: The feature sets that it is scored with.
    """
    training = {row.class_name for row in rows if row.subset in TRAINING}
    unseen = {row.class_name for row in rows if row.subset == "test_unseen"}
    missing = [row for row in rows if not row.present]
    indexes = {i.path: i for pair in pairs for i in (pair.audio, pair.visual)}
    own = {row.video_id for row in rows}  # an index may hold the clips of another dataset, too
    failures = [
        (index, failure)
        for index in indexes.values()
        for failure in index.failures()
        if failure.video_id in own
    ]
    sentences = [
        f"{len(class_names(rows)):,} classes: {len(training):,} seen (training and validation), "
        f"{len(unseen):,} unseen ones in the test. {len(rows):,} clips, "
        + (f"{len(missing):,} of them missing on disk." if missing else "none missing on disk."),
    ]
    if not failures:
        sentences.append("Every clip has features by every encoder.")
    left_out = _left_out(dataset, rows, pairs)
    if not left_out:
        sentences.append("No test clip is left out of the scores.")
    tables = [_subsets(dataset, rows, pairs)]
    tables += [_missing(dataset, missing)] if missing else []
    tables += [failure_table(dataset, failures)] if failures else []
    tables += [left_out] if left_out else []
    return Section(title=f"Clips of {dataset}", paragraphs=tuple(sentences), tables=tuple(tables))


def _subsets(dataset: str, rows: Sequence[ManifestRow], pairs: Sequence[FeaturePair]) -> Table:
    body = []
    for subset in SUBSETS:
        own = [row for row in rows if row.subset == subset]
        if not own:
            continue
        used = [len(own) - sum(map(len, pair.without(own).values())) for pair in pairs]
        missing = sum(not row.present for row in own)
        body.append([subset, len(class_names(own)), len(own), missing, *used])
    heads = ["subset", "classes", "clips", "missing on disk"]
    return text_table(
        f"Clips of {dataset} by subset",
        [*heads, *(f"used with {pair.name}" for pair in pairs)],
        body,
        notes=["A clip is used with a feature set where it has both audio and visual features."],
    )


def _missing(dataset: str, missing: Sequence[ManifestRow]) -> Table:
    groups: dict[str, list[ManifestRow]] = defaultdict(list)
    for row in missing:
        groups[row.note or "no such file"].append(row)
    return text_table(
        f"Clips of {dataset} that are missing on disk",
        ["reason", "clips", "such as"],
        [[r, len(own), _such_as(row.video_id for row in own)] for r, own in _largest(groups)],
    )


def failure_table(dataset: str, failures: Sequence[tuple[FeatureIndex, Failure]]) -> Table:
    """Return clips without features by encoder, stage and reason."""
    groups: dict[tuple[str, str, str], list[Failure]] = defaultdict(list)
    for index, failure in failures:
        groups[index.header.encoder, failure.stage, failure.reason].append(failure)
    return text_table(
        f"Clips of {dataset} without features, by encoder",
        ["encoder", "stage", "reason", "counts as", "clips", "such as"],
        [
            [
                *key,
                "absent" if own[0].is_absence else "failed",
                len(own),
                _such_as(failure.video_id for failure in own),
            ]
            for key, own in _largest(groups)
        ],
        notes=[
            "Absent: no file, no sound track or no picture. Failed: the clip should have worked; "
            "such clips count against extraction.max_failure_rate."
        ],
    )


def _left_out(
    dataset: str, rows: Sequence[ManifestRow], pairs: Sequence[FeaturePair]
) -> Table | None:
    body = []
    for pair in pairs:
        for subset in TESTS:
            own = [row for row in rows if row.subset == subset]
            without = pair.without(own)
            gone = _emptied(own, without)
            body += [
                [pair.name, subset, lacking, len(lost), _such_as(gone) if gone else "none"]
                for lacking, lost in without.items()
            ]
    if not body:
        return None
    return text_table(
        f"Test clips of {dataset} that are not scored",
        ["features", "subset", "lacking", "clips", "classes left without a clip"],
        body,
    )


def _emptied(own: Sequence[ManifestRow], without: Mapping[str, list[ManifestRow]]) -> set[str]:
    lost = {row.video_id for group in without.values() for row in group}
    kept = {row.class_name for row in own if row.video_id not in lost}
    return {row.class_name for row in own} - kept


def _largest(groups: Mapping) -> list:
    return sorted(groups.items(), key=lambda group: -len(group[1]))


def _such_as(names: Iterable[str]) -> str:
    every = sorted(names)
    more = len(every) - NAMED
    return "; ".join(every[:NAMED]) + (f"; and {more:,} more" if more > 0 else "")
