"""Published features in the workflow: what is planned, what runs, and what runs again."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import h5py
import project
import published_archive as made
import pytest

from avzsl.config import load_config
from avzsl.planning import Plan

CONFIG: dict[str, Any] = project.CONFIG | {
    "datasets": {
        "ucf": {
            "kind": "benchmark",
            "benchmark": "ucf",
            "videos": None,
            "splits": "splits",
            "buckets": 2,
        }
    },
    "encoders": {
        "vggish-published": {"kind": "published-audio", "folder": "archive", "layout": "tcaf"},
        "c3d-published": {"kind": "published-visual", "folder": "archive", "layout": "tcaf"},
    },
    "features": {
        "vggish-c3d": {
            "audio": "vggish-published",
            "visual": "c3d-published",
            "text": "signal-text",
        }
    },
}
INDEX = "results/features/ucf/vggish-published/index.h5"
CLASS_FILE = "archive/UCF/features/cls_features/audio/stage_2_test_seen/Typing.pkl"


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> project.Project:
    """A user who has the split files and the archive, and no video."""
    made.write_splits(tmp_path / "splits")
    made.write_archive(tmp_path / "archive", "tcaf")
    monkeypatch.chdir(tmp_path)
    own = project.Project(tmp_path)
    own.write_config(CONFIG)
    return own


def plan(root: Path, user: project.Project, **sections: Any) -> Plan:
    from avzsl.config import merge

    raw = merge(copy.deepcopy(CONFIG), sections)
    return Plan(load_config(raw, root / "workflow/schemas/config.schema.json"), user.path)


def ids(plan: Plan) -> dict[str, str]:
    names = ("vggish-published", "c3d-published")
    run = {"run": plan.run_id("ucf", "vggish-c3d", "devise", 0)}
    return {name: plan.features_id("ucf", name) for name in names} | run


def test_ids_follow_the_files_of_their_modality(root: Path, user: project.Project) -> None:
    before = ids(plan(root, user))
    assert ids(plan(root, user)) == before
    os.utime(user.path / CLASS_FILE, ns=(0, 0))
    after = ids(plan(root, user))
    assert {name for name in before if before[name] != after[name]} == {"vggish-published", "run"}


def test_where_features_live_changes_no_id(root: Path, user: project.Project) -> None:
    before = plan(root, user)
    other = plan(root, user, memory={"features": "disk", "megabytes": 7})
    assert ids(other) == ids(before)
    assert '"disk"' in other.environment()["AVZSL_MEMORY"]


def test_an_encoder_that_needs_videos_is_refused_without_them(
    root: Path, user: project.Project
) -> None:
    mixed = {"mixed": {"audio": "signal-audio", "visual": "c3d-published", "text": "signal-text"}}
    planned = plan(root, user, features=mixed)
    with pytest.raises(ValueError, match=r"datasets.ucf.videos is null, but .*'signal-audio'"):
        planned.run_id("ucf", "mixed", "devise", 0)


def test_a_missing_archive_ends_the_run_in_a_clear_line(user: project.Project) -> None:
    user.edit(encoders={"vggish-published": {"folder": "elsewhere"}})
    printed = user.run("-n", INDEX, rc=1)
    assert "config.yaml: encoders.vggish-published: published-audio: there is no file" in printed
    assert "FileNotFoundError" not in printed


def test_an_archive_becomes_features_and_is_converted_again_when_it_changes(
    user: project.Project,
) -> None:
    wanted = ["convert", "extract_published 0000", "extract_published 0001", "index"]
    assert user.jobs(INDEX) == wanted
    assert not (user.path / "results/converted/ucf/vggish-published.h5").exists()
    with h5py.File(user.path / INDEX) as file:
        clips = made.CLIPS * sum(map(len, made.STAGES.values()))
        assert len(file["video_id"]) == clips and not len(file["failures"])
    assert "Nothing to be done" in user.run("-n", INDEX)
    os.utime(user.path / CLASS_FILE, ns=(0, 0))
    assert project.jobs_in(user.run("-n", INDEX)) == wanted
