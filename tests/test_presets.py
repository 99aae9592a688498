"""Published hyper-parameters by name in config.yaml, and published numbers beside ours."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from avzsl.config import load_config
from avzsl.presets import with_published


@pytest.fixture
def raw(root: Path) -> dict[str, Any]:
    shipped = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    shipped["datasets"]["demo"]["methods"] = {}
    return shipped | {"tables": None, "studies_on": None}


def load(root: Path, raw: dict[str, Any]):  # type: ignore[no-untyped-def]
    schema = root / "workflow" / "schemas" / "config.schema.json"
    return load_config(copy.deepcopy(raw), schema)


def test_published_settings_lie_under_ones_own(root: Path, raw: dict[str, Any]) -> None:
    raw["methods"] = {"avca": {"published": "vggsound.main", "training": {"epochs": 3}}}
    options = load(root, raw).methods["avca"].options
    assert options["training"]["batch_size"] == 64 and options["training"]["epochs"] == 3
    assert options["training"]["steps_per_epoch"] == 500
    raw["methods"] = {"avca": {"published": "ucf.main"}}
    assert load(root, raw).methods["avca"].options["training"]["batch_size"] == 256


def test_several_are_laid_over_one_another(root: Path, raw: dict[str, Any]) -> None:
    raw["methods"] = {"tcaf": {"published": ["activitynet.main", "released"]}}
    options = load(root, raw).methods["tcaf"].options
    assert (options["depth"], options["heads"], options["evaluation_times"]) == (8, 3, "index")


def test_a_dataset_can_name_its_own(root: Path, raw: dict[str, Any]) -> None:
    raw["methods"] = {"avca": {}, "plain": {"kind": "avca"}}
    own = {"methods": {"avca": {"published": "vggsound.main"}}, "training": {}}
    raw["datasets"]["demo"] |= own
    config = load(root, raw)
    assert config.method_on("demo", "avca").options["training"]["batch_size"] == 64
    assert config.method_on("demo", "plain").options["training"]["batch_size"] == 256


@pytest.mark.parametrize("where", ["methods", "datasets.demo.methods"])
def test_unknown_ones_are_named_with_the_nearest(
    root: Path, raw: dict[str, Any], where: str
) -> None:
    own = {"avca": {"published": "vggsound.mian"}}
    if where == "methods":
        raw["methods"] = own
    else:
        raw["methods"] = {"avca": {}}
        raw["datasets"]["demo"]["methods"] = own
    with pytest.raises(ValueError, match=rf"{where}\.avca\.published.*'vggsound\.main'"):
        load(root, raw)


def test_a_method_without_any_says_so() -> None:
    with pytest.raises(ValueError, match="Known: none"):
        with_published({"published": "ucf.cls"}, "ez-avgzl", "methods.ez-avgzl")
