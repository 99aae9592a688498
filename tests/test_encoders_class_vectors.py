"""Published vectors of class names: which file, which name, and what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from random_states import random_array

from avzsl.encoders import encoders

NAMES = ("Apply Eye Makeup", "playing violin, fiddle", "YoYo", "skiing")
ROWS = dict(zip(NAMES, random_array(len(NAMES), 6), strict=True))


def build(path: Path) -> Any:
    encoder = encoders.get("class-vectors").from_dict({"weights": str(path)})
    encoder.load(torch.device("cpu"))
    return encoder


def save(path: Path, held: Any) -> Path:
    if path.suffix == ".npy":
        np.save(path, held)
    else:
        path.write_bytes(pickle.dumps(held))
    return path


@pytest.mark.parametrize("suffix", ["npy", "pkl"])
def test_vectors_are_as_they_stand_in_the_file(suffix: str, tmp_path: Path) -> None:
    encoder = build(save(tmp_path / f"vectors.{suffix}", ROWS))
    assert encoder.dim == 6
    names = NAMES[::-1]
    assert np.array_equal(encoder.encode(names), np.stack([ROWS[name] for name in names]))
    assert encoder.encode(names).dtype == np.float32


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("ApplyEyeMakeup", "Apply Eye Makeup"),
        ("apply eye makeup", "Apply Eye Makeup"),
        ("Apply_eye_makeup", "Apply Eye Makeup"),
        ("Playing violin, Fiddle", "playing violin, fiddle"),
        ("yo yo", "YoYo"),
        ("SKIING", "skiing"),
    ],
)
def test_spelling_does_not_matter(asked: str, meant: str, tmp_path: Path) -> None:
    encoder = build(save(tmp_path / "vectors.npy", ROWS))
    assert np.array_equal(encoder.encode([asked])[0], ROWS[meant])


def test_the_exact_name_goes_first(tmp_path: Path) -> None:
    both = ROWS | {"Skiing": -ROWS["skiing"]}
    encoder = build(save(tmp_path / "vectors.npy", both))
    assert np.array_equal(encoder.encode(["Skiing", "skiing"]), [-ROWS["skiing"], ROWS["skiing"]])
    with pytest.raises(ValueError, match="'SKIING' may be any of 'skiing', 'Skiing'"):
        encoder.encode(["SKIING"])
    equal = build(save(tmp_path / "equal.npy", ROWS | {"Skiing": ROWS["skiing"]}))
    assert np.array_equal(equal.encode(["SKIING"])[0], ROWS["skiing"])


def test_all_missing_names_are_told_with_what_is_near(tmp_path: Path) -> None:
    encoder = build(save(tmp_path / "vectors.npy", ROWS))
    with pytest.raises(ValueError, match=r"no vector for 2 class name\(s\)") as caught:
        encoder.encode(["skiing", "apply eye make up", "zebra"])
    message = str(caught.value)
    assert "'apply eye make up' (near: 'Apply Eye Makeup')" in message
    assert "'zebra'\n" in message and "'fasttext'" in message


def test_the_files_of_a_folder_are_one(tmp_path: Path) -> None:
    save(tmp_path / "one.npy", ROWS)
    save(tmp_path / "two.npy", {"dog": ROWS["skiing"], "skiing": ROWS["skiing"]})
    encoder = build(tmp_path)
    assert np.array_equal(encoder.encode(["dog", "YoYo"]), [ROWS["skiing"], ROWS["YoYo"]])
    alone = build(tmp_path / "one.npy")
    with pytest.raises(ValueError, match="'dog'"):
        alone.encode(["dog"])
    assert alone.fingerprint != encoder.fingerprint
    save(tmp_path / "three.npy", {"skiing": -ROWS["skiing"]})
    with pytest.raises(ValueError, match="'skiing' has another vector"):
        build(tmp_path)


@pytest.mark.parametrize(
    ("held", "complaint"),
    [
        ([1.0, 2.0], "expected a dict from class name to vector, got"),
        ({}, "vectors of one length, got no vectors"),
        ({"dog": np.ones(3), "cat": np.ones(4)}, r"vectors of one length, got \[3, 4\]"),
        ({"dog": np.ones((2, 3))}, r"expected a vector .* got 'dog': float64 \(2, 3\)"),
        ({"dog": "cat"}, "expected a vector .* got 'dog'"),
        ({3: np.ones(3)}, "expected a vector .* got 3"),
        ({"dog": np.ones(3, int)}, "expected a vector .* got 'dog': int"),
        ({"dog": torch.ones(3)}, "holds torch"),
    ],
)
def test_other_content_is_refused(held: Any, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=complaint):
        build(save(tmp_path / "vectors.pkl", held))


@pytest.mark.parametrize(
    ("file", "count", "asked"),
    [
        ("ucf", 101, "ApplyEyeMakeup"),
        ("activity", 200, "applying sunscreen"),
        ("vggsound", 309, "Ambulance siren"),
    ],
)
def test_released_vectors_are_given_bit_by_bit(
    file: str, count: int, asked: str, shared: Path
) -> None:
    path = shared / "benchmark" / "w2v_features" / f"word_embeddings_{file}_normed.npy"
    if not path.is_file():
        pytest.skip(f"no released class vectors at {path.parent}")
    released = np.load(path, allow_pickle=True).item()
    encoder = build(path.parent)
    assert len(released) == count and encoder.dim == 300
    assert np.array_equal(encoder.encode(list(released)), np.stack(list(released.values())))
    assert encoder.encode([asked]).any()
