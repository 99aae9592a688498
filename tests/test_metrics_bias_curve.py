"""The curve of S and U over the bias, and embedded clips: kept in few points and few clips."""

import dataclasses
import itertools

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avzsl.metrics.accuracy import compute_metrics
from avzsl.metrics.bias_curve import bias_curve
from avzsl.metrics.embedded import EmbeddedClips, choose_evenly, read_embedded, write_embedded


def scored(seed, clips=60, classes=6, decimals=1):
    """Return scores with ties, labels and which classes are seen."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, classes - 1], rng.integers(0, classes, clips)])
    scores = rng.standard_normal((len(labels), classes)).round(decimals)
    scores[np.arange(len(labels)), labels] += 0.5
    return scores, labels, np.arange(classes) < classes // 2


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    bias=st.sampled_from([-50.0, -0.5, 0.0, 0.1, 0.25, 50.0]),
    points=st.integers(2, 40),
)
def test_every_point_is_what_the_metrics_say_at_that_bias(seed, bias, points):
    scores, labels, is_seen = scored(seed)
    curve = bias_curve(scores, labels, is_seen, bias=bias, points=points)
    assert bias in curve.bias
    assert (np.diff(curve.bias) > 0).all()
    assert len(curve.bias) <= points + 9
    for value, seen, unseen in zip(curve.bias, curve.seen, curve.unseen, strict=True):
        metrics = compute_metrics(scores, labels, is_seen, bias=value)
        assert (metrics.seen, metrics.unseen) == (pytest.approx(seen), pytest.approx(unseen))


def test_few_points_keep_ends_peak_and_shape():
    scores, labels, is_seen = scored(1, clips=4_000, classes=30, decimals=6)
    whole = bias_curve(scores, labels, is_seen, bias=0.3, points=10**9)
    few = bias_curve(scores, labels, is_seen, bias=0.3)
    assert len(whole.bias) > 500
    assert len(few.bias) < 210
    assert few.hm.max() == whole.hm.max()
    for series in ("bias", "seen", "unseen"):
        one, all_of_it = getattr(few, series), getattr(whole, series)
        assert one[[0, -1]].tolist() == all_of_it[[0, -1]].tolist()
        between = np.interp(whole.bias, few.bias, one)
        assert np.abs(between - all_of_it).max() < 2.5
    fewest = bias_curve(scores, labels, is_seen, bias=0.3, points=3)
    assert fewest.hm.max() == whole.hm.max()
    around = np.searchsorted(whole.bias, 0.3) + np.arange(-2, 3)
    assert set(whole.bias[around]) <= set(few.bias), "exact around the bias in use"


def test_a_curve_needs_two_points():
    with pytest.raises(ValueError, match="2 points or more, got points = 1"):
        bias_curve(*scored(0), bias=0.0, points=1)


@settings(deadline=None, max_examples=60)
@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=60),
    most=st.integers(0, 70),
    seed=st.integers(0, 100),
)
def test_clips_are_chosen_evenly(labels, most, seed):
    labels = np.array(labels)
    chosen = choose_evenly(labels, most, np.random.default_rng(seed))
    assert len(chosen) == len(set(chosen)) == min(most, len(labels))
    assert (np.diff(chosen) > 0).all()
    taken, there = np.bincount(labels[chosen], minlength=6), np.bincount(labels, minlength=6)
    for one, other in itertools.permutations(range(6), 2):
        assert taken[one] <= taken[other] + 1 or taken[other] == there[other]
    again = choose_evenly(labels, most, np.random.default_rng(seed))
    assert chosen.tolist() == again.tolist()


EMBEDDED = EmbeddedClips(
    run_id="r",
    class_names=("a", "ü, (c)"),
    is_seen=(True, False),
    video_ids=("x.mp4", "-y"),
    labels=np.array([1, 0]),
    clips=np.array([[1.0, 2.0], [3.0, 4.0]], np.float32),
    classes=np.array([[0.0, 1.0], [5.0, 6.0]], np.float32),
)


@pytest.mark.parametrize(
    "changes", [{}, {"classes": None}, {"classes": None, "clips": None}], ids=str
)
def test_embedded_clips_round_trip(tmp_path, changes):
    written = dataclasses.replace(EMBEDDED, **changes)
    write_embedded(tmp_path / "e.h5", written)
    found = read_embedded(tmp_path / "e.h5", ["q", "r"])
    for field in dataclasses.fields(EmbeddedClips):
        one, other = getattr(found, field.name), getattr(written, field.name)
        assert type(one) is type(other)
        assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other


def test_equal_content_gives_equal_files(tmp_path):
    for name in ("a", "b"):
        write_embedded(tmp_path / name, EMBEDDED)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_is_no_file_of_embedded_clips_is_refused(tmp_path):
    path = tmp_path / "e.h5"
    with pytest.raises(FileNotFoundError, match="no embedded clips"):
        read_embedded(path)
    path.write_bytes(b"no HDF5")
    with pytest.raises(ValueError, match="damaged or no HDF5 file"):
        read_embedded(path)
    with h5py.File(path, "w") as file:
        file.attrs["kind"] = "feature-shard"
    with pytest.raises(ValueError, match="no file of embedded clips"):
        read_embedded(path)
    write_embedded(path, EMBEDDED)
    with pytest.raises(ValueError, match="of the run r, which is none of those evaluated"):
        read_embedded(path, ["q"])
    with h5py.File(path, "a") as file:
        del file["labels"]
    with pytest.raises(ValueError, match="damaged"):
        read_embedded(path)
