"""Methods that take means alone are fed means: the same figures, from a fraction of the data."""

import itertools

import numpy as np
import pytest
import synthetic
import torch
from training_setup import CPU, small_options, train

from avzsl.datasets.features import Sequences
from avzsl.methods.base import Dims, methods
from avzsl.options import from_dict
from avzsl.seeding import seed_torch
from avzsl.training import stages
from avzsl.training.feeding import Feeder, Preparation, averaged


def fed_both_ways():
    """Return a feeder of tokens and one of means, with the same standardisation."""
    features, classes = synthetic.make(synthetic.TINY)
    preparation = Preparation.fit(features, features.rows_of("train"))
    feeders = [
        Feeder(data, features.class_names, preparation=preparation, device=CPU)
        for data in (features, averaged(features))
    ]
    return features, torch.from_numpy(classes.vectors), feeders


def test_means_are_those_of_the_tokens():
    features, _, (whole, means) = fed_both_ways()
    rows, others = features.rows_of("train")[::3], features.rows_of("train")[1::3]
    one, two = whole.batch(rows, others), means.batch(rows, others)
    assert two.audio_BTA.shape[1] == two.visual_BUV.shape[1] == 1
    for left, right in ((one, two), (one.negatives, two.negatives)):
        torch.testing.assert_close(right.audio_mean_BA, left.audio_mean_BA, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(right.visual_mean_BV, left.visual_mean_BV, atol=1e-5, rtol=1e-5)
        assert torch.equal(left.labels_B, right.labels_B)


def test_means_equal_a_loop_over_clips_whatever_the_block(monkeypatch):
    rng = np.random.default_rng(0)
    offsets = np.array([0, 3, 4, 9, 11, 12])
    sequences = Sequences(
        features_ND=torch.from_numpy(rng.standard_normal((12, 5)).astype(np.float32)),
        times_N=torch.arange(12.0),
        offsets=offsets,
    )
    features, _ = synthetic.make(synthetic.TINY)
    data = synthetic.FeatureSet(
        **{**vars(features), "audio": sequences, "visual": sequences},
    )
    for block in (2, 256):
        monkeypatch.setattr("avzsl.training.feeding._CLIPS", block)
        found = averaged(data).audio
        for clip, (begin, end) in enumerate(itertools.pairwise(offsets)):
            own = sequences.features_ND[begin:end].mean(0)
            torch.testing.assert_close(found.features_ND[clip], own)
            assert found.times_N[clip] == (begin + end - 1) / 2
        assert found.offsets.tolist() == [0, 1, 2, 3, 4, 5]


def figures(kind, feeder, features, vectors):
    """Losses of a step in training, without dropout, and scores."""
    cls = methods.get(kind)
    options = from_dict(cls.Options, small_options(kind))
    seed_torch(0)
    method = cls(options, Dims(audio=24, visual=40, text=32))
    for part in method.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    rows = features.rows_of("train")
    batch = feeder.batch(rows[:16], rows[16:32] if cls.needs_negatives else None)
    losses = method.train().losses(batch, vectors)
    method.eval()
    with torch.no_grad():
        scores = method(batch, vectors)
    return torch.cat([torch.stack(list(losses.values())).detach(), scores.flatten()])


@pytest.mark.parametrize("kind", methods.names())
def test_a_method_says_rightly_whether_it_looks_at_tokens(kind):
    features, vectors, (whole, means) = fed_both_ways()
    one, two = (figures(kind, feeder, features, vectors) for feeder in (whole, means))
    if methods.get(kind).needs_tokens:
        assert (one - two).abs().max() > 1e-3
    else:
        torch.testing.assert_close(two, one, atol=1e-4, rtol=1e-4)


def test_a_run_trains_on_means_where_they_are_enough(tmp_path, monkeypatch):
    fed = []
    monkeypatch.setattr(stages, "averaged", lambda features: fed.append(1) or averaged(features))
    for kind, times in (("devise", 1), ("ez-avgzl", 0)):
        fed.clear()
        train(tmp_path / kind, kind=kind, options=small_options(kind, epochs=1))
        assert len(fed) == times
