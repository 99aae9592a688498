"""Ids of described classes: their own descriptions count, and no others; in the workflow, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import tiny_options
from tiny.text_sets import NAMES, description, write_descriptions

from avzsl.classes.store import read_classes
from avzsl.cli.main import main
from avzsl.config import load_config
from avzsl.encoders import encoders
from avzsl.planning import Plan

READABLE = list(NAMES.values())


def make(**options: Any) -> Any:
    encoder = encoders.get("described-clip").from_dict(tiny_options("described-clip") | options)
    encoder.load(torch.device("cpu"))
    return encoder


def unit(rows: np.ndarray) -> np.ndarray:
    found: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def test_the_content_of_the_own_rows_makes_the_id(tmp_path: Path) -> None:
    texts = {n: description(n, "people") for n in READABLE}

    def made(name: str, described: dict[str, tuple[str, str, str]], **options: Any) -> str:
        path = write_descriptions(tmp_path / name / "d.csv", described)
        found: str = make(descriptions=str(path), **options).fingerprint_of(READABLE[:2])
        return found

    first = made("first", texts)
    assert made("elsewhere", texts) == first
    assert made("turned", dict(reversed(texts.items()))) == first
    assert made("more", texts | {"owl": ("a", "b", "c"), READABLE[3]: ("d", "e", "f")}) == first
    other = texts | {READABLE[1]: (*texts[READABLE[1]][:2], "another sound")}
    assert made("other", other) != first
    assert made("unused", other, parts=["d1"]) == made("used", texts, parts=["d1"]) != first


def test_the_workflow_embeds_again_only_what_is_described_otherwise(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in READABLE:
        for clip in range(4):
            path = tmp_path / "videos" / name / f"{clip}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
    texts = {n: description(n, "people") for n in READABLE}
    described = tiny_options("described-clip") | {"descriptions": "d.csv"}
    raw = {
        "datasets": {"mine": {"kind": "folder", "path": "videos"}},
        "encoders": {"kda": {"kind": "described-clip", **described}},
        "features": {"f": {"audio": "signal-audio", "visual": "signal-visual", "text": "kda"}},
        "methods": {"devise": {}},
    }

    def plan() -> Plan:
        return Plan(
            load_config(raw, root / "workflow" / "schemas" / "config.schema.json"), tmp_path
        )

    with pytest.raises(FileNotFoundError, match=r"encoders\.kda: descriptions: there is no file"):
        plan().classes_id("mine", "kda", "original")
    write_descriptions(tmp_path / "d.csv", {n: texts[n] for n in READABLE[1:]})
    with pytest.raises(ValueError, match=r"encoders\.kda, for the dataset mine: d\.csv has no"):
        plan().classes_id("mine", "kda", "original")
    write_descriptions(tmp_path / "d.csv", texts)
    first = plan().classes_id("mine", "kda", "original")
    own = ["--dataset-kind", "folder", "--dataset-options", '{"path": "videos"}']
    how = ["--kind", "described-clip", "--options", json.dumps(described), "--device", "cpu"]
    embed = ["classes", "embed", "mine", *own, *how, "--out", "classes.h5", "--classes-id"]
    assert main([*embed, first]) == 0
    assert np.allclose(
        read_classes(tmp_path / "classes.h5", expected_id=first).vectors,
        unit(make(descriptions="d.csv").encode(sorted(READABLE))),
        atol=1e-6,
    )
    write_descriptions(tmp_path / "d.csv", texts | {"owl": ("a", "b", "c")})
    assert plan().classes_id("mine", "kda", "original") == first
    write_descriptions(tmp_path / "d.csv", texts | {READABLE[0]: ("a", "b", "c")})
    second = plan().classes_id("mine", "kda", "original")
    assert second != first
    assert main([*embed, first]) == 1 and main([*embed, second]) == 0
