"""The defining properties of the two baselines that are adapted, for which no code was released."""

import dataclasses
import math

import pytest
import torch
from test_methods_contract import DIMS, make_batch
from training_setup import small_options

from avzsl.methods.attention_fusion import AttentionFusion
from avzsl.methods.base import methods
from avzsl.methods.perceiver import Block, Perceiver, PerceiverOptions
from avzsl.methods.tcaf import Tcaf
from avzsl.options import from_dict

ADAPTED = ["attention-fusion", "perceiver"]


def make(kind, **changes):
    torch.manual_seed(0)
    cls = methods.get(kind)
    method = cls(from_dict(cls.Options, small_options(kind) | changes), DIMS)
    return method.eval()


def reordered(batch):
    """Return the same tokens in another order, each with its time."""
    changed = {}
    for name, end in (("audio", "T"), ("visual", "U")):
        mask = getattr(batch, f"{name}_mask_B{end}")
        order = torch.randperm(mask.shape[1])
        features = f"{name}_B{end}{name[0].upper()}"
        for field in (features, f"{name}_mask_B{end}", f"{name}_times_B{end}"):
            changed[field] = getattr(batch, field)[:, order]
    return dataclasses.replace(batch, **changed)


@pytest.mark.parametrize("kind", ADAPTED)
def test_the_summary_says_adapted(kind):
    assert methods.get(kind).summary.startswith("adapted: ")


@pytest.mark.parametrize("kind", [*ADAPTED, "tcaf"])
def test_the_order_of_tokens_is_of_no_consequence_their_time_is(kind):
    batch, classes = make_batch()
    method = make(kind)
    torch.manual_seed(1)
    torch.testing.assert_close(method(reordered(batch), classes), method(batch, classes))
    later = dataclasses.replace(batch, audio_times_BT=batch.audio_times_BT + 0.01)
    assert (method(later, classes) - method(batch, classes)).abs().max() > 1e-5


@pytest.mark.parametrize("kind", [*ADAPTED, "tcaf"])
def test_what_stands_in_padding_is_never_read(kind):
    batch, classes = make_batch(extra=2)
    assert not batch.audio_mask_BT.all()
    noise = torch.randn_like(batch.audio_BTA) * ~batch.audio_mask_BT.unsqueeze(2)
    other = dataclasses.replace(
        batch,
        audio_BTA=batch.audio_BTA + noise,
        visual_times_BU=batch.visual_times_BU + 3.0 * ~batch.visual_mask_BU,
    )
    for training in (False, True):
        scores = []
        for given in (batch, other):
            torch.manual_seed(0)
            scores.append(make(kind).train(training)(given, classes))
        assert torch.equal(*scores)


def test_attention_weights_add_up_to_one_over_modalities():
    batch, _ = make_batch()
    outputs, weights = make("attention-fusion").outputs_and_weights(batch)
    assert outputs.shape == weights.shape == (18, 2, 16)
    assert (weights > 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(18, 16))
    assert weights.std() > 1e-3, "weights depend on the clip and the dimension"


def test_the_fused_output_lies_between_those_of_the_modalities():
    batch, _ = make_batch()
    method: AttentionFusion = make("attention-fusion")
    outputs, _ = method.outputs_and_weights(batch)
    fused = method._embed(batch)
    assert (fused >= outputs.amin(1) - 1e-6).all()
    assert (fused <= outputs.amax(1) + 1e-6).all()


@pytest.mark.parametrize(("modality", "sign"), [(0, 1), (1, -1)])
def test_attention_can_choose_a_modality(modality, sign):
    batch, _ = make_batch()
    method: AttentionFusion = make("attention-fusion")
    with torch.no_grad():
        method.attend.bias[:16] = sign * 1e3
    outputs, _ = method.outputs_and_weights(batch)
    torch.testing.assert_close(method._embed(batch), outputs[:, modality])


def test_modalities_are_averaged_over_their_own_real_tokens():
    batch, _ = make_batch(extra=3)
    method: AttentionFusion = make("attention-fusion")
    clip, alone = 4, {}
    for field in dataclasses.fields(batch):
        if field.name != "negatives":
            alone[field.name] = getattr(batch, field.name)[clip : clip + 1]
    cut = dataclasses.replace(batch, **alone, negatives=None)
    torch.testing.assert_close(method._embed(cut)[0], method._embed(batch)[clip])


def test_latents_gather_as_naive_loops_do():
    torch.manual_seed(0)
    sizes = {"width": 12, "heads": 2, "head_dim": 3, "feedforward": 5, "dropout": 0.0}
    block = Block(PerceiverOptions(**sizes)).double().eval()
    latents, source = torch.randn(2, 3, 12).double(), torch.randn(2, 4, 12).double()
    real = torch.tensor([[True, True, False, False], [True, True, True, True]])
    got = block(latents, source, real)
    for clip in range(2):
        for i in range(3):
            wanted = naive_latent(block, latents[clip, i], source[clip, real[clip]])
            torch.testing.assert_close(got[clip, i], wanted)


def naive_latent(block, latent, source):
    query = block.query(block.norm(latent))
    keys, values = block.key_value(block.norm_source(source)).chunk(2, dim=1)
    heads = []
    for part in (slice(0, 3), slice(3, 6)):
        weights = (keys[:, part] @ query[part] / math.sqrt(3)).softmax(0)
        assert weights.sum().item() == pytest.approx(1)
        heads.append(weights @ values[:, part])
    latent = latent + block.out(torch.cat(heads))
    return latent + block.feedforward(latent)


def test_the_order_of_latents_is_of_no_consequence():
    batch, classes = make_batch()
    method: Perceiver = make("perceiver")
    before = method(batch, classes)
    with torch.no_grad():
        method.latents_LD.copy_(method.latents_LD.flip(0))
    torch.testing.assert_close(method(batch, classes), before)


def test_more_latents_cost_no_more_weights_but_their_own():
    def count(latents):
        return sum(p.numel() for p in make("perceiver", latents=latents).parameters())

    assert count(8) - count(3) == 5 * 16


def test_tcaf_reads_both_modalities_at_the_class_token():
    batch, classes = make_batch()
    method: Tcaf = make("tcaf")
    for field in ("audio_BTA", "visual_BUV"):
        other = dataclasses.replace(batch, **{field: getattr(batch, field).flip(0)})
        assert (method(other, classes) - method(batch, classes)).abs().max() > 1e-4
