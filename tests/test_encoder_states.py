"""Tensors of checkpoints: read safely, renamed, and every one of them placed."""

from __future__ import annotations

import argparse
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from avzsl.encoders.states import depth_of, load_strict, read_tensors, renamed


def build() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))


def tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    network = build()
    network[1].running_mean = torch.randn(2)
    return dict(network.state_dict())


def save(path: Path, held: object, **more: object) -> Path:
    torch.save(held, path, **more)
    return path


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def test_both_formats_of_torch_and_safetensors_are_read(tmp_path: Path) -> None:
    state = tensors()
    save_file(state, tmp_path / "a.safetensors")
    for path in (
        save(tmp_path / "a.pth", state),
        save(tmp_path / "old.pth", state, _use_new_zipfile_serialization=False),
        tmp_path / "a.safetensors",
    ):
        assert same(read_tensors(path), state), path
        shapes = read_tensors(path, shapes_only=True)
        assert {k: v.shape for k, v in shapes.items()} == {k: v.shape for k, v in state.items()}
        assert all(tensor.is_meta for tensor in shapes.values())


def test_parts_of_a_large_checkpoint_are_joined(tmp_path: Path) -> None:
    state = tensors()
    parts = []
    for number, (name, tensor) in enumerate(state.items()):
        parts.append(tmp_path / f"{number}.safetensors")
        save_file({name: tensor}, parts[-1])
    assert same(read_tensors(parts), state)


def test_what_training_scripts_wrap_around_is_opened(tmp_path: Path) -> None:
    state = tensors()
    arguments = argparse.Namespace(lr=0.1)
    wrapped = {"model": {"state_dict": state}, "args": arguments, "best": np.float64(0.5)}
    path = save(tmp_path / "a.pth", wrapped)
    assert same(read_tensors(path, wrapped_in=("model", "state_dict")), state)
    with pytest.raises(ValueError, match="expected tensors only"):
        read_tensors(path)


def test_only_what_is_wanted_is_read(tmp_path: Path) -> None:
    save_file(tensors(), tmp_path / "a.safetensors")
    read = read_tensors(tmp_path / "a.safetensors", only=r"0\..*")
    assert {name for name, tensor in read.items() if not tensor.is_meta} == {"0.weight", "0.bias"}


class Evil:
    def __reduce__(self) -> tuple:
        return os.system, ("echo harm > harm",)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_checkpoint_cannot_run_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, legacy: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path / "a.pth", {"w": Evil()}, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ValueError, match="cannot be read as a checkpoint"):
        read_tensors(path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps({"a": 1})])
@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        read_tensors(tmp_path / name)


def test_names_change_and_heads_are_dropped() -> None:
    one = torch.zeros(1)
    held = {"module.body.w": one, "module.head.w": one, "fc.b": one}
    rules = [(r"^module\.", ""), (r"^fc\.", "embed.")]
    assert set(renamed(held, rules, dropped=[r"module\.head\..*"])) == {"body.w", "embed.b"}
    with pytest.raises(ValueError, match="come to be called 'w'"):
        renamed({"a.w": one, "b.w": one}, [(r"^\w\.", "")])


def test_every_tensor_has_its_place() -> None:
    state = tensors()
    network = load_strict(build, state, what="net")
    assert same(dict(network.state_dict()), state)
    assert all(not tensor.is_meta for tensor in network.state_dict().values())


def test_half_precision_becomes_float32() -> None:
    half = {k: v.half() if v.is_floating_point() else v for k, v in tensors().items()}
    network = load_strict(build, half, what="net")
    assert network[0].weight.dtype == torch.float32
    assert network[1].num_batches_tracked.dtype == torch.int64


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: s.pop("0.weight"), r"missing: 0\.weight"),
        (lambda s: s.update(extra=torch.zeros(1)), "unexpected: extra"),
        (lambda s: s.update({"0.bias": torch.zeros(5)}), r"of another shape: 0\.bias \(5,\)"),
    ],
)
def test_a_tensor_without_a_place_is_named(edit, message: str) -> None:  # type: ignore[no-untyped-def]
    state = tensors()
    edit(state)
    with pytest.raises(ValueError, match=message) as error:
        load_strict(build, state, what="dino from my.pth")
    assert str(error.value).startswith("dino from my.pth")


def test_a_loaded_network_does_not_hang_on_the_file(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pth", tensors(0))
    network = load_strict(build, read_tensors(path), what="net")
    before = network[0].weight.clone()
    content = bytearray(path.read_bytes())
    path.write_bytes(bytes(len(content)))  # in place: the same file, other bytes
    assert torch.equal(network[0].weight, before)


def test_depth_is_read_from_the_names() -> None:
    assert depth_of(["blocks.0.w", "blocks.11.w", "head.w"], r"blocks\.(\d+)\.") == 12
    with pytest.raises(ValueError, match="another model's"):
        depth_of(["head.w"], r"blocks\.(\d+)\.")
