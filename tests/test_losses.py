"""Edges, types and error messages of the losses; their values are in test_oracles.py."""

import math

import pytest
import torch

from avzsl.losses.contrastive import contrastive_alignment
from avzsl.losses.ranking import hinge_ranking

torch.set_num_threads(1)

SCORES = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 5.0], [1.0, 0.0, 0.0]])
LABELS = torch.tensor([0, 1, 0])

LOSSES = [
    lambda s, y: contrastive_alignment(s, y, candidates="classes"),
    lambda s, y: contrastive_alignment(s, y, candidates="samples"),
    lambda s, y: contrastive_alignment(s, y, candidates="all"),
    lambda s, y: hinge_ranking(s, y, violations="all"),
    lambda s, y: hinge_ranking(s, y, violations="worst"),
    lambda s, y: hinge_ranking(s, y, violations="ranked"),
]


def test_worked_example_of_alignment():
    # class 2 is in no label: it counts for "all" only; class 0 is there twice
    e = math.exp
    for candidates, sums in {
        "classes": (e(2) + 1, 1 + e(1), e(1) + 1),
        "samples": (2 * e(2) + 1, 2 + e(1), 2 * e(1) + 1),
        "all": (e(2) + 1 + e(1), 1 + e(1) + e(5), e(1) + 2),
    }.items():
        expected = sum(math.log(total) - true for total, true in zip(sums, (2, 1, 1), strict=True))
        loss = contrastive_alignment(SCORES, LABELS, candidates=candidates)
        assert loss.item() == pytest.approx(expected / 3)


def test_alignment_is_cross_entropy_over_all_classes():
    expected = torch.nn.functional.cross_entropy(SCORES, LABELS)
    torch.testing.assert_close(contrastive_alignment(SCORES, LABELS, candidates="all"), expected)


def test_a_batch_of_one_class_teaches_nothing_but_to_the_letter_it_costs():
    labels = torch.zeros(3, dtype=torch.int64)
    scores = SCORES.clone().requires_grad_()
    loss = contrastive_alignment(scores, labels)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert not scores.grad.any()
    # three clips of the class: each sees itself and two "negatives" that score the same
    samples = contrastive_alignment(SCORES, labels, candidates="samples")
    assert samples.item() == pytest.approx(math.log(3), rel=1e-6)


@pytest.mark.parametrize("candidates", ["classes", "samples", "all"])
def test_alignment_of_huge_scores_is_finite(candidates):
    scores = (SCORES * 1e4).requires_grad_()
    loss = contrastive_alignment(scores, LABELS, candidates=candidates)
    loss.backward()
    assert loss.isfinite()
    assert scores.grad.isfinite().all()
    shifted = contrastive_alignment(SCORES + 1000, LABELS, candidates=candidates)
    torch.testing.assert_close(
        shifted, contrastive_alignment(SCORES, LABELS, candidates=candidates), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("candidates", ["classes", "samples", "all"])
def test_gradient_of_alignment(candidates):
    scores = SCORES.double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda s: contrastive_alignment(s, LABELS, candidates=candidates), scores
    )


def test_worked_example_of_hinges():
    assert hinge_ranking(SCORES, LABELS, margin=1.0).item() == pytest.approx((0 + 5) / 3)
    scores = torch.tensor([[1.0, 0.5, 2.0]])
    labels = torch.tensor([0])
    assert hinge_ranking(scores, labels, margin=1.0).item() == pytest.approx(0.5 + 2.0)
    worst = hinge_ranking(scores, labels, margin=1.0, violations="worst")
    assert worst.item() == pytest.approx(2.0)
    ranked = hinge_ranking(scores, labels, margin=1.0, violations="ranked")
    assert ranked.item() == pytest.approx((1 + 1 / 2) / 2 * (0.5 + 2.0))


def test_hinges_that_are_kept_cost_nothing():
    scores = torch.eye(3) * 2
    assert hinge_ranking(scores, torch.arange(3), margin=1.9).item() == 0


def test_one_class_alone_has_no_rival():
    for violations in ("all", "worst", "ranked"):
        loss = hinge_ranking(torch.ones(4, 1), torch.zeros(4).long(), violations=violations)
        assert loss.item() == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_work_in_every_floating_type(loss):
    exact = loss(SCORES.double(), LABELS)
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.bfloat16, 2e-2), (torch.float16, 2e-3)):
        scores = SCORES.to(dtype, copy=True).requires_grad_()
        value = loss(scores, LABELS)
        value.backward()
        assert value.item() == pytest.approx(exact.item(), rel=tolerance)
        assert scores.grad.dtype == dtype
        assert scores.grad.isfinite().all()


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_scalars_and_change_nothing_given(loss):
    scores, labels = SCORES.clone(), LABELS.clone()
    assert loss(scores, labels).shape == ()
    assert torch.equal(scores, SCORES)
    assert torch.equal(labels, LABELS)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_order_of_the_clips_does_not_matter(loss):
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(loss(SCORES[order], LABELS[order]), loss(SCORES, LABELS))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (SCORES, LABELS[:2], r"labels_B.shape = torch.Size\(\[2\]\)"),
        (SCORES[0], LABELS, "scores_BK.shape"),
        (SCORES[:0], LABELS[:0], "B, K > 0"),
        (SCORES[:, :0], LABELS, "B, K > 0"),
        (SCORES, LABELS.int(), "labels_B.dtype = torch.int32"),
        (SCORES.long(), LABELS, "scores_BK.dtype = torch.int64"),
    ],
)
def test_wrong_input_is_named(loss, scores, labels, message):
    with pytest.raises(ValueError, match=message):
        loss(scores, labels)


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="'classes', 'samples' or 'all', got 'batch'"):
        contrastive_alignment(SCORES, LABELS, candidates="batch")
    with pytest.raises(ValueError, match="'all', 'worst' or 'ranked', got 'best'"):
        hinge_ranking(SCORES, LABELS, violations="best")
