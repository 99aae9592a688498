"""AVCA, Hyper, AVGZSLNet and CJME give the numbers of the code released with AVCA and Hyper.

The golden files are written by tests/golden/methods/make_avca.py and make_hyper.py.
"""

import dataclasses

import numpy as np
import pytest
import torch
from avca_parities import PARITIES
from method_parity import (
    CLASSES_KW,
    assert_dropouts,
    assert_parity,
    batch,
    parameter_counts,
)

from avzsl.methods.avca import Avca
from avzsl.training.optim import make_optimiser

every_method = pytest.mark.parametrize("parity", PARITIES.values(), ids=PARITIES.keys())


@every_method
def test_scores_losses_and_gradients_are_the_released_ones(parity):
    assert_parity(parity, parity.make())


@every_method
def test_a_changed_weight_shows(parity):
    for name in (
        next(n for n in parity.make().state_dict() if n.startswith("visual")),
        next(n for n in parity.make().state_dict() if n.startswith("class")),
    ):
        method = parity.make()
        with torch.no_grad():
            method.state_dict()[name][0, 0] += 0.05
        with pytest.raises(AssertionError):
            assert_parity(parity, method, tolerance=1e-5)


@every_method
def test_a_changed_loss_shows(parity, monkeypatch):
    method = parity.make()
    terms = method.losses(batch(), CLASSES_KW)
    for name in terms:
        with monkeypatch.context() as patch:
            losses = type(method).losses
            patch.setattr(
                type(method),
                "losses",
                lambda self, *args, _name=name, _losses=losses: {
                    n: t * 1.1 if n == _name else t for n, t in _losses(self, *args).items()
                },
            )
            with pytest.raises(AssertionError):
                assert_parity(parity, method, tolerance=1e-5)


@every_method
def test_dropouts_are_the_released_ones(parity):
    assert_dropouts(parity)


@pytest.mark.parametrize("kind", ["avgzslnet", "cjme"])
def test_statistics_after_the_loss_are_the_released_ones(kind):
    parity = PARITIES[kind]
    method = parity.make()
    method.losses(batch(), CLASSES_KW)
    ours, theirs = parity.statistics(method)
    assert len(theirs) >= 6
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


def test_statistics_of_avca_are_the_released_ones():
    parity = PARITIES["avca"]
    method = parity.make()
    method.losses(batch(), CLASSES_KW)
    np.testing.assert_allclose(*parity.statistics(method, "loss."), rtol=0, atol=1e-9)
    method.after_step(batch(), CLASSES_KW)
    ours, theirs = parity.statistics(method, "step.")
    assert len(theirs) == 14
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "changes",
    [{"bn_reprojection": False}, {"bn_extra_forward": False}, {"bn_momentum": 0.1}],
    ids=str,
)
def test_statistics_of_avca_need_each_option(changes):
    parity = PARITIES["avca"]
    method = parity.make(**changes)
    method.losses(batch(), CLASSES_KW)
    method.after_step(batch(), CLASSES_KW)
    ours, theirs = parity.statistics(method, "step.")
    assert np.abs(ours - theirs).max() > 1e-3


def trained(parity, method, training):
    """Return the losses of five steps, and the scores after them."""
    optimiser = make_optimiser(method, training)
    losses = []
    for _ in range(5):
        loss = sum(method.losses(batch(), CLASSES_KW).values())
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            method.after_step(batch(), CLASSES_KW)
    return losses, parity.scores(method)


def test_five_steps_of_training_are_the_released_ones():
    parity = PARITIES["avca"]
    _, stored = parity.stored
    method = parity.make(positions="fixed")
    losses, scores = trained(parity, method, Avca.Options().training)
    np.testing.assert_allclose(losses, stored["steps"], rtol=0, atol=1e-7)
    np.testing.assert_allclose(scores, stored["trained_scores"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "training"),
    [({"positions": "learned"}, {}), ({}, {"weight_decay": 0.0}), ({}, {"betas": (0.5, 0.999)})],
    ids=str,
)
def test_another_training_shows(options, training):
    parity = PARITIES["avca"]
    method = parity.make(**{"positions": "fixed"} | options)
    training = dataclasses.replace(Avca.Options().training, **training)
    losses, scores = trained(parity, method, training)
    differences = np.abs(scores - parity.stored[1]["trained_scores"])
    assert max(differences.max(), np.abs(losses - parity.stored[1]["steps"]).max()) > 1e-5


def test_reprojection_changes_no_loss():
    released, ours = (PARITIES["avca"].make(bn_reprojection=on) for on in (True, False))
    terms = [sum(m.losses(batch(), CLASSES_KW).values()) for m in (released, ours)]
    assert torch.equal(*terms)


def test_positions_are_not_trained_unless_asked():
    parity = PARITIES["avca"]
    names = {"fixed": False, "learned": True}
    for positions, trained in names.items():
        method = parity.make(positions=positions)
        assert ("positions_2C" in dict(method.named_parameters())) == trained
        assert "positions_2C" in method.state_dict()


def test_cjme_weighs_clips_unless_asked():
    """Against a loop over the clips; the released product of means is another number."""
    parity = PARITIES["cjme"]
    method = parity.make(weighing="clips")
    data = batch()
    word = method.class_encoder(CLASSES_KW[data.labels_B])
    audio, other_audio = (method.audio_encoder(b.audio_mean_BA) for b in (data, data.negatives))
    visual, other_visual = (method.visual_encoder(b.visual_mean_BV) for b in (data, data.negatives))
    joined = torch.cat([data.audio_mean_BA, data.visual_mean_BV], 1)
    total = 0.0
    for i, gate in enumerate(method.gate(joined)[:, 0]):
        losses = [
            (1 + (word[i] - near[i] + 1e-6).norm() - (word[i] - far[i] + 1e-6).norm()).clamp(min=0)
            for near, far in ((audio, other_audio), (visual, other_visual))
        ]
        total += (1 - gate) * losses[0] + gate * losses[1]
    weighed = method.losses(data, CLASSES_KW)["triplets"]
    torch.testing.assert_close(weighed, total / len(word), atol=1e-9, rtol=0)
    released = parity.stored[0]["terms"]["triplets"]
    assert abs(weighed.item() - released) > 1e-3


def test_gate_targets_of_cjme_are_all_three():
    method = PARITIES["cjme"].make()
    data = batch()
    targets = method._gate_target(
        method.audio_encoder(data.audio_mean_BA),
        method.visual_encoder(data.visual_mean_BV),
        method.class_encoder(CLASSES_KW),
    )
    assert set(targets.tolist()) == {0.0, 0.5, 1.0}


@pytest.mark.parametrize(
    ("kind", "options", "main", "supervised"),
    [
        ("avca", {}, 1_693_108, 3_331_508),
        ("hyper-alignment", {}, 1_693_108, 3_331_508),
        ("hyper-single", {}, None, 3_332_109),
        ("hyper-multiple", {"curvatures": 2}, None, 3_332_710),
        ("hyper-multiple", {"curvatures": 3}, None, 3_333_311),
        ("avgzslnet", {}, 1_319_872, 4_596_672),
        ("cjme", {}, 1_299_157, 4_585_557),
    ],
)
def test_as_many_parameters_as_released(kind, options, main, supervised):
    # The 600 random positions of AVCA are parameters in the released code.
    positions = {} if kind in ("avgzslnet", "cjme") else {"positions": "learned"}
    counts = parameter_counts(kind, **options, **positions)
    assert counts[1] == supervised
    assert main is None or counts[0] == main
