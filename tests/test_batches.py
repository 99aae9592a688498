"""Batches of an epoch: every clip once, no batch of one, classes in balance, and by seed alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avzsl.datasets.batches import epoch_batches
from avzsl.seeding import stream


def draw(labels, seed=0, **options):
    options = {"batch_size": 4, "steps": None, "sampling": "uniform"} | options
    return epoch_batches(np.array(labels), generator=stream(seed, "batches"), **options)


@given(clips=st.integers(2, 300), batch_size=st.integers(2, 70))
def test_a_pass_holds_every_clip_once_in_even_batches(clips, batch_size):
    batches = draw([0] * clips, batch_size=batch_size)
    sizes = [len(batch) for batch in batches]
    assert sorted(np.concatenate(batches)) == list(range(clips))
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 2
    assert max(sizes) <= max(batch_size, 3)


@given(clips=st.integers(2, 50), steps=st.integers(1, 20))
def test_a_number_of_steps_is_filled_by_whole_passes(clips, steps):
    batches = draw([0] * clips, steps=steps)
    assert [len(batch) for batch in batches] == [4] * steps
    counts = np.bincount(np.concatenate(batches), minlength=clips)
    assert counts.max() - counts.min() <= 1


def test_class_balanced_draws_classes_alike_and_their_clips_alike():
    labels = [5] * 2 + [1] * 50 + [7] * 200
    drawn = np.concatenate(draw(labels, batch_size=300, steps=100, sampling="class-balanced"))
    share = np.bincount(np.array(labels)[drawn], minlength=8) / len(drawn)
    np.testing.assert_allclose(share[[1, 5, 7]], 1 / 3, atol=0.01)
    counts = np.bincount(drawn, minlength=252)
    np.testing.assert_allclose(counts[:2] / len(drawn), 1 / 6, atol=0.01)
    assert counts.min() > 0


def test_balanced_epoch_without_steps_is_as_long_as_a_pass():
    assert [len(b) for b in draw([0, 1] * 5, sampling="class-balanced")] == [4, 4, 4]


@pytest.mark.parametrize("sampling", ["uniform", "class-balanced"])
def test_the_seed_decides(sampling):
    labels = list(range(5)) * 4
    first, again, other = (np.concatenate(draw(labels, s, sampling=sampling)) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_streams_of_different_purposes_differ():
    drawn = {stream(0, *p).integers(2**60) for p in [("a",), ("b",), ("a", 1), ("a", 11), (1, 1)]}
    assert len(drawn) == 5


def test_one_clip_is_refused():
    with pytest.raises(ValueError, match="at least two clips, got 1"):
        draw([0])
