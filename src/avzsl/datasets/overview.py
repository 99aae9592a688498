"""What a dataset holds, class by class, and what its test clips share with its training clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from avzsl.datasets.manifest import ManifestRow
from avzsl.types import SUBSETS, Subset

TRAINING: tuple[Subset, ...] = ("train", "val_seen", "val_unseen")
"""What the second stage trains on."""
TESTS: tuple[Subset, ...] = ("test_seen", "test_unseen")
HELD_OUT: tuple[Subset, ...] = ("val_seen", "val_unseen", *TESTS)
"""What is scored on."""

Sources = Callable[[ManifestRow], str]


@dataclass(frozen=True, kw_only=True)
class SubsetCounts:
    """One subset."""

    subset: Subset
    clips: dict[str, int]
    """Class -> clips."""
    missing: dict[str, int]
    """Class -> clips that are not on disk; classes without any are left out."""

    @property
    def empty(self) -> list[str]:
        """Classes of which no clip is on disk: they take no part."""
        return [name for name, count in self.missing.items() if count == self.clips[name]]

    @property
    def extremes(self) -> tuple[str, str]:
        """The class with the fewest clips and the one with the most; the first of several."""
        ranked = sorted(self.clips, key=lambda name: (self.clips[name], name))
        most = self.clips[ranked[-1]]
        return ranked[0], next(name for name in ranked if self.clips[name] == most)


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Test clips cut from what training clips are cut from, too."""

    subset: Subset
    clips: int
    """Of the subset."""
    shared: int
    """Of these, how many share their source with a training clip."""
    sources: int
    """Sources that they share."""
    example: str
    """A shared source; empty where there is none."""


def count_classes(rows: Sequence[ManifestRow]) -> list[SubsetCounts]:
    """Return the counts of every subset that has clips."""
    counts = []
    for subset in SUBSETS:
        own = [row for row in rows if row.subset == subset]
        clips = Counter(row.class_name for row in own)
        missing = Counter(row.class_name for row in own if not row.present)
        if own:
            found = SubsetCounts(
                subset=subset,
                clips=dict(sorted(clips.items())),
                missing=dict(sorted(missing.items())),
            )
            counts.append(found)
    return counts


def shared_with_training(rows: Sequence[ManifestRow], source_of: Sources) -> list[Shared]:
    """Return for each test subset how many of its clips share their source with training clips.

    Args:
        rows: All clips, on disk or not.
        source_of: What a clip is cut from.
    """
    trained = {source_of(row) for row in rows if row.subset in TRAINING}
    found = []
    for subset in TESTS:
        sources = [source_of(row) for row in rows if row.subset == subset]
        shared = [source for source in sources if source in trained]
        found.append(
            Shared(
                subset=subset,
                clips=len(sources),
                shared=len(shared),
                sources=len(set(shared)),
                example=min(shared, default=""),
            )
        )
    return found


def in_several_clips(
    rows: Sequence[ManifestRow], source_of: Sources, subsets: Collection[Subset] = HELD_OUT
) -> int:
    """Return how many sources are in more than one clip of these subsets."""
    counts = Counter(source_of(row) for row in rows if row.subset in subsets)
    return sum(count > 1 for count in counts.values())
