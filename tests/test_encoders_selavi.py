"""SeLaVi against its authors' code, as AVCA and TCaF run it, by way of golden files."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from random_states import random_state
from selavi_golden import GOLDEN, HALVES, INPUTS, LAYOUT, TOLERANCE, apart, loaded
from torch import Tensor

from avzsl.encoders import encoders
from avzsl.encoders.selavi import SOURCES
from avzsl.sources.checkpoint import MissingWeightsError
from avzsl.sources.table import get_source


@pytest.fixture(autouse=True)
def quiet():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("selavi") / "selavi.pth"
    torch.save({"model": random_state(LAYOUT), "epoch": 200}, path)
    return path


# --- the networks -------------------------------------------------------------------------------


@pytest.mark.parametrize("half", HALVES)
def test_features_are_the_references(half: str, checkpoint: Path) -> None:
    encoder = loaded(half, checkpoint)
    assert encoder.dim == 32
    assert apart(encoder, half) <= TOLERANCE


@pytest.mark.parametrize("half", HALVES)
def test_every_tensor_matters(half: str, checkpoint: Path) -> None:
    encoder = loaded(half, checkpoint)
    places = ("stem", "conv1", "bn1", "layer1.0", "layer4.0", "layer2.1.conv2.1")
    for name, tensor in encoder.network.state_dict().items():
        if not name.startswith(places) or name.endswith("num_batches_tracked"):
            continue
        before = tensor.clone()
        tensor.mul_(1.5)
        assert apart(encoder, half) > 10 * TOLERANCE, name
        tensor.copy_(before)
    assert apart(encoder, half) <= TOLERANCE


@pytest.mark.parametrize("half", HALVES)
def test_pooling_matters(half: str, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = loaded(half, checkpoint)
    monkeypatch.setattr(Tensor, "mean", lambda maps, sides: maps.amax(sides))
    assert apart(encoder, half) > 0.1


@pytest.mark.parametrize(("half", "parameters"), [("video", 31_300_125), ("audio", 4_899_520)])
@pytest.mark.parametrize("source", SOURCES)
def test_published_network_has_the_published_tensors(
    half: str, parameters: int, source: str
) -> None:
    encoder = encoders.get(f"selavi-{half}").from_dict({"weights": f"random:{source}"})
    with torch.device("meta"):
        network = encoder.build(encoder.sizes)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    published = json.loads(str(GOLDEN[half]["published layout"]))
    prefix = f"{half}_network.base."
    expected = {
        name.removeprefix(prefix): tuple(shape[:-1])
        for name, shape in published.items()
        if name.startswith(prefix)
    }
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == expected
    assert encoder.dim == 512 and not get_source(source).commercial


# --- checkpoints --------------------------------------------------------------------------------


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("layout", ["parallel", "bare", "old format"])
def test_layouts_give_the_same(half: str, layout: str, tmp_path: Path) -> None:
    state: Any = random_state(LAYOUT)
    if layout != "bare":
        state = {f"module.{name}": tensor for name, tensor in state.items()}
        args = argparse.Namespace(headcount=10)
        state = {"epoch": 3, "model": state, "optimizer": {"state": {}}, "args": args}
    new = layout != "old format"
    torch.save(state, tmp_path / "selavi.pth", _use_new_zipfile_serialization=new)
    assert apart(loaded(half, tmp_path / "selavi.pth"), half) <= TOLERANCE


@pytest.mark.parametrize(
    ("half", "changes", "complaint"),
    [
        ("video", {"layer2.0.conv2.1.bias": None}, r"missing: layer2\.0\.conv2\.1\.bias"),
        ("audio", {"layer2.0.bn1.running_var": None}, r"missing: layer2\.0\.bn1\.running_var"),
        ("video", {"layer2.0.extra": torch.ones(1)}, r"unexpected: layer2\.0\.extra"),
        ("audio", {"fc.weight": torch.ones(5, 32)}, r"unexpected: fc\.weight"),
        ("video", {"stem.1.bias": torch.ones(4)}, r"of another shape: stem\.1\.bias \(4,\)"),
        ("audio", {"conv1.weight": torch.ones(64, 3, 7, 7)}, r"of another shape: conv1\.weight"),
        ("video", {"stem.3.weight": None}, r"lacks stem\.3\.weight"),
    ],
)
def test_wrong_tensors_are_refused(
    half: str, changes: dict[str, Tensor | None], complaint: str, tmp_path: Path
) -> None:
    state = random_state(LAYOUT)
    for name, tensor in changes.items():
        state[f"{half}_network.base.{name}"] = tensor
    state = {name: tensor for name, tensor in state.items() if tensor is not None}
    torch.save(state, tmp_path / "selavi.pth")
    with pytest.raises(ValueError, match=complaint):
        loaded(half, tmp_path / "selavi.pth")


@pytest.mark.parametrize("half", HALVES)
def test_other_files_are_refused(half: str, tmp_path: Path) -> None:
    torch.save({"stem.0.weight": torch.ones(45, 3, 1, 7, 7)}, tmp_path / "kinetics.pth")
    with pytest.raises(ValueError, match=f"'{half}_network.base.*the file has stem.0.weight"):
        loaded(half, tmp_path / "kinetics.pth")
    other = "video" if half == "audio" else "audio"
    state = {f"head.{name}": tensor for name, tensor in random_state(LAYOUT).items()}
    state |= {n: t for n, t in random_state(LAYOUT).items() if not n.startswith(other)}
    torch.save(state, tmp_path / "mixed.pth")
    with pytest.raises(ValueError, match=r"unexpected: head\."):
        loaded(half, tmp_path / "mixed.pth")


@pytest.mark.parametrize("half", HALVES)
def test_missing_weights_say_how_to_get_them(
    half: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVZSL_WEIGHTS", str(tmp_path))
    encoder = encoders.get(f"selavi-{half}").from_dict({})
    with pytest.raises(MissingWeightsError, match="avzsl fetch weights selavi-vgg-sound"):
        encoder.load(torch.device("cpu"))


@pytest.mark.parametrize("half", HALVES)
def test_half_precision_is_near(half: str, checkpoint: Path) -> None:
    half_precise = loaded(half, checkpoint, precision="bfloat16")
    assert half_precise.encode(torch.from_numpy(INPUTS[half])).dtype == torch.float32
    assert 1e-4 < apart(half_precise, half) < 0.1
