"""Where a method compares clips with classes: what figures show is what scores are made from."""

import dataclasses

import pytest
import torch
from test_methods_contract import make, make_batch

from avzsl.methods.base import methods

KINDS = methods.names()
DISTANCE = {
    "attention-fusion",
    "avca",
    "cjme",
    "clipclap",
    "hyper-alignment",
    "hyper-multiple",
    "hyper-single",
    "kda",
    "perceiver",
    "tcaf",
}
"""Score minus the Euclidean distance in one space."""
LINEAR = ("ale", "apn", "devise", "sje")


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_and_what_they_depend_on(kind):
    method = make(kind).eval()
    batch, classes = make_batch()
    found = method.embed(batch, classes)
    if found is None:
        return
    clips, places = found
    assert clips.ndim == 2
    assert len(clips) == 18
    assert clips.isfinite().all()
    assert (clips - clips[0]).abs().max() > 0, "clips differ"
    relabelled = dataclasses.replace(batch, labels_B=batch.labels_B.flip(0))
    assert torch.equal(method.embed(relabelled, classes)[0], clips)
    if places is not None:
        assert places.shape == (len(classes), clips.shape[1])
        order = torch.randperm(len(classes))
        moved = method.embed(batch, classes[order])
        torch.testing.assert_close(moved[1], places[order])


@pytest.mark.parametrize("kind", sorted(DISTANCE))
def test_the_nearest_class_is_the_likeliest(kind):
    method = make(kind).eval()
    batch, classes = make_batch()
    clips, places = method.embed(batch, classes)
    torch.testing.assert_close(-torch.cdist(clips, places), method(batch, classes))


@pytest.mark.parametrize("score", ["product", "distance"])
@pytest.mark.parametrize("kind", LINEAR)
def test_linear_methods_rank_classes_of_one_length_by_distance(kind, score):
    method = make(kind, score=score).eval()
    batch, classes = make_batch()
    clips, places = method.embed(batch, classes)
    wanted = method(batch, classes).argsort(dim=1)
    assert torch.equal((-torch.cdist(clips, places)).argsort(dim=1), wanted)


def test_avgzslnet_shows_both_distances():
    method = make("avgzslnet").eval()
    batch, classes = make_batch()
    clips, places = method.embed(batch, classes)
    parts = zip(clips.chunk(2, dim=1), places.chunk(2, dim=1), strict=True)
    torch.testing.assert_close(-sum(torch.cdist(*pair) for pair in parts), method(batch, classes))


def test_ez_avgzl_has_no_place_for_classes():
    batch, classes = make_batch()
    clips, places = make("ez-avgzl").eval().embed(batch, classes)
    assert clips.shape == (18, 16)
    assert places is None
