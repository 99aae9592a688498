"""The triplet loss, against torch's and against numbers done by hand."""

import pytest
import torch

from avzsl.losses.triplet import triplet, triplets

ANCHORS = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]).double()
POSITIVES = torch.tensor([[3.0, 4.0], [1.0, 2.0], [0.0, 1.0]]).double()
NEGATIVES = torch.tensor([[0.0, 2.0], [1.0, 5.0], [0.0, 1.0]]).double()


def test_numbers_by_hand():
    # 1 + 5 - 2, 1 + 1 - 4 below zero, 1 + 1 - 1
    each = triplets(ANCHORS, POSITIVES, NEGATIVES)
    torch.testing.assert_close(each, torch.tensor([4.0, 0.0, 1.0]).double(), atol=1e-5, rtol=0)
    assert triplet(ANCHORS, POSITIVES, NEGATIVES).item() == pytest.approx(5 / 3, abs=1e-5)
    wider = triplet(ANCHORS, POSITIVES, NEGATIVES, margin=3.5)
    assert wider.item() == pytest.approx((6.5 + 0.5 + 3.5) / 3, abs=1e-5)


def test_it_is_that_of_torch():
    wanted = torch.nn.TripletMarginLoss(margin=1.0)(ANCHORS, POSITIVES, NEGATIVES)
    assert torch.equal(triplet(ANCHORS, POSITIVES, NEGATIVES), wanted)


@pytest.mark.parametrize("negatives", [NEGATIVES[:2], NEGATIVES[:, :1], NEGATIVES[0]])
def test_shapes_that_differ_are_refused(negatives):
    with pytest.raises(ValueError, match="three embeddings"):
        triplet(ANCHORS, POSITIVES, negatives)


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="B > 0"):
        triplet(ANCHORS[:0], POSITIVES[:0], NEGATIVES[:0])
