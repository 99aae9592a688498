"""What optimisation does to real and made-up class embeddings, and when it stops."""

import logging
import re

import numpy as np
import pytest
import torch

from avzsl.classes.neighbours import compare_neighbours
from avzsl.classes.objectives import ClassObjective
from avzsl.classes.optimise import optimise_classes
from avzsl.classes.options import ClassOptimisation
from avzsl.options import from_dict
from avzsl.types import ClassEmbeddings

torch.set_num_threads(1)

OBJECTIVES = ["margin-ranking", "proximity"]
DISTANCES = ["cosine", "l2", "l1"]


def crowded(classes, *, size=32, seed=0):
    """Embeddings that all point about the same way, as those of text encoders do."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(classes, size)) + 1.5 * rng.normal(size=size)
    names = tuple(f"class {k}" for k in range(classes))
    return ClassEmbeddings(names=names, vectors=vectors.astype(np.float32))


@pytest.fixture(scope="module")
def word2vec(shared):
    """The class vectors of UCF101 that the field uses."""
    path = shared / "benchmark" / "w2v_features" / "word_embeddings_ucf_normed.npy"
    if not path.is_file():
        pytest.skip(f"no class vectors at {path}")
    table = np.load(path, allow_pickle=True).item()
    names = tuple(sorted(table))
    return ClassEmbeddings(names=names, vectors=np.stack([table[name] for name in names]))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("distance", DISTANCES)
def test_classes_end_farther_apart_on_the_unit_sphere(objective, distance):
    given = crowded(12)
    result = optimise_classes(given, ClassOptimisation(objective=objective, distance=distance))
    assert result.converged
    assert result.steps < 5000
    assert result.embeddings.names == given.names
    assert result.embeddings.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(result.embeddings.vectors, axis=1), 1, rtol=1e-6)
    assert result.trace.nearest[result.best_step] > 1.1 * result.trace.nearest[0]
    assert result.trace.loss[result.best_step] < result.trace.loss[0]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_trace_is_the_loss_of_what_is_returned(objective):
    options = ClassOptimisation(objective=objective)
    result = optimise_classes(crowded(10), options)
    t_CW, w_CW = (
        torch.from_numpy(e.vectors).double() for e in (result.original, result.embeddings)
    )
    objective_of = ClassObjective(t_CW, options)
    for classes_CW, step in ((t_CW, 0), (w_CW, result.best_step)):
        terms = objective_of(classes_CW)
        assert terms.loss.item() == pytest.approx(result.trace.loss[step], abs=1e-5)
        assert terms.separation.item() == pytest.approx(result.trace.separation[step], abs=1e-5)
        assert terms.semantic.item() == pytest.approx(result.trace.semantic[step], abs=1e-5)
    assert len(result.trace.loss) == result.steps + 1


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("classes", [24, 48])
def test_real_class_names_converge_to_the_same_loss_from_every_step_size(
    word2vec, objective, classes
):
    some = ClassEmbeddings(names=word2vec.names[:classes], vectors=word2vec.vectors[:classes])
    losses = []
    for learning_rate in (1e-2, 3e-3):
        options = ClassOptimisation(objective=objective, learning_rate=learning_rate)
        result = optimise_classes(some, options)
        assert result.converged
        assert result.steps < 1500
        losses.append(result.trace.loss.min())
    assert losses[0] == pytest.approx(losses[1], abs=2e-3)
    assert result.trace.nearest[result.best_step] > 0.9


def test_the_same_input_gives_the_same_bits():
    options = ClassOptimisation(max_steps=60)
    first, second = (optimise_classes(crowded(9), options) for _ in range(2))
    assert first.embeddings.vectors.tobytes() == second.embeddings.vectors.tobytes()
    assert first.trace.loss.tobytes() == second.trace.loss.tobytes()


def test_the_number_of_threads_plays_no_part():
    options = ClassOptimisation(max_steps=60)
    results = []
    for threads in (2, 1):
        torch.set_num_threads(threads)
        results.append(optimise_classes(crowded(40, size=300), options).embeddings.vectors)
        assert torch.get_num_threads() == threads
    assert results[0].tobytes() == results[1].tobytes()


def test_random_numbers_play_no_part():
    torch.manual_seed(0)
    first = optimise_classes(crowded(6), ClassOptimisation(max_steps=20))
    state = torch.random.get_rng_state()
    second = optimise_classes(crowded(6), ClassOptimisation(max_steps=20))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.array_equal(first.embeddings.vectors, second.embeddings.vectors)


def test_length_of_the_given_vectors_plays_no_part():
    given = crowded(8)
    scaled = ClassEmbeddings(
        names=given.names, vectors=given.vectors * np.arange(1, 9, dtype=np.float32)[:, None]
    )
    options = ClassOptimisation(max_steps=30)
    one, other = (optimise_classes(e, options).embeddings.vectors for e in (given, scaled))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_nothing_given_is_changed():
    given = crowded(5)
    before = given.vectors.copy()
    optimise_classes(given, ClassOptimisation(max_steps=5))
    assert np.array_equal(given.vectors, before)


def test_two_classes_end_opposite_each_other():
    result = optimise_classes(crowded(2), ClassOptimisation())
    assert result.converged
    # no triplet has two classes besides the anchor: separation is all there is
    assert result.trace.semantic.max() == 0
    assert result.embeddings.vectors[0] @ result.embeddings.vectors[1] == pytest.approx(
        -1, abs=1e-3
    )


def test_three_classes():
    result = optimise_classes(crowded(3), ClassOptimisation())
    assert result.converged
    assert result.trace.nearest[result.best_step] > result.trace.nearest[0]


def test_without_separation_the_meaning_stays_as_it_was():
    given = optimise_classes(crowded(8), ClassOptimisation(max_steps=1)).original
    for options in (
        ClassOptimisation(alpha=0.0, objective="proximity"),
        ClassOptimisation(alpha=0.0, margin=0.0),
    ):
        result = optimise_classes(given, options)
        assert result.converged
        np.testing.assert_allclose(result.embeddings.vectors, given.vectors, atol=1e-6)


def test_ranking_keeps_more_of_the_order_than_separation_alone():
    def kept(alpha):
        result = optimise_classes(crowded(12), ClassOptimisation(alpha=alpha))
        changes = compare_neighbours(result, distance="cosine")
        return np.mean([change.rank_correlation for change in changes])

    assert kept(0.5) > kept(1.0) + 0.2


def test_stopping_early_is_said(caplog):
    with caplog.at_level(logging.WARNING):
        result = optimise_classes(crowded(6), ClassOptimisation(max_steps=7))
    assert not result.converged
    assert result.steps == 7
    assert "max_steps = 7" in caplog.text


def test_classes_with_one_vector_are_named():
    given = crowded(4)
    vectors = given.vectors.copy()
    vectors[3] = 2 * vectors[1]
    same = ClassEmbeddings(names=("cat", "dog, wet", "owl", "wet dog"), vectors=vectors)
    with pytest.raises(ValueError, match=r"1 pair.*'dog, wet' and 'wet dog'"):
        optimise_classes(same, ClassOptimisation())


def test_vectors_without_direction_are_named():
    vectors = crowded(3).vectors.copy()
    vectors[1] = 0
    vectors[2, 0] = np.nan
    given = ClassEmbeddings(names=("cat", "dog", "owl"), vectors=vectors)
    with pytest.raises(ValueError, match=re.escape("['dog', 'owl']")):
        optimise_classes(given, ClassOptimisation())


def test_one_class_cannot_be_separated():
    with pytest.raises(ValueError, match=r"at least two classes, got .'class 0'"):
        optimise_classes(crowded(1), ClassOptimisation())


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": 1.1},
        {"margin": -0.1},
        {"learning_rate": 0},
        {"distance": "l3"},
        {"objective": "rank"},
        {"max_steps": 0},
        {"steps": 10},
    ],
)
def test_wrong_options_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        from_dict(ClassOptimisation, wrong)
