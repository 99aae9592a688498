"""The test clips, once: the numbers against naive loops, and that batches do not matter."""

import dataclasses
import json

import numpy as np
import pytest
import synthetic
import torch
from training_setup import CPU, small_options, train

from avzsl import evaluation
from avzsl.evaluation import evaluate_model
from avzsl.metrics.embedded import read_embedded
from avzsl.report.collect import read_evaluations
from avzsl.training.checkpoint import load_model, save_model
from avzsl.training.clips import vectors_of
from avzsl.training.feeding import Feeder
from avzsl.training.scoring import score_clips
from avzsl.types import SUBSETS


@pytest.fixture(scope="module", params=["devise", "ez-avgzl"])
def model_path(request, tmp_path_factory):
    options = small_options(request.param, epochs=8)
    return train(tmp_path_factory.mktemp("model"), kind=request.param, options=options)[0]


@pytest.fixture(scope="module")
def features():
    return synthetic.make(synthetic.TINY)[0]


def naive_scores(model, features, rows, names):
    """Score clip by clip."""
    feeder = Feeder(features, names, preparation=model.preparation, device=CPU)
    vectors = torch.from_numpy(vectors_of(model.classes, names))
    with torch.no_grad():
        return np.array(
            [model.method(feeder.batch(np.array([r])), vectors)[0].numpy() for r in rows]
        )


def naive_mean_accuracy(predicted, true):
    accuracies = []
    for name in sorted(set(true)):
        own = [p == t for p, t in zip(predicted, true, strict=True) if t == name]
        accuracies.append(sum(own) / len(own))
    return 100 * sum(accuracies) / len(accuracies)


def test_numbers_equal_a_naive_evaluation(model_path, features, tmp_path):
    metrics = evaluate_model(model_path, features, device=CPU, out=tmp_path / "m.json")
    model = load_model(model_path)
    unseen = features.classes_of("test_unseen")
    names = tuple(sorted([*model.seen_classes, *unseen]))
    bias = np.array([model.bias if name in model.seen_classes else 0.0 for name in names])
    found = {}
    for subset in ("test_seen", "test_unseen"):
        rows = features.rows_of(subset)
        scores = naive_scores(model, features, rows, names).astype(np.float64)
        true = [features.class_names[label] for label in features.labels[rows]]
        found[subset] = naive_mean_accuracy([names[k] for k in (scores - bias).argmax(1)], true)
        columns = [names.index(name) for name in unseen]
        zsl = naive_mean_accuracy([unseen[k] for k in scores[:, columns].argmax(1)], true)
    seen, unseen_accuracy = found["test_seen"], found["test_unseen"]
    assert metrics.seen == pytest.approx(seen)
    assert metrics.unseen == pytest.approx(unseen_accuracy)
    assert metrics.hm == pytest.approx(2 * seen * unseen_accuracy / (seen + unseen_accuracy))
    assert metrics.zsl == pytest.approx(zsl)
    assert metrics.unseen <= metrics.zsl
    assert (metrics.classes_seen, metrics.classes_unseen) == (9, 3)


def test_what_is_written(model_path, features, tmp_path):
    metrics = evaluate_model(model_path, features, device=CPU, out=tmp_path / "m.json")
    written = json.loads((tmp_path / "m.json").read_text())
    for name, value in dataclasses.asdict(metrics).items():
        assert written[name] == (list(value) if isinstance(value, tuple) else value)
    assert written["run_id"] == "run"
    assert written["zsl_chance"] == pytest.approx(100 / 3)
    for name, row in written["confusions"].items():
        clips = (features.labels == features.class_names.index(name)) & (
            features.subsets >= SUBSETS.index("test_seen")
        )
        assert sum(row.values()) == clips.sum()
        assert 100 * row.get(name, 0) / clips.sum() == pytest.approx(written["per_class"][name])


def test_scores_do_not_depend_on_how_clips_fall_into_batches(model_path, features):
    model = load_model(model_path)
    rows = features.rows_of("test_seen", "test_unseen")
    names = model.classes.names
    feeder = Feeder(features, names, preparation=model.preparation, device=CPU)
    vectors = torch.from_numpy(model.classes.vectors)

    def scores(order, batch_size):
        return score_clips(model.method, feeder, rows[order], vectors, batch_size=batch_size)

    same = np.arange(len(rows))
    shuffled = np.random.default_rng(0).permutation(len(rows))
    whole = scores(same, len(rows))
    for batch_size in (1, 7):
        torch.testing.assert_close(scores(same, batch_size), whole, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(scores(shuffled, 5), whole[shuffled], atol=1e-5, rtol=1e-5)


def test_a_bias_of_zero_is_a_bias(model_path, features, tmp_path):
    model = load_model(model_path)
    save_model(tmp_path / "m.pt", dataclasses.replace(model, bias=0.0))
    assert evaluate_model(tmp_path / "m.pt", features, device=CPU).bias == 0.0


def test_a_seen_class_without_test_clips_is_a_candidate_but_not_averaged(model_path, features):
    gone = (features.labels == 4) & (features.subsets == SUBSETS.index("test_seen"))
    subsets = np.where(gone, SUBSETS.index("train"), features.subsets)
    metrics = evaluate_model(model_path, dataclasses.replace(features, subsets=subsets), device=CPU)
    assert metrics.left_out == ("class 04",)
    assert metrics.classes_seen == 8
    assert np.isfinite(metrics.hm)


def test_a_test_class_that_was_trained_on_is_refused(model_path, features):
    labels = np.where(features.labels == 11, 3, features.labels)
    with pytest.raises(ValueError, match="'test_unseen' were trained on: 'class 03'"):
        evaluate_model(model_path, dataclasses.replace(features, labels=labels), device=CPU)


def test_features_of_another_encoder_are_refused(model_path):
    size = dataclasses.replace(synthetic.TINY, visual=41)
    with pytest.raises(ValueError, match="visual features of length 40, these have 41"):
        evaluate_model(model_path, synthetic.make(size)[0], device=CPU)


def test_a_model_of_another_run_is_refused(model_path, features):
    with pytest.raises(ValueError, match="another run"):
        evaluate_model(model_path, features, device=CPU, expected_run_id="other")


def test_the_bias_curve_goes_through_the_bias_in_use_and_chooses_nothing(
    model_path, features, tmp_path
):
    metrics = evaluate_model(model_path, features, device=CPU, out=tmp_path / "m.json")
    (read,) = read_evaluations([tmp_path / "m.json"])
    assert read.bias == metrics.bias == load_model(model_path).bias
    here = read.bias_curve.bias == metrics.bias
    assert read.bias_curve.seen[here] == pytest.approx([metrics.seen])
    assert read.bias_curve.unseen[here] == pytest.approx([metrics.unseen])
    # Where the test clips would have it elsewhere, it stays.
    model = load_model(model_path)
    save_model(tmp_path / "m.pt", dataclasses.replace(model, bias=1e3))
    moved = evaluate_model(tmp_path / "m.pt", features, device=CPU, out=tmp_path / "n.json")
    (read,) = read_evaluations([tmp_path / "n.json"])
    assert moved.bias == 1e3
    assert moved.seen == 0
    assert read.bias_curve.bias[-1] == 1e3


def test_an_evaluation_of_an_older_version_can_be_read(model_path, features, tmp_path):
    evaluate_model(model_path, features, device=CPU, out=tmp_path / "m.json")
    content = json.loads((tmp_path / "m.json").read_text())
    del content["bias_curve"], content["outcomes"]
    (tmp_path / "m.json").write_text(json.dumps(content))
    (read,) = read_evaluations([tmp_path / "m.json"])
    assert read.bias_curve is None
    named = dict(zip(read.class_names, read.per_class, strict=True))
    assert named == pytest.approx(content["per_class"])


@pytest.mark.parametrize("kind", ["devise", "ez-avgzl"])
def test_embedded_clips_are_those_that_were_scored(kind, tmp_path, monkeypatch):
    """With unseen classes that come first by name: the file has the seen ones first."""
    features, classes = synthetic.make(synthetic.TINY)
    features = dataclasses.replace(features, labels=11 - features.labels)
    classes = dataclasses.replace(classes, vectors=classes.vectors[::-1].copy())
    path = train(tmp_path, (features, classes), kind, options=small_options(kind, epochs=2))[0]
    monkeypatch.setattr(evaluation, "MOST_EMBEDDED", 20)
    outs = {"out": tmp_path / "m.json", "embeddings_out": tmp_path / "e.h5"}
    evaluate_model(path, features, device=CPU, **outs)
    found = read_embedded(tmp_path / "e.h5", ["run"])
    (read,) = read_evaluations([tmp_path / "m.json"])
    assert (found.class_names, found.is_seen) == (read.class_names, read.is_seen)
    assert found.class_names[-3:] == ("class 00", "class 01", "class 02")
    assert len(found.clips) == len(found.video_ids) == 20
    assert np.bincount(found.labels).min() == 1, "of every class one at least"
    rows = np.array([features.video_ids.index(video) for video in found.video_ids])
    names = [features.class_names[label] for label in features.labels[rows]]
    assert names == [found.class_names[label] for label in found.labels]
    model = load_model(path)
    feeder = Feeder(features, sorted(found.class_names), preparation=model.preparation, device=CPU)
    vectors = torch.from_numpy(vectors_of(model.classes, found.class_names))
    with torch.no_grad():
        clips, places = model.method.embed(feeder.batch(rows), vectors)
    assert found.clips == pytest.approx(clips.numpy(), abs=1e-5)
    assert (found.classes is None) == (places is None)
    if places is not None:
        assert found.classes == pytest.approx(places.numpy(), abs=1e-6)


def test_a_method_without_a_space_leaves_no_clips(model_path, features, tmp_path, monkeypatch):
    kind = type(load_model(model_path).method)
    monkeypatch.setattr(kind, "embed", lambda self, batch, classes: None)
    evaluate_model(model_path, features, device=CPU, embeddings_out=tmp_path / "e.h5")
    found = read_embedded(tmp_path / "e.h5")
    assert found.clips is None
    assert found.classes is None
    assert len(found.class_names) == 12
