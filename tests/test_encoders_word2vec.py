"""word2vec against gensim, and how the words of a name are looked up."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from random_states import random_array
from tiny.words import word2vec_bytes

from avzsl.encoders import encoders, word_files
from avzsl.encoders.word_files import read_word2vec, read_word2vec_dim

FOLDER = Path(__file__).parent / "golden" / "encoders"
WORD2VEC = dict(np.load(FOLDER / "word2vec.npz"))


def build(path: Path, **options: Any) -> Any:
    encoder = encoders.get("word2vec").from_dict({"weights": str(path), **options})
    encoder.load(torch.device("cpu"))
    return encoder


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("chunk", [1, 7, 64, 1 << 22])
def test_word2vec_is_gensims(
    zipped: bool, chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_files, "CHUNK_BYTES", chunk)
    monkeypatch.setattr(word_files, "LONGEST_WORD", 16)
    content = WORD2VEC["model"].tobytes()
    path = written(tmp_path / "vectors.bin", gzip.compress(content) if zipped else content)
    words = WORD2VEC["words"].tolist()
    found = read_word2vec(path, [*words, "zebra"])
    assert read_word2vec_dim(path) == 9 and set(found) == set(words)
    assert np.array_equal(np.stack([found[word] for word in words]), WORD2VEC["vectors"])
    mean = build(path).encode(["playing dog"])[0]
    assert np.abs(mean - WORD2VEC["mean of playing and dog"]).max() <= 1e-7


@pytest.mark.parametrize("newlines", [False, True])
def test_newlines_between_vectors_do_not_matter(newlines: bool, tmp_path: Path) -> None:
    # Vectors that hold the bytes of a newline and of a space.
    rows = np.frombuffer(b"\n\n\n\n    \n \n ", "<f4").reshape(1, 3).repeat(3, 0)
    vectors = dict(zip(("a", "b", "c"), rows, strict=True))
    path = written(tmp_path / "v.bin", word2vec_bytes(vectors, newlines=newlines))
    found = read_word2vec(path, "abc")
    assert all(np.array_equal(found[word], rows[0]) for word in "abc")


def test_large_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_files, "CHUNK_BYTES", 10_000)
    rows = random_array(3_000, 7)
    vectors = {f"word{number}": row for number, row in enumerate(rows)}
    path = written(tmp_path / "v.bin", word2vec_bytes(vectors))
    found = read_word2vec(path, vectors)
    assert np.array_equal(np.stack([found[word] for word in vectors]), rows)


SPELLINGS = (
    "dog",
    "Paris",
    "ice_cream",
    "ice",
    "cream",
    "fire_engine",
    "New_York",
    "USA",
    "red",
)
ROWS = dict(zip(SPELLINGS, random_array(len(SPELLINGS), 5, seed=1), strict=True))


@pytest.mark.parametrize(
    ("name", "phrases", "parts"),
    [
        ("Dog", True, ["dog"]),
        ("paris", True, ["Paris"]),
        ("USA", True, ["USA"]),
        ("dog, (red)!", True, ["dog", "red"]),
        ("RedDog", True, ["red", "dog"]),
        ("eating ice cream", True, ["ice_cream"]),
        ("Ice_cream", True, ["ice_cream"]),
        ("ice-cream", True, ["ice_cream"]),
        ("ice cream", False, ["ice", "cream"]),
        ("cream ice", True, ["cream", "ice"]),
        ("fire engine red dog", True, ["fire_engine", "red", "dog"]),
        ("fire engine red dog", False, ["red", "dog"]),
        ("new york", True, ["New_York"]),
        ("dog dog red", True, ["dog", "dog", "red"]),
    ],
)
def test_words_of_a_name(name: str, phrases: bool, parts: list[str], tmp_path: Path) -> None:
    path = written(tmp_path / "v.bin", word2vec_bytes(ROWS))
    expected = unit(np.mean([ROWS[part] for part in parts], axis=0))
    made = build(path, phrases=phrases).encode([name, "dog"])
    assert np.allclose(made, [expected, unit(ROWS["dog"])], atol=1e-6)


def test_missing_words_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    encoder = build(written(tmp_path / "v.bin", word2vec_bytes(ROWS)))
    with caplog.at_level(logging.WARNING):
        encoder.encode(["a red dog", "dog"])
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in warnings] == [
        "word2vec: 'a red dog' has no vector for a"
    ]
    with pytest.raises(ValueError, match=r"any word of the class name\(s\) 'zebra', 'big cat'"):
        encoder.encode(["zebra", "dog", "big cat"])
    with pytest.raises(ValueError, match=r"there is none in '\?!'"):
        encoder.encode(["dog", "?!"])


def test_the_first_of_equal_words_counts_and_the_file_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = word2vec_bytes({"dog": ROWS["dog"], "red": ROWS["red"]})
    content = b"4 5\n" + 2 * content.split(b"\n", 1)[1].replace(b"dog ", b"dog ", 1)
    path = written(tmp_path / "v.bin", content)
    encoder = build(path)
    first = encoder.encode(["dog red"])
    path.write_bytes(b"")
    assert np.array_equal(encoder.encode(["dog red"]), first)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "expected a binary file of word2vec"),
        (b"the 0.1 0.2\n", "expected a binary file of word2vec"),
        (b"0 5\n", "expected a binary file of word2vec"),
        (word2vec_bytes(ROWS)[:-20], "number 9 cannot be read"),
        (b"2 1\n" + bytes(5000), "number 1 cannot be read"),
    ],
)
def test_other_files_are_no_word2vec(content: bytes, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"v\.bin: .*{complaint}"):
        build(written(tmp_path / "v.bin", content)).encode(["zebra"])
