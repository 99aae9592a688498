"""Step sizes that follow validation, negatives, and what a method does after a step."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training_setup import small_options, train

from avzsl.datasets.batches import draw_negatives
from avzsl.methods.base import Training
from avzsl.methods.devise import Devise
from avzsl.training.loop import Fit
from avzsl.training.optim import Plateau


@settings(deadline=None)  # the first step imports torch's optimisers
@given(
    values=st.lists(st.integers(0, 6), min_size=1, max_size=40),
    patience=st.integers(0, 4),
    interrupted=st.integers(0, 40),
)
def test_the_plateau_rule_is_that_of_torch(values, patience, interrupted):
    training = Training(schedule="plateau", patience=patience, decay=0.5, learning_rate=1.0)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, mode="max", patience=patience, factor=0.5
    )
    ours, rate = Plateau(training), 1.0
    for epoch, value in enumerate(values):
        if epoch == interrupted:
            state, ours = ours.state(), Plateau(training)
            ours.load(state)
        theirs.step(float(value))
        rate = ours.after(float(value), rate)
        if rate > 1e-6:  # torch takes no steps below 1e-8
            assert rate == optimiser.param_groups[0]["lr"]


def test_a_constant_step_size_stays():
    plateau = Plateau(Training())
    assert {plateau.after(hm, 0.1) for hm in (5.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)} == {0.1}


def test_stage_2_repeats_the_step_sizes_of_stage_1(tmp_path, monkeypatch):
    seen = []
    run_epoch = Fit.run_epoch

    def spy(fit, after_step):
        seen.append((fit._stage, fit.learning_rate))
        return run_epoch(fit, after_step)

    monkeypatch.setattr(Fit, "run_epoch", spy)
    options = small_options("devise", epochs=8)
    options["training"] |= {"schedule": "plateau", "patience": 0, "decay": 0.5}
    train(tmp_path, kind="devise", options=options)
    rates = {stage: [rate for s, rate in seen if s == stage] for stage in (1, 2)}
    assert len(rates[1]) == 8 and len(set(rates[1])) > 1, "it falls at some point"
    assert rates[2] == rates[1][: len(rates[2])]


@given(labels=st.lists(st.integers(0, 4), min_size=2, max_size=60), seed=st.integers(0, 99))
def test_negatives_are_of_another_class(labels, seed):
    labels = np.array([*labels, 0, 1])
    positions = np.arange(len(labels))
    drawn = draw_negatives(labels, positions, np.random.default_rng(seed))
    assert drawn.shape == positions.shape and (labels[drawn] != labels).all()


def test_other_classes_are_drawn_alike_and_their_clips_alike():
    labels = np.repeat([0, 1, 2], [10, 1000, 4])
    drawn = draw_negatives(labels, np.zeros(40_000, int), np.random.default_rng(0))
    counts = np.bincount(labels[drawn], minlength=3)
    assert counts[0] == 0 and abs(counts[1] / counts[2] - 1) < 0.05
    clips = np.bincount(drawn, minlength=len(labels))[-4:]
    assert clips.min() / clips.max() > 0.9


def test_one_class_has_no_negatives():
    with pytest.raises(ValueError, match="at least two training classes"):
        draw_negatives(np.zeros(5, int), np.arange(5), np.random.default_rng(0))


def test_the_batch_brings_negatives_only_to_a_method_that_wants_them(tmp_path, monkeypatch):
    seen = []
    losses = Devise.losses
    monkeypatch.setattr(
        Devise, "losses", lambda self, batch, c: seen.append(batch) or losses(self, batch, c)
    )
    train(tmp_path / "without", kind="devise")
    assert all(batch.negatives is None for batch in seen)
    seen.clear()
    monkeypatch.setattr(Devise, "needs_negatives", True)
    train(tmp_path / "with", kind="devise")
    assert seen and all((b.negatives.labels_B != b.labels_B).all() for b in seen)


def test_after_a_step_the_method_may_act_without_gradients(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        Devise,
        "after_step",
        lambda self, batch, classes: seen.append((torch.is_grad_enabled(), self.training)),
    )
    train(tmp_path, kind="devise")
    assert seen and set(seen) == {(False, True)}
