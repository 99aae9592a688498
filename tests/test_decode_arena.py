"""Memory shared between processes: what goes in comes out, and nothing is lost or kept."""

import gc
import os
from pathlib import Path

import numpy as np
import pytest

from avzsl.decode.arena import Arena, pack, unpack


def sample(seed, count=1000):
    rng = np.random.default_rng(seed)
    return {
        "name": "ä" * seed,
        "floats": rng.normal(size=(3, count)),
        "bytes": rng.integers(0, 255, (5, 7, 3), dtype=np.uint8),
        "empty": np.zeros((0, 2)),
        "turned": np.asfortranarray(rng.normal(size=(4, 5)).astype(np.float32)),
        "strided": np.arange(20)[::2],
    }


def same(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        np.testing.assert_array_equal(value, other[key])
        if isinstance(value, np.ndarray):
            assert value.dtype == other[key].dtype
            assert value.shape == other[key].shape


def pair():
    """The two ends of an arena, as the parent and the worker have them."""
    ours = Arena()
    return ours, Arena(os.dup(ours.descriptor))


def test_round_trip_through_both_ends():
    ours, theirs = pair()
    for seed, count in enumerate([10, 100_000, 500, 300_000, 1]):
        thing = sample(seed, count)
        parcel = pack(thing, theirs)
        assert len(parcel.head) < 2000, "the arrays stay out of the pickle"
        same(unpack(parcel, ours, on_release=lambda: None), thing)
    assert ours.size == theirs.size >= 3 * 300_000 * 8


def test_arrays_are_aligned_writable_and_not_copied():
    ours, theirs = pair()
    parcel = pack(sample(1), theirs)
    thing = unpack(parcel, ours, on_release=lambda: None)
    assert all(offset % 64 == 0 for offset, _ in parcel.places)
    thing["floats"][0, 0] = 42.0
    again = unpack(parcel, theirs, on_release=lambda: None)
    assert again["floats"][0, 0] == 42.0, "both ends see the same memory"


def test_memory_is_released_once_when_nothing_refers_to_it():
    ours, theirs = pair()
    released = []
    thing = unpack(pack(sample(1), theirs), ours, on_release=lambda: released.append(1))
    part = thing["floats"][1, 2:5].reshape(3, 1)
    expected = part.copy()
    del thing
    gc.collect()
    assert not released, "a view of a view still refers to it"
    np.testing.assert_array_equal(part, expected)
    del part
    gc.collect()
    assert released == [1]


def test_arrays_outlive_the_arena():
    ours, theirs = pair()
    thing = unpack(pack(sample(2), theirs), ours, on_release=lambda: None)
    del ours, theirs
    gc.collect()
    same(thing, sample(2))


def test_what_has_no_arrays_takes_no_memory():
    ours, theirs = pair()
    released = []
    parcel = pack(("text", np.zeros(0)), theirs)
    text, empty = unpack(parcel, ours, on_release=lambda: released.append(1))
    assert (text, empty.shape, parcel.size, ours.size, released) == ("text", (0,), 0, 0, [1])


def test_descriptors_are_closed():
    table = Path("/proc/self/fd")
    if not table.is_dir():
        pytest.skip("no /proc here")
    before = len(list(table.iterdir()))
    for seed in range(20):
        ours, theirs = pair()
        unpack(pack(sample(seed), theirs), ours, on_release=lambda: None)
    del ours, theirs
    gc.collect()
    assert len(list(table.iterdir())) == before
