"""Unseen classes and subsets: named, drawn, refused."""

from collections import Counter

import pytest

from avzsl.datasets.splits import Split, assign_subsets, class_roles

NAMES = [f"class {i}" for i in range(24)]
CLIPS = {name: [f"{name}/{i}" for i in range(20)] for name in NAMES}


def test_a_quarter_each_is_drawn_as_in_the_benchmarks():
    roles = class_roles(NAMES, Split(), "x")
    assert Counter(roles.values()) == {"seen": 12, "val_unseen": 6, "test_unseen": 6}
    assert class_roles(NAMES, Split(seed=1), "x") != roles
    assert class_roles(NAMES[::-1], Split(), "x") == roles


def test_named_classes_are_taken():
    split = Split(unseen_test=["class 3", "class 4"], unseen_val=2)
    roles = class_roles(NAMES, split, "x")
    assert {n for n, r in roles.items() if r == "test_unseen"} == {"class 3", "class 4"}
    assert Counter(roles.values())["val_unseen"] == 2


def test_seen_classes_may_be_named_and_the_rest_left_out():
    split = Split(unseen_test=["class 1"], unseen_val=["class 2"], seen=["class 3", "class 4"])
    assert set(class_roles(NAMES, split, "x")) == {"class 1", "class 2", "class 3", "class 4"}


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (Split(unseen_test=["class 99"]), "there is no class 'class 99'"),
        (Split(unseen_test=["class 1"], unseen_val=["class 1"]), "both unseen_test and unseen_val"),
        (Split(unseen_test=["class 1"], seen=["class 1"]), "both unseen_test and seen"),
        (Split(unseen_val=["class 1"], seen=["class 1"]), "both unseen_val and seen"),
        (Split(unseen_test=["class 1", "class 1"]), "named twice"),
        (Split(unseen_test=24), "cannot draw 24 of 24"),
        (Split(unseen_test=12, unseen_val=12), "cannot draw 12 of 12"),
    ],
)
def test_wrong_choices_are_refused(split, message):
    with pytest.raises(ValueError, match=message):
        class_roles(NAMES, split, "datasets.x.split")


def test_subsets_follow_the_roles():
    split = Split()
    roles = class_roles(NAMES, split, "x")
    subsets = assign_subsets(CLIPS, roles, split, "x")
    assert set(subsets) == {i for ids in CLIPS.values() for i in ids}
    for name, role in roles.items():
        counts = Counter(subsets[i] for i in CLIPS[name])
        expected = {
            "seen": {"train": 16, "val_seen": 2, "test_seen": 2},
            "val_unseen": {"val_unseen": 18, "test_seen": 2},
            "test_unseen": {"test_unseen": 20},
        }[role]
        assert counts == expected


def test_an_added_clip_moves_few_others():
    split = Split()
    roles = class_roles(NAMES, split, "x")
    before = assign_subsets(CLIPS, roles, split, "x")
    name = next(n for n, r in roles.items() if r == "seen")
    after = assign_subsets(CLIPS | {name: [*CLIPS[name], "new"]}, roles, split, "x")
    assert sum(before[i] != after[i] for i in before) <= 2


@pytest.mark.parametrize(("role", "needed"), [("seen", 3), ("val_unseen", 2), ("test_unseen", 1)])
def test_a_class_needs_enough_clips_for_its_role(role, needed):
    split = Split()
    enough = {"a": [str(i) for i in range(needed)]}
    assert len(assign_subsets(enough, {"a": role}, split, "x")) == needed
    short = {"a": enough["a"][1:]}
    with pytest.raises(ValueError, match=f"needs at least {needed}"):
        assign_subsets(short, {"a": role}, split, "x")
    if role == "val_unseen":
        with pytest.raises(ValueError, match="has one clip"):
            assign_subsets(short, {"a": role}, split, "x")
