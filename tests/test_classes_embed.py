"""Class names to unit vectors, and what a text encoder may not return."""

import logging

import numpy as np
import pytest

from avzsl.classes.embed import embed_classes, normalise, same_pairs
from avzsl.encoders import TextEncoder
from avzsl.types import ClassEmbeddings


class Letters(TextEncoder):
    """Counts a, b and c."""

    kind = "letters"
    dim = 3

    def __init__(self):
        super().__init__(options=None)

    def encode(self, names):
        return np.array([[name.count(letter) for letter in "abc"] for name in names], np.float32)


class Wrong(Letters):
    def __init__(self, vectors):
        super().__init__()
        self.vectors = vectors

    def encode(self, names):
        return self.vectors


def test_vectors_have_unit_length_and_the_order_of_the_names():
    embeddings = embed_classes(["aab", "c", "abc"], Letters())
    assert embeddings.names == ("aab", "c", "abc")
    assert embeddings.vectors.dtype == np.float32
    np.testing.assert_allclose(
        embeddings.vectors * np.sqrt([[5], [1], [3]]), [[2, 1, 0], [0, 0, 1], [1, 1, 1]], rtol=1e-6
    )


def test_classes_that_look_alike_are_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        embeddings = embed_classes(["ab", "c", "abab"], Letters())
    assert "'ab' and 'abab' the same vector" in caplog.text
    assert same_pairs(embeddings) == [("ab", "abab")]


def test_near_vectors_are_not_the_same():
    vectors = np.array([[1, 0], [1, 1e-5], [1, 1e-8]], dtype=np.float32)
    assert same_pairs(ClassEmbeddings(names=("a", "b", "c"), vectors=vectors)) == [("a", "c")]


@pytest.mark.parametrize("cells", [1, 10, 2**22])
def test_same_vectors_are_found_in_blocks(monkeypatch, cells):
    monkeypatch.setattr("avzsl.classes.embed._BLOCK_CELLS", cells)
    vectors = np.eye(3, dtype=np.float32)[[0, 1, 0, 2, 1]]
    embeddings = ClassEmbeddings(names=tuple("abcde"), vectors=vectors)
    assert same_pairs(embeddings) == [("a", "c"), ("b", "e")]


@pytest.mark.parametrize(
    ("names", "message"),
    [([], "no class names"), (["a", " "], "' '"), (["b", "a", "b"], "'b'")],
)
def test_names_that_name_nothing_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        embed_classes(names, Letters())


def test_zero_vectors_are_named():
    with pytest.raises(ValueError, match=r"\['xyz', '\?'\].*another text encoder"):
        embed_classes(["a", "xyz", "?"], Letters())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_named(value):
    vectors = np.array([[1, 0, 0], [0, value, 1]], dtype=np.float32)
    with pytest.raises(ValueError, match=r"\['b'\]"):
        embed_classes(["a", "b"], Wrong(vectors))


def test_a_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"'letters' returned .*\(2, 4\).* 2 names of 3"):
        embed_classes(["a", "b"], Wrong(np.ones((2, 4), dtype=np.float32)))


def test_very_long_and_very_short_vectors_keep_their_direction():
    vectors = np.array([[3e30, 4e30], [3e-30, 4e-30]], dtype=np.float32)
    unit = normalise(ClassEmbeddings(names=("long", "short"), vectors=vectors)).vectors
    np.testing.assert_allclose(unit, [[0.6, 0.8], [0.6, 0.8]], rtol=1e-6)
