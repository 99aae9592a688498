"""Standardisation: the statistics of the training clips and of no others."""

import numpy as np
import pytest
import synthetic
import torch

from avzsl.datasets.features import Sequences
from avzsl.training.feeding import Feeder, Preparation, Standardisation

CPU = torch.device("cpu")


def test_statistics_equal_numpy_over_the_tokens_of_the_clips():
    features, _ = synthetic.make(synthetic.TINY)
    rows = features.rows_of("train")[::2]
    tokens = np.concatenate(
        [
            features.audio.features_ND[features.audio.offsets[r] : features.audio.offsets[r + 1]]
            for r in rows
        ]
    ).astype(np.float64)
    fit = Standardisation.fit(features.audio, rows)
    np.testing.assert_allclose(fit.mean_D, tokens.mean(0), rtol=1e-5)
    np.testing.assert_allclose(fit.std_D, tokens.std(0), rtol=1e-5)


def test_other_clips_do_not_enter():
    features, _ = synthetic.make(synthetic.TINY)
    rows = features.rows_of("train")
    before = Standardisation.fit(features.visual, rows)
    others = np.setdiff1d(np.arange(len(features.labels)), rows)
    features.visual.features_ND[features.visual.tokens(others)] = torch.inf
    after = Standardisation.fit(features.visual, rows)
    assert torch.equal(before.mean_D, after.mean_D)
    assert torch.equal(before.std_D, after.std_D)


def test_a_constant_dimension_becomes_zero_and_not_noise():
    values = torch.stack([torch.full((50,), 0.1), torch.arange(50.0), torch.zeros(50)], dim=1)
    sequences = Sequences(
        features_ND=values, times_N=torch.zeros(50), offsets=np.array([0, 20, 50])
    )
    fit = Standardisation.fit(sequences, np.array([0, 1]))
    applied = fit.apply(values[None], torch.ones(1, 50, dtype=torch.bool))[0]
    assert applied[:, [0, 2]].abs().max() < 1e-6
    assert applied[:, 1].std(correction=0).item() == pytest.approx(1)


def test_batches_are_standardised_and_padding_stays_zero():
    features, _ = synthetic.make(synthetic.TINY)
    rows = features.rows_of("train")
    preparation = Preparation.fit(features, rows)
    names = features.classes_of("train")
    batch = Feeder(features, names, preparation=preparation, device=CPU).batch(rows)
    real = batch.audio_BTA[batch.audio_mask_BT]
    torch.testing.assert_close(real.mean(0), torch.zeros(24), atol=1e-5, rtol=0)
    torch.testing.assert_close(real.std(0, correction=0), torch.ones(24), atol=1e-5, rtol=0)
    assert (batch.audio_BTA[~batch.audio_mask_BT] == 0).all()
    raw = Feeder(features, names, preparation=None, device=CPU).batch(rows)
    assert torch.equal(raw.visual_BUV, features.visual.pad(rows, CPU)[0])


def test_labels_are_places_among_the_candidates():
    features, _ = synthetic.make(synthetic.TINY)
    names = tuple(reversed(features.classes_of("train")))
    rows = features.rows_of("train")
    batch = Feeder(features, names, preparation=None, device=CPU).batch(rows)
    for row, label in zip(rows, batch.labels_B, strict=True):
        assert names[label] == features.class_names[features.labels[row]]


def test_a_clip_of_no_candidate_class_is_refused():
    features, _ = synthetic.make(synthetic.TINY)
    feeder = Feeder(features, features.classes_of("train"), preparation=None, device=CPU)
    with pytest.raises(ValueError, match="'class 09' of a clip is not among the candidate"):
        feeder.batch(features.rows_of("test_unseen"))
