"""Neighbours before and after optimisation."""

import csv

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from avzsl.classes.neighbours import compare_neighbours, rank_correlation, write_neighbours
from avzsl.classes.optimise import optimise_classes
from avzsl.classes.options import ClassOptimisation
from avzsl.classes.ranking import neighbour_ranks
from avzsl.classes.records import OptimisedClasses, Trace
from avzsl.types import ClassEmbeddings

NAMES = ("bee, wasp", "cat", "dog", "owl")


def on_circle(*degrees):
    angles = np.radians(degrees)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return ClassEmbeddings(names=NAMES[: len(degrees)], vectors=vectors)


def made(before, after):
    trace = Trace(loss=np.zeros(1), separation=np.zeros(1), semantic=np.zeros(1))
    return OptimisedClasses(embeddings=after, original=before, trace=trace, converged=True)


def test_neighbours_before_and_after():
    optimised = made(on_circle(0, 10, 60, 100), on_circle(0, 120, 60, 180))
    bee, cat, dog, owl = compare_neighbours(optimised, distance="cosine")
    assert (bee.name, bee.nearest_before, bee.nearest_after) == ("bee, wasp", "cat", "dog")
    assert bee.distance_before == pytest.approx(1 - np.cos(np.radians(10)), abs=1e-6)
    assert bee.distance_after == pytest.approx(0.5, abs=1e-6)
    # ranks 1 2 3 become 2 1 3
    assert bee.rank_correlation == pytest.approx(0.5)
    # equally near after: the first in the order of the classes
    assert (cat.nearest_before, cat.nearest_after) == ("bee, wasp", "dog")
    assert (dog.nearest_before, dog.nearest_after) == ("owl", "bee, wasp")
    assert (owl.nearest_before, owl.nearest_after) == ("dog", "cat")


@pytest.mark.parametrize("distance", ["cosine", "l2", "l1"])
def test_an_order_that_is_kept_correlates_fully(distance):
    same = on_circle(0, 10, 60, 100)
    for change in compare_neighbours(made(same, same), distance=distance):
        assert change.rank_correlation == pytest.approx(1)
        assert change.nearest_before == change.nearest_after
        assert change.distance_before == change.distance_after


def ranks_of(*values):
    """Twice the mean ranks, before them the class itself."""
    x = torch.tensor([[0.0, *values], *[[0.0] * (len(values) + 1)] * len(values)])
    return neighbour_ranks(x)[0][:1].numpy()


def test_rank_correlation():
    rising, falling = ranks_of(1, 2, 3, 4), ranks_of(4, 3, 2, 1)
    assert rank_correlation(rising, falling) == pytest.approx(-1)
    # ties share their mean rank: 1, 2.5, 2.5, 4 against 1, 2, 3, 4
    assert rank_correlation(rising, ranks_of(1, 2, 2, 3)) == pytest.approx(4.5 / np.sqrt(5 * 4.5))


@settings(max_examples=50, deadline=None)
@given(
    st.integers(2, 12).flatmap(
        lambda n: st.tuples(*[st.lists(st.integers(0, 4), min_size=n, max_size=n)] * 2)
    )
)
def test_rank_correlation_is_that_of_scipy(pair):
    if min(len(set(values)) for values in pair) == 1:
        assert np.isnan(rank_correlation(ranks_of(*pair[0]), ranks_of(*pair[1])))
        return
    expected = spearmanr(*pair).statistic
    assert rank_correlation(ranks_of(*pair[0]), ranks_of(*pair[1])) == pytest.approx(expected)


def test_rank_correlation_is_undefined_where_all_are_equally_far():
    assert np.isnan(rank_correlation(ranks_of(1, 1, 1), ranks_of(1, 2, 3)))
    pair = compare_neighbours(made(on_circle(0, 10), on_circle(0, 180)), distance="l2")
    assert [change.rank_correlation for change in pair] == [None, None]


@pytest.mark.parametrize("cells", [1, 9])
def test_blocks_of_classes_are_joined(monkeypatch, cells):
    optimised = made(on_circle(0, 10, 60, 100), on_circle(0, 120, 60, 180))
    whole = compare_neighbours(optimised, distance="cosine")
    monkeypatch.setattr("avzsl.classes.neighbours._BLOCK_CELLS", cells)
    assert compare_neighbours(optimised, distance="cosine") == whole


def test_csv(tmp_path):
    path = tmp_path / "neighbours.csv"
    optimised = made(on_circle(0, 90), on_circle(0, 180))
    write_neighbours(path, compare_neighbours(optimised, distance="cosine"))
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "name": "bee, wasp",
        "nearest_before": "cat",
        "distance_before": "1.0000",
        "nearest_after": "cat",
        "distance_after": "2.0000",
        "rank_correlation": "",
        "semantic_before": "",
        "semantic_after": "",
    }
    assert len(rows) == 2


@pytest.mark.parametrize("classes", [7, 120])
@pytest.mark.parametrize("objective", ["margin-ranking", "proximity"])
@pytest.mark.parametrize("distance", ["cosine", "l2"])
def test_the_semantic_terms_of_the_classes_have_the_mean_of_the_whole(classes, objective, distance):
    """Without ties each class is the anchor of equally many triplets."""
    rng = np.random.default_rng(classes)
    vectors = rng.standard_normal((classes, 9)).astype(np.float32)
    names = tuple(f"class {i}" for i in range(classes))
    options = ClassOptimisation(
        objective=objective, distance=distance, margin=0.2, max_steps=8, window=2
    )
    result = optimise_classes(ClassEmbeddings(names=names, vectors=vectors), options)
    changes = compare_neighbours(result, distance=distance, options=options)
    before, after = (
        np.mean([getattr(change, name) for change in changes])
        for name in ("semantic_before", "semantic_after")
    )
    assert before == pytest.approx(result.trace.semantic[0], abs=1e-6)
    assert after == pytest.approx(result.trace.semantic[result.best_step], abs=1e-6)
    assert len({change.semantic_after for change in changes}) > classes // 2
    assert min(change.semantic_before for change in changes) >= 0


def test_the_hinge_of_a_class_is_that_of_its_own_triplets():
    optimised = made(on_circle(0, 10, 60, 100), on_circle(0, 120, 60, 180))
    options = ClassOptimisation(margin=0.25)
    bee = compare_neighbours(optimised, distance="cosine", options=options)[0]
    cat, dog, owl = (1 - np.cos(np.radians(angle)) for angle in (120, 60, 180))
    hinges = [max(0, near - far + 0.25) for near, far in ((cat, dog), (cat, owl), (dog, owl))]
    assert bee.semantic_after == pytest.approx(np.mean(hinges), abs=1e-6)
