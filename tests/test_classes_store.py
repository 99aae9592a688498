"""Class embeddings survive the disk, and nothing else is taken for them."""

import dataclasses
import json

import h5py
import numpy as np
import pytest

from avzsl.classes.embed import normalise
from avzsl.classes.options import ClassOptimisation
from avzsl.classes.records import OptimisedClasses, Trace
from avzsl.classes.store import read_classes, read_optimised, write_classes, write_optimised
from avzsl.types import ClassEmbeddings

NAMES = ("bee, wasp, etc. buzzing", "police car (siren)", "Fußball – 'köpfen'", "-rf")


@pytest.fixture
def original():
    vectors = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    return ClassEmbeddings(names=NAMES, vectors=vectors)


@pytest.fixture
def optimised(original):
    series = np.random.default_rng(1).normal(size=(3, 11))
    return OptimisedClasses(
        embeddings=dataclasses.replace(original, vectors=-original.vectors),
        original=original,
        trace=Trace(loss=series[0], separation=series[1], semantic=series[2]),
        converged=True,
    )


def test_original_embeddings_survive(tmp_path, original):
    path = tmp_path / "new folder" / "original.h5"
    write_classes(path, original, id="abc", options={"buckets": 256})
    for expected_id in (None, "abc"):
        read = read_classes(path, expected_id=expected_id)
        assert read.names == NAMES
        assert read.vectors.dtype == np.float32
        np.testing.assert_array_equal(read.vectors, original.vectors)
    with h5py.File(path) as file:
        assert json.loads(file.attrs["options"]) == {"buckets": 256}
        assert "avzsl" in json.loads(file.attrs["origin"])


def test_optimised_embeddings_survive_with_their_trace(tmp_path, optimised):
    path = tmp_path / "optimised.h5"
    write_optimised(path, optimised, id="abc", options=ClassOptimisation(alpha=0.25))
    assert read_classes(path).vectors.tolist() == optimised.embeddings.vectors.tolist()
    read = read_optimised(path, expected_id="abc")
    np.testing.assert_array_equal(read.original.vectors, optimised.original.vectors)
    np.testing.assert_array_equal(read.trace.loss, optimised.trace.loss)
    np.testing.assert_array_equal(read.trace.nearest, -optimised.trace.separation)
    assert (read.steps, read.best_step, read.converged) == (10, optimised.best_step, True)
    with h5py.File(path) as file:
        assert json.loads(file.attrs["options"])["alpha"] == 0.25


def test_equal_content_gives_equal_bytes(tmp_path, optimised):
    paths = [tmp_path / name for name in ("a.h5", "b.h5")]
    for path in paths:
        write_optimised(path, optimised, id="abc", options=ClassOptimisation())
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_another_id_is_refused(tmp_path, original):
    path = tmp_path / "c.h5"
    write_classes(path, original, id="abc", options={})
    with pytest.raises(ValueError, match=r"id is 'abc', expected was 'xyz'\. .*again"):
        read_classes(path, expected_id="xyz")


def test_original_embeddings_are_not_taken_for_optimised_ones(tmp_path, original):
    path = tmp_path / "c.h5"
    write_classes(path, original, id="abc", options={})
    with pytest.raises(ValueError, match="not optimised ones"):
        read_optimised(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.h5"):
        read_classes(tmp_path / "nowhere.h5")


def test_a_truncated_file_is_refused(tmp_path, original):
    path = tmp_path / "c.h5"
    write_classes(path, original, id="abc", options={})
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(ValueError, match="truncated"):
        read_classes(path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "c.h5"
    with h5py.File(path, "w") as file:
        file["embeddings"] = np.zeros((2, 3))
    with pytest.raises(ValueError, match="not a file of class embeddings"):
        read_classes(path)


@pytest.mark.parametrize("part", ["names", "embeddings", "original", "trace/loss"])
def test_a_file_without_a_part_is_refused(tmp_path, optimised, part):
    path = tmp_path / "c.h5"
    write_optimised(path, optimised, id="abc", options=ClassOptimisation())
    with h5py.File(path, "r+") as file:
        del file[part]
    with pytest.raises(ValueError, match="damaged"):
        read_optimised(path)


def test_a_failed_write_leaves_nothing(tmp_path, original):
    broken = dataclasses.replace(original, vectors=original.vectors.astype(object))
    path = tmp_path / "c.h5"
    with pytest.raises(TypeError):
        write_classes(path, broken, id="abc", options={"not": object()})
    assert not list(tmp_path.iterdir())


def test_records_that_do_not_fit_are_refused(original):
    with pytest.raises(ValueError, match="one length"):
        Trace(loss=np.zeros(3), separation=np.zeros(3), semantic=np.zeros(2))
    trace = Trace(loss=np.zeros(1), separation=np.zeros(1), semantic=np.zeros(1))
    others = dataclasses.replace(original, names=("a", "b", "c", "d"))
    with pytest.raises(ValueError, match="different classes"):
        OptimisedClasses(embeddings=others, original=original, trace=trace, converged=True)
    longer = dataclasses.replace(original, vectors=np.ones((4, 7), dtype=np.float32))
    with pytest.raises(ValueError, match="differ in size"):
        OptimisedClasses(embeddings=longer, original=original, trace=trace, converged=True)


def test_lengths_are_kept_beside_unit_vectors(tmp_path):
    given = np.array([[3.0, 4.0], [0.0, 0.5], [1.0, 0.0]], np.float32)
    embeddings = normalise(ClassEmbeddings(names=("a", "b", "c"), vectors=given))
    write_classes(tmp_path / "c.h5", embeddings, id="x", options={})
    read = read_classes(tmp_path / "c.h5")
    assert np.allclose(np.linalg.norm(read.vectors, axis=1), 1)
    assert read.lengths.tolist() == [5.0, 0.5, 1.0]
    assert np.allclose(read.raw().vectors, given)
    assert normalise(read).lengths.tolist() == [5.0, 0.5, 1.0], "normalised once more"
    with pytest.raises(ValueError, match="original lengths"):
        read.raw().raw()
