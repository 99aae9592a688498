"""Which classes are unseen and what each clip is used for, named or drawn by seed.

The subsets are those of the field (Mercea et al., CVPR 2022): stage 1 trains on ``train`` and is
judged on ``val_seen`` and ``val_unseen``; stage 2 trains on all three and is judged on
``test_seen`` and ``test_unseen``. Classes of ``val_unseen`` are therefore seen in stage 2, and
give some of their clips to ``test_seen``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from avzsl.options import options
from avzsl.registry import did_you_mean
from avzsl.types import Subset

Role = Literal["seen", "val_unseen", "test_unseen"]

CLIPS_NEEDED: dict[Role, int] = {"seen": 3, "val_unseen": 2, "test_unseen": 1}
"""Clips that a class needs so that every subset it takes part in gets one."""

Share = Annotated[float, Field(gt=0, lt=0.5)]
ClassChoice = list[str] | Annotated[int, Field(ge=1)] | None


@options
class Split:
    """How classes and clips are divided."""

    unseen_test: ClassChoice = None
    """Unseen test classes: their names, or how many to draw; null draws a quarter of the classes,
    as in the published benchmarks."""
    unseen_val: ClassChoice = None
    """Unseen validation classes: their names, or how many to draw; null draws a quarter."""
    seen: list[str] | None = None
    """Training classes by name; null means all others. A class in no list is left out."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of every draw."""
    val_seen_share: Share = 0.1
    """Share of a training class's clips that validates on seen classes (benchmarks: 0.1)."""
    test_seen_share: Share = 0.1
    """Share of a seen class's clips that is kept for the test (benchmarks: 0.1)."""


def class_roles(names: Sequence[str], split: Split, where: str) -> dict[str, Role]:
    """Return the role of every class that takes part.

    Args:
        names: All classes of the dataset.
        split: The choice.
        where: Place in the configuration, for messages.

    Raises:
        ValueError: If a named class does not exist, is named twice, or no class is left to train.
    """
    ranked = sorted(names, key=lambda name: _rank(split.seed, "class", name))
    test = _choose(split.unseen_test, ranked, f"{where}.unseen_test")
    named_val = split.unseen_val if isinstance(split.unseen_val, list) else []
    rest = [name for name in ranked if name not in test or name in named_val]
    val = _choose(split.unseen_val, rest, f"{where}.unseen_val", share_of=len(ranked), known=names)
    seen = [name for name in ranked if name not in test and name not in val]
    if split.seen is not None:
        seen = _choose(split.seen, seen, f"{where}.seen", known=names)
    for first, second in (
        ("unseen_test", "unseen_val"),
        ("unseen_test", "seen"),
        ("unseen_val", "seen"),
    ):
        chosen = {"unseen_test": test, "unseen_val": val, "seen": seen}
        both = sorted(set(chosen[first]) & set(chosen[second]))
        if both:
            raise ValueError(
                f"{where}: the class {both[0]!r} is in both {first} and {second}; "
                "an unseen class must have no training clip. Remove it from one of them."
            )
    if not seen:
        raise ValueError(f"{where}: all {len(names)} classes are unseen; none is left to train on.")
    roles: dict[str, Role] = dict.fromkeys(seen, "seen")
    return roles | dict.fromkeys(val, "val_unseen") | dict.fromkeys(test, "test_unseen")


def assign_subsets(
    clips: Mapping[str, Sequence[str]], roles: Mapping[str, Role], split: Split, where: str
) -> dict[str, Subset]:
    """Return the subset of every clip whose class takes part.

    Clips are ranked within their class by a hash of seed and id, so that an added clip moves at
    most the ones at the borders.

    Args:
        clips: Class name -> ids of its clips.
        roles: Class name -> role.
        split: Shares and seed.
        where: Place in the configuration, for messages.

    Raises:
        ValueError: If a class has too few clips for its role.
    """
    subsets: dict[str, Subset] = {}
    for name, role in roles.items():
        ids = sorted(clips[name], key=lambda video_id: _rank(split.seed, "clip", video_id))
        if len(ids) < CLIPS_NEEDED[role]:
            raise ValueError(
                f"{where}: the class {name!r} ({role}) has {_count(len(ids))}, but needs at least "
                f"{CLIPS_NEEDED[role]} to train, validate and test. Add clips or remove the class."
            )
        subsets |= _assign_class(ids, role, split)
    return subsets


def _assign_class(ids: Sequence[str], role: Role, split: Split) -> dict[str, Subset]:
    if role == "test_unseen":
        return dict.fromkeys(ids, "test_unseen")
    tests = max(1, round(split.test_seen_share * len(ids)))
    vals = max(1, round(split.val_seen_share * len(ids))) if role == "seen" else 0
    subsets: dict[str, Subset] = dict.fromkeys(ids, "train" if role == "seen" else "val_unseen")
    subsets |= dict.fromkeys(ids[:tests], "test_seen")
    subsets |= dict.fromkeys(ids[tests : tests + vals], "val_seen")
    return subsets


def _choose(
    choice: list[str] | int | None,
    ranked: Sequence[str],
    where: str,
    *,
    share_of: int | None = None,
    known: Sequence[str] | None = None,
) -> list[str]:
    """Return the named classes, or the first ones of the ranking."""
    if isinstance(choice, list):
        for name in choice:
            if name not in (known or ranked):
                raise ValueError(
                    f"{where}: there is no class {name!r}. {did_you_mean(name, known or ranked)}"
                )
        if len(set(choice)) < len(choice):
            raise ValueError(f"{where}: a class is named twice.")
        return list(choice)
    count = choice if choice is not None else max(1, (share_of or len(ranked)) // 4)
    if count >= len(ranked):
        raise ValueError(
            f"{where}: cannot draw {count} of {len(ranked)} classes and leave any to train on."
        )
    return list(ranked[:count])


def _rank(seed: int, what: str, name: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{what}\0{name}".encode(), digest_size=8).digest()


def _count(clips: int) -> str:
    return "one clip" if clips == 1 else f"{clips} clips"
