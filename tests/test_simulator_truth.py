"""The whole way on features whose truth is known, with real splits and real class vectors."""

import dataclasses

import numpy as np
import pytest
import torch
from simulation import CPU, METHODS, embeddings, score, shuffled, simulated
from training_setup import train

from avzsl.evaluation import evaluate_model
from avzsl.metrics.accuracy import compute_metrics
from avzsl.metrics.calibration import calibrate
from avzsl.training.checkpoint import load_model
from avzsl.training.clips import judging_clips, vectors_of
from avzsl.training.feeding import Feeder
from avzsl.training.scoring import score_clips
from avzsl.types import SUBSETS


@pytest.fixture(scope="module")
def aligned(shared, tmp_path_factory):
    """Metrics and model of devise, trained with class vectors joined by name."""
    return {
        name: score(
            tmp_path_factory.mktemp(name),
            simulated(shared, name),
            embeddings(shared, name),
            "devise",
        )
        for name in ("ucf", "vggsound")
    }


@pytest.mark.parametrize(("name", "margin"), [("ucf", 12), ("vggsound", 25)])
def test_class_vectors_joined_by_name_beat_the_published_alignment(
    shared, aligned, tmp_path, name, margin
):
    wrong, _ = score(
        tmp_path, simulated(shared, name), embeddings(shared, name, "legacy"), "devise"
    )
    right = aligned[name][0]
    assert right.hm > wrong.hm + margin
    assert right.zsl > wrong.zsl + margin
    assert right.zsl > 4 * right.zsl_chance


@pytest.mark.parametrize(("kind", "seeds", "margin"), [("kda", [0], 10), ("avca", [0, 1], 5)])
def test_it_does_so_for_other_methods(shared, tmp_path, kind, seeds, margin):
    features = simulated(shared, "ucf")
    zsl = {
        alignment: np.mean(
            [score(tmp_path / alignment, features, classes, kind, seed)[0].zsl for seed in seeds]
        )
        for alignment in ("correct", "legacy")
        for classes in [embeddings(shared, "ucf", alignment)]
    }
    assert zsl["correct"] > zsl["legacy"] + margin


@pytest.mark.parametrize(("name", "slack"), [("vggsound", 3), ("ucf", 12)])
def test_the_bias_of_validation_is_a_good_one_on_test(shared, aligned, name, slack):
    """On UCF it is chosen on 12 unseen classes and used on 9: the best one moves with them."""
    metrics, path = aligned[name]
    features, model = simulated(shared, name), load_model(path)
    judging = judging_clips(
        features, model.seen_classes, seen_subset="test_seen", unseen_subset="test_unseen"
    )
    feeder = Feeder(features, judging.candidates, preparation=model.preparation, device=CPU)
    vectors = torch.from_numpy(vectors_of(model.classes, judging.candidates))
    scores = score_clips(model.method, feeder, judging.rows, vectors, batch_size=256).numpy()
    labels = feeder.labels(judging.rows)
    best = calibrate(scores, labels, judging.is_seen).metrics.hm
    without = compute_metrics(scores, labels, judging.is_seen, bias=0.0).hm
    assert best - slack <= metrics.hm <= best
    # It is not that any bias would do: most of what there is to gain is gained.
    assert metrics.hm - without > 0.75 * (best - without)
    assert best - without > slack


@pytest.mark.parametrize(("name", "times", "spread"), [("ucf", 8, 9.0), ("vggsound", 3, 2.0)])
def test_shuffled_class_vectors_fall_to_chance(shared, aligned, tmp_path, name, times, spread):
    features, classes = simulated(shared, name), embeddings(shared, name)
    found = [
        score(tmp_path / str(seed), features, shuffled(classes, seed), "devise")[0]
        for seed in range(times)
    ]
    chance = found[0].zsl_chance
    assert np.mean([metrics.zsl for metrics in found]) == pytest.approx(chance, abs=spread)
    assert aligned[name][0].zsl > chance + 4 * spread


@pytest.mark.parametrize("kind", ["devise", "avca"])
def test_nothing_that_is_chosen_depends_on_test_labels(shared, tmp_path, kind):
    features, classes = simulated(shared, "ucf"), embeddings(shared, "ucf")
    training = METHODS[kind]["training"] | {"epochs": 4}
    options = METHODS[kind] | {"training": training}

    def model_of(folder, subsets):
        """Train with the labels of some subsets permuted, each within itself."""
        labels, rng = features.labels.copy(), np.random.default_rng(0)
        for subset in subsets:
            rows = np.flatnonzero(features.subsets == SUBSETS.index(subset))
            labels[rows] = rng.permutation(labels[rows])
        changed = dataclasses.replace(features, labels=labels)
        model, history = train(folder, (changed, classes), kind, options=options)
        return model, (model.read_bytes(), history.read_bytes()), changed

    _, first, _ = model_of(tmp_path / "a", [])
    model, permuted, changed = model_of(tmp_path / "b", ["test_seen", "test_unseen"])
    assert permuted == first
    # The permutation is one that matters: the test notices it, and training would.
    before, after = (evaluate_model(model, data, device=CPU) for data in (features, changed))
    assert after.hm != before.hm
    assert model_of(tmp_path / "c", ["val_seen", "val_unseen"])[1] != first
