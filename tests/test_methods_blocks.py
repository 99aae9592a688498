"""The fusion transformer against naive loops, and the two things that padding must not do."""

import math

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from avzsl.methods.base import Batch, Dims
from avzsl.methods.blocks import (
    EmbNet,
    FourierTime,
    FusionLayer,
    FusionOptions,
    FusionTransformer,
    Layout,
)

DIMS = Dims(audio=5, visual=7, text=6)
SIZES = {"depth": 2, "heads": 2, "head_dim": 4, "width": 12, "feedforward": 8}
SMALL = FusionOptions(**SIZES, encoder_hidden=9, time_width=6)
NO_DROPOUT = FusionOptions(
    **SIZES, encoder_hidden=9, time_width=6, encoder_dropout=0, token_dropout=0, dropout=0
)


def make_batch(audio_lengths=(3, 1, 2), visual_lengths=(2, 4, 1), longer=0, seed=0):
    """Return a batch with clips of some lengths, padded by ``longer`` more than needed."""
    generator = torch.Generator().manual_seed(seed)

    def pad(lengths, dim):
        longest = max(lengths) + longer
        mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
        # The clips' values must not depend on how much is padded.
        values = [torch.randn(length, dim, generator=generator) for length in lengths]
        padded = torch.stack([F.pad(v, (0, 0, 0, longest - len(v))) for v in values])
        times = torch.arange(longest) * 0.96 + 0.48
        return padded, mask, times * mask

    audio, audio_mask, audio_times = pad(audio_lengths, DIMS.audio)
    visual, visual_mask, visual_times = pad(visual_lengths, DIMS.visual)
    return Batch(
        audio_BTA=audio,
        audio_mask_BT=audio_mask,
        audio_times_BT=audio_times,
        visual_BUV=visual,
        visual_mask_BU=visual_mask,
        visual_times_BU=visual_times,
        labels_B=torch.zeros(len(audio), dtype=torch.long),
    )


def test_attention_is_cross_modal():
    allowed = Layout.of(make_batch()).allowed_B1SS[0, 0]
    kinds = ["class", "audio", "audio", "audio", "visual", "visual", "pad", "pad"]
    for i, kind in enumerate(kinds):
        for j, other in enumerate(kinds):
            wanted = other != "pad" and (kind == "class" or kind != other)
            if kind == "pad":  # its own place is a visual one; what it gathers is never read
                continue
            assert allowed[i, j].item() == wanted, (kind, other)


def test_every_place_attends_to_something():
    assert Layout.of(make_batch(longer=3)).allowed_B1SS.any(dim=3).all()


def test_pad_and_pack_are_inverse():
    layout = Layout.of(make_batch())
    rows = torch.randn(len(layout.places_N), 4)
    padded = layout.pad(rows)
    assert padded.shape == (3, 8, 4)
    assert torch.equal(layout.pack(padded), rows)
    assert (padded[~layout.real_BS] == 0).all()
    assert torch.equal(padded[:, 0], rows[:3])  # class tokens come first


def test_layer_equals_naive_loops():
    torch.manual_seed(0)
    layer = FusionLayer(SMALL).double().eval()
    layout = Layout.of(make_batch())
    tokens = torch.randn(len(layout.places_N), SMALL.width, dtype=torch.double)
    got = layout.pad(layer(tokens, layout))
    padded = layout.pad(tokens)
    for clip in range(3):
        real = layout.real_BS[clip].nonzero().flatten().tolist()
        wanted = naive_layer(layer, padded[clip], real, layout.allowed_B1SS[clip, 0])
        torch.testing.assert_close(got[clip, real], wanted)


def naive_layer(layer, tokens, real, allowed):
    """A pre-norm layer token by token and head by head."""
    normed = layer.norm(tokens)
    query, key, value = layer.query_key_value.weight.chunk(3)
    out = []
    for i in real:
        heads = []
        for h in range(SMALL.heads):
            part = slice(h * SMALL.head_dim, (h + 1) * SMALL.head_dim)
            keys = [j for j in real if allowed[i, j]]
            logits = torch.stack(
                [
                    (query[part] @ normed[i]) @ (key[part] @ normed[j]) / math.sqrt(SMALL.head_dim)
                    for j in keys
                ]
            )
            values = torch.stack([value[part] @ normed[j] for j in keys])
            heads.append(logits.softmax(0) @ values)
        after = tokens[i] + layer.out(torch.cat(heads))
        out.append(after + layer.feedforward(layer.norm(after)))
    return torch.stack(out)


@pytest.mark.parametrize("training", [False, True])
def test_padding_changes_nothing(training):
    torch.manual_seed(0)
    fusion = FusionTransformer(NO_DROPOUT, DIMS).train(training)
    before = {name: value.clone() for name, value in fusion.state_dict().items()}
    tokens, _ = fusion(make_batch())
    after = {name: value.clone() for name, value in fusion.state_dict().items()}
    fusion.load_state_dict(before)
    padded, _ = fusion(make_batch(longer=5))
    torch.testing.assert_close(padded, tokens, atol=1e-6, rtol=0)
    for name, value in fusion.state_dict().items():  # statistics of batch normalisation too
        torch.testing.assert_close(value, after[name], atol=1e-6, rtol=0)


def test_batch_normalisation_counts_real_tokens_only():
    torch.manual_seed(0)
    fusion = FusionTransformer(SMALL, DIMS).train()
    batch = make_batch(longer=4)
    fusion(batch)
    linear, norm = fusion.audio.encode[0], fusion.audio.encode[1]
    hidden = linear(batch.audio_BTA[batch.audio_mask_BT])
    torch.testing.assert_close(norm.running_mean, 0.1 * hidden.mean(0))


def test_padding_holding_anything_is_not_read():
    batch = make_batch(longer=2)
    fusion = FusionTransformer(SMALL, DIMS).eval()
    spoilt = Batch(
        **{
            **vars(batch),
            "audio_BTA": batch.audio_BTA.masked_fill(~batch.audio_mask_BT[..., None], torch.nan),
            "visual_times_BU": batch.visual_times_BU.masked_fill(~batch.visual_mask_BU, torch.inf),
        }
    )
    assert torch.equal(fusion(spoilt)[0], fusion(batch)[0])


def test_time_embedding_follows_its_formula():
    torch.manual_seed(0)
    time = FourierTime(6, scale=10.0)
    seconds = torch.tensor([0.0, 0.48, 7.3])
    frequencies = time.frequencies_2F
    assert "frequencies_2F" in time.state_dict()
    for second, embedded in zip(seconds, time(seconds), strict=True):
        position = torch.stack([second, second])
        angles = 2 * math.pi * (position @ frequencies)
        wanted = time.mix(torch.cat([torch.sin(angles), torch.cos(angles)]))
        torch.testing.assert_close(embedded, wanted, atol=1e-4, rtol=1e-4)


def test_time_matters_and_is_the_same_in_training_and_evaluation():
    batch = make_batch()
    later = Batch(**{**vars(batch), "audio_times_BT": batch.audio_times_BT + 1.0})
    fusion = FusionTransformer(NO_DROPOUT, DIMS)
    for training in (True, False):
        fusion.train(training)
        assert not torch.allclose(fusion(batch)[0], fusion(later)[0])
    seconds = torch.tensor([0.5])
    assert torch.equal(fusion.time.train()(seconds), fusion.time.eval()(seconds))


def test_two_layer_encoder():
    shapes = [tuple(p.shape) for p in EmbNet(5, 3, hidden=4, dropout=0.1).parameters()]
    assert shapes == [(4, 5), (4,), (4,), (3, 4), (3,), (3,)]
    assert len(list(EmbNet(5, 3, hidden=None, dropout=0.1))) == 4


def test_shortest_possible_clips_give_no_nan():
    fusion = FusionTransformer(SMALL, DIMS).train()
    tokens, _ = fusion(make_batch((1, 1), (1, 1)))
    tokens.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in fusion.parameters())
