"""The four similarities against naive loops, and why cross-attention needs more than one token."""

import math

import pytest
import torch
from torch import nn

from avzsl.methods.blocks import Layout
from avzsl.methods.similarity import Cosine, CrossAttention, Linear, Mlp

CLIPS, WIDTH, CLASSES, TEXT, HEADS, HEAD_DIM = 3, 10, 4, 7, 2, 5
LENGTHS = (4, 2, 3)
"""Tokens of each clip, its class token among them."""


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def classes():
    return torch.randn(CLASSES, TEXT, dtype=torch.double)


def layout_of(lengths):
    """Lay out clips of some lengths: all class tokens first, then the others clip by clip."""
    longest = max(lengths)
    others = [b * longest + s for b, n in enumerate(lengths) for s in range(1, n)]
    real = torch.arange(longest) < torch.tensor(lengths)[:, None]
    empty = torch.tensor([], dtype=torch.long)
    return Layout(
        clips=len(lengths),
        length=longest,
        audio_places=empty,
        visual_places=empty,
        places_N=torch.tensor([b * longest for b in range(len(lengths))] + others),
        allowed_B1SS=real[:, None, None, :].expand(-1, 1, longest, -1),
    )


def tokens_of(layout):
    return torch.randn(len(layout.places_N), WIDTH, dtype=torch.double)


def cross_attention(readout):
    made = CrossAttention(WIDTH, TEXT, heads=HEADS, head_dim=HEAD_DIM, readout=readout)
    return made.double()


def test_cosine(classes):
    layout = layout_of(LENGTHS)
    tokens, cosine = tokens_of(layout), Cosine(WIDTH, TEXT).double()
    scores = cosine(tokens, layout, classes)
    for b in range(CLIPS):
        for k in range(CLASSES):
            clip = cosine.project(tokens[b])
            wanted = clip @ classes[k] / clip.norm() / classes[k].norm()
            torch.testing.assert_close(scores[b, k], wanted)


def test_linear(classes):
    layout = layout_of(LENGTHS)
    tokens, linear = tokens_of(layout), Linear(WIDTH, TEXT).double()
    scores = linear(tokens, layout, classes)
    for b in range(CLIPS):
        for k in range(CLASSES):
            wanted = linear.project(tokens[b]) @ classes[k] / classes[k].norm()
            torch.testing.assert_close(scores[b, k], wanted)


def unit_entries(vector):
    return vector / vector.norm() * math.sqrt(TEXT)


def test_mlp_is_a_network_on_the_concatenation(classes):
    layout = layout_of(LENGTHS)
    tokens, mlp = tokens_of(layout), Mlp(WIDTH, TEXT, hidden=6).double()
    scores = mlp(tokens, layout, classes)
    first = nn.Linear(WIDTH + TEXT, 6).double()
    first.weight.data = torch.cat([mlp.clip.weight, mlp.classes.weight], dim=1)
    first.bias.data = mlp.clip.bias
    for b in range(CLIPS):
        for k in range(CLASSES):
            both = torch.cat([tokens[b], unit_entries(classes[k])])
            wanted = mlp.score(torch.relu(first(both)))[0]
            torch.testing.assert_close(scores[b, k], wanted)


def naive_attended(module, tokens, query):
    """Gather the tokens of one clip for one class, head by head; [H * E]."""
    key, value = module.key_value.weight.chunk(2)
    heads = []
    for h in range(HEADS):
        part = slice(h * HEAD_DIM, (h + 1) * HEAD_DIM)
        asked = module.query.weight[part] @ query
        logits = torch.stack([asked @ (key[part] @ x) / math.sqrt(HEAD_DIM) for x in tokens])
        weights = logits.softmax(0)
        heads.append(sum(w * (value[part] @ x) for w, x in zip(weights, tokens, strict=True)))
    return torch.cat(heads)


def naive_readout(module, readout, attended, query):
    if readout == "attended":
        return module.readout.score.weight[0] @ attended
    if readout == "product":
        return module.readout.wanted(query) @ attended / math.sqrt(HEADS * HEAD_DIM)
    mixed = module.readout.out(attended) + module.readout.query(query)
    centred = mixed - mixed.mean()
    normed = centred / (centred.square().mean() + 1e-5).sqrt() * module.readout.norm.weight
    return module.readout.score.weight[0] @ normed


@pytest.mark.parametrize("readout", ["attended", "product", "residual"])
def test_cross_attention(classes, readout):
    layout, module = layout_of(LENGTHS), cross_attention(readout)
    tokens = tokens_of(layout)
    padded = layout.pad(tokens)
    scores = module(tokens, layout, classes)
    for b, length in enumerate(LENGTHS):
        for k in range(CLASSES):
            query = unit_entries(classes[k])
            attended = naive_attended(module, padded[b, :length], query)
            wanted = naive_readout(module, readout, attended, query)
            torch.testing.assert_close(scores[b, k], wanted)


def spread_over_classes(scores):
    return (scores - scores.mean(dim=1, keepdim=True)).abs().max()


def test_the_class_matters_with_several_tokens_and_not_with_one(classes):
    module = cross_attention("attended")
    several, one = layout_of((2, 2)), layout_of((1, 1))
    assert spread_over_classes(module(tokens_of(several), several, classes)) > 1e-3
    # A softmax over one key is 1 whatever the query: every class gets the same score.
    assert spread_over_classes(module(tokens_of(one), one, classes)) < 1e-12


@pytest.mark.parametrize("readout", ["attended", "product", "residual"])
def test_clips_differ_in_which_class_they_prefer(classes, readout):
    layout, module = layout_of(LENGTHS), cross_attention(readout)
    scores = module(tokens_of(layout), layout, classes)
    # If scores were a term of the clip plus a term of the class, this would be zero.
    interaction = scores - scores.mean(0) - scores.mean(1, keepdim=True) + scores.mean()
    assert interaction.abs().max() > 1e-3


@pytest.mark.parametrize(
    "make",
    [
        lambda: Cosine(WIDTH, TEXT),
        lambda: Linear(WIDTH, TEXT),
        lambda: Mlp(WIDTH, TEXT, hidden=6),
        lambda: cross_attention("attended"),
        lambda: cross_attention("product"),
        lambda: cross_attention("residual"),
    ],
)
def test_no_score_depends_on_the_length_of_an_embedding(classes, make):
    layout, module = layout_of(LENGTHS), make().double()
    tokens = tokens_of(layout)
    torch.testing.assert_close(
        module(tokens, layout, 7.0 * classes), module(tokens, layout, classes)
    )
