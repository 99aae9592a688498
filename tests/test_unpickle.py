"""Published files are read, and nothing in them is run."""

from __future__ import annotations

import codecs
import collections
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from avzsl.sources.unpickle import read_published

CALLED: list[str] = []


def note(text: str) -> str:
    CALLED.append(text)
    return text


class Harmful:
    def __reduce__(self) -> tuple[Callable, tuple]:
        return note, ("called",)


HELD = {
    "text": "été",
    "bytes": [b"\xff\x00", b""],
    "numbers": [1, 2.5, True, None, 3 + 1j, 2**70],
    "containers": ((1, 2), {3}, frozenset({4}), bytearray(b"5")),
    "ordered": collections.OrderedDict(b=1, a=2),
}
ARRAYS = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array(["a", "été"]),
    np.array([True]),
    np.array([], np.int64),
    np.array([["mixed", 1], [None, 2.5]], dtype=object),
]


def same(left: Any, right: Any) -> None:
    assert type(left) is type(right)
    np.testing.assert_equal(left, right)
    if isinstance(left, np.ndarray):
        assert left.dtype == right.dtype and left.shape == right.shape


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_are_read(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "features.pkl"
    held = HELD | {"arrays": ARRAYS, "scalar": np.float32(0.1)}
    path.write_bytes(pickle.dumps(held, protocol=protocol))
    read = read_published(path)
    assert {name: read[name] for name in HELD} == HELD
    same(read["scalar"], np.float32(0.1))
    for got, expected in zip(read["arrays"], ARRAYS, strict=True):
        same(got, expected)


@pytest.mark.parametrize("array", ARRAYS, ids=str)
def test_arrays_are_read(array: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "array.npy", array)
    same(read_published(tmp_path / "array.npy"), array)


def test_an_array_of_one_object_is_the_object(tmp_path: Path) -> None:
    held = {"dog": np.ones(3, np.float32)}
    np.save(tmp_path / "dict.npy", held)  # type: ignore[arg-type]
    read = read_published(tmp_path / "dict.npy")
    assert list(read) == ["dog"]
    same(read["dog"], held["dog"])


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("kind", [object, np.float64])
def test_all_formats_of_arrays_are_read(version: tuple, kind: type, tmp_path: Path) -> None:
    array = np.array([1.0, 2.0], dtype=kind)
    with (tmp_path / "array.npy").open("wb") as file:
        np.lib.format.write_array(file, array, version=version)
    same(read_published(tmp_path / "array.npy"), array)


def test_files_of_python_2_are_read(tmp_path: Path) -> None:
    # What Python 2 writes for {'a': set([1]), '\xe9': 2}.
    path = tmp_path / "old.pkl"
    path.write_bytes(
        b"(dp0\nS'a'\np1\nc__builtin__\nset\np2\n((lp3\nI1\natp4\nRp5\nsS'\\xe9'\np6\nI2\ns."
    )
    assert read_published(path) == {"a": {1}, "é": 2}


@pytest.mark.parametrize("name", ["harmful.pkl", "harmful.npy"])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"vectors": [x]}], ids=["bare", "inside"])
def test_nothing_is_run(name: str, wrap: Callable, tmp_path: Path) -> None:
    path = tmp_path / name
    if path.suffix == ".npy":
        np.save(path, np.array(wrap(Harmful()), dtype=object))
    else:
        path.write_bytes(pickle.dumps(wrap(Harmful())))
    CALLED.clear()
    with pytest.raises(ValueError, match=rf"{name}: holds \S*test_unpickle\.note"):
        read_published(path)
    assert not CALLED
    assert pickle.loads(pickle.dumps(Harmful())) == "called" and CALLED == ["called"]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("builtins", "__import__"),
        ("numpy", "load"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy", "ndarray.tofile"),
        ("collections", "OrderedDict.fromkeys"),
    ],
)
def test_other_functions_are_refused(module: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "named.pkl"
    # Protocol 4: push both names, look them up, call without arguments.
    spelled = b"".join(b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, name))
    path.write_bytes(b"\x80\x04" + spelled + b"\x93)R.")
    with pytest.raises(ValueError, match=f"holds {module}.{name}"):
        read_published(path)


def test_other_codecs_are_refused(tmp_path: Path) -> None:
    class Encoded:
        def __reduce__(self) -> tuple[Callable, tuple]:
            return codecs.encode, ("text", "rot13")

    (tmp_path / "codec.pkl").write_bytes(pickle.dumps(Encoded(), protocol=2))
    with pytest.raises(ValueError, match="rot13"):
        read_published(tmp_path / "codec.pkl")


def test_tensors_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "tensors.pkl").write_bytes(pickle.dumps([torch.ones(2)]))
    with pytest.raises(ValueError, match=r"tensors\.pkl: holds torch\."):
        read_published(tmp_path / "tensors.pkl")


@pytest.mark.parametrize("name", ["cut.pkl", "cut.npy"])
@pytest.mark.parametrize("keep", [0, 3, 40, -20])
def test_damaged_files_are_refused(name: str, keep: int, tmp_path: Path) -> None:
    path, whole = tmp_path / name, tmp_path / f"whole{Path(name).suffix}"
    held = {"dog": np.ones(30, np.float32)}
    if path.suffix == ".npy":
        np.save(whole, held)  # type: ignore[arg-type]
    else:
        whole.write_bytes(pickle.dumps(held))
    path.write_bytes(whole.read_bytes()[:keep])
    with pytest.raises(ValueError, match=name):
        read_published(path)
    assert read_published(whole).keys() == held.keys()
