"""Every feature set of the papers through the whole workflow, with tiny checkpoints."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import yaml
from project import CONFIG, Project, make_project
from tiny import all_tiny_options

from avzsl.config import load_config
from avzsl.shards.feature_index import FeatureIndex

pytestmark = pytest.mark.slow

FAMILIES = ("vggish-c3d", "audiomae-dino-llama", "clap-xclip", "imagebind", "selavi")
ANY_NAME = {"class-vectors": "fasttext"}
"""Encoders that know certain class names only, and what takes their place for the demo's."""


def shipped(root: Path) -> dict:
    return yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Project:
    project = make_project(tmp_path_factory.mktemp("families"), clips_per_class=3)
    tiny = all_tiny_options()
    features = {
        name: {
            part: ANY_NAME.get(kind, kind) for part, kind in shipped(root)["features"][name].items()
        }
        for name in FAMILIES
    }
    used = {kind for parts in features.values() for kind in parts.values()}
    mine = {"kind": "demo", "clips_per_class": 3, "damaged": False, "buckets": 1}
    project.write_config(
        {
            **CONFIG,
            "datasets": {"demo": mine},
            "encoders": {kind: tiny[kind] for kind in sorted(used)},
            "features": features,
            "methods": {"ez-avgzl": {"depth": 1, "training": {"epochs": 1}}},
        }
    )
    project.run(*(f"results/demo_{name}.csv" for name in FAMILIES))
    return project


@pytest.mark.parametrize("family", FAMILIES)
def test_there_is_a_table(finished: Project, family: str) -> None:
    rows = list(csv.DictReader(finished.table(f"results/demo_{family}.csv").decode().splitlines()))
    assert [row["method"] for row in rows] == ["ez-avgzl"]
    assert 0 <= float(rows[0]["zsl_mean"]) <= 100 and "UNTRAINED" not in rows[0]["notes"]


def test_feature_sets_that_share_an_encoder_share_its_features(finished: Project) -> None:
    text = finished.path / "results" / "classes" / "demo"
    assert (text / "fasttext" / "original.h5").is_file()
    used = {folder.name for folder in (finished.path / "results/features/demo").iterdir()}
    assert len(used) == 2 * len(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_features_are_those_of_the_checkpoint(finished: Project, family: str) -> None:
    config = yaml.safe_load((finished.path / "config.yaml").read_text(encoding="utf-8"))
    for part in ("audio", "visual"):
        kind = config["features"][family][part]
        index = FeatureIndex(finished.path / f"results/features/demo/{kind}/index.h5")
        assert index.header.encoder_kind == kind and len(index.video_ids) == 72
        assert index.header.options["weights"] == all_tiny_options()[kind]["weights"]


def test_shipped_feature_sets_name_known_encoders(root: Path) -> None:
    config = load_config(shipped(root), root / "workflow/schemas/config.schema.json")
    assert set(config.features) == {"signal", *FAMILIES}
    assert config.tables == ["demo_signal"]


# --- weights that are missing, and random ones --------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_project(tmp_path, clips_per_class=3)
    project.edit(features={"mine": {**CONFIG["features"]["signal"], "audio": "vggish"}})
    project.edit(methods={"ez-avgzl": None})
    return project


def test_missing_weights_stop_before_any_clip_is_touched(project: Project) -> None:
    printed = project.run("results/mine_mine.csv", rc=1)
    assert "avzsl fetch weights vggish" in printed and "most recent call last" not in printed
    assert not (project.path / "results").exists()
    project.run("--dry-run", "results/mine_signal.csv")  # a set that needs none is not disturbed


def test_a_table_made_with_random_weights_says_so(project: Project) -> None:
    own = {"random-sound": {"kind": "signal-audio"}}
    project.edit(
        encoders=own | {"dino": {"weights": "random:dino-vits16", "frames_per_second": 0.5}}
    )
    project.edit(features={"mine": {**CONFIG["features"]["signal"], "visual": "dino"}})
    config = yaml.safe_load((project.path / "config.yaml").read_text(encoding="utf-8"))
    config["methods"] = {"devise": {"training": {"epochs": 1}}}
    project.write_config(config)
    project.run("results/mine_mine.csv")
    rows = list(csv.DictReader(project.table("results/mine_mine.csv").decode().splitlines()))
    assert "dino is UNTRAINED" in rows[0]["notes"]
    found = json.loads(
        (project.path / "results/evaluations/mine/mine/devise/seed0.json").read_text()
    )
    assert found["notes"] == [rows[0]["notes"]]
