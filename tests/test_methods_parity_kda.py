"""KDA in mode ``released`` gives what the released code gives with the same weights."""

import math

import pytest
import torch
from random_states import random_array
from released_models import (
    TOLERANCE,
    Golden,
    check_gradients,
    check_losses,
    check_scores,
    check_step,
    load_released,
    published_options,
    rename_plainly,
)

from avzsl.losses.margin import margin_cross_entropy, similarity_margins
from avzsl.methods.base import Batch, Dims, methods
from avzsl.options import from_dict

DIMS = Dims(audio=12, visual=20, text=512)
LABELS = (3, 0, 3, 1, 4, 4)
NETWORKS = {
    "A_enc": "encode_audio",
    "V_enc": "encode_visual",
    "A_proj": "project_audio",
    "V_proj": "project_visual",
}
GOLDEN = Golden("kda")


def rename(state):
    """Return our names for the weights of the released KDA."""
    layer = "cross_attention.layers.0"
    plain = {
        "pos_emb1D": "positions_2D",
        f"{layer}.0.norm": "attention.attention_norm",
        f"{layer}.0.fn.to_qkv": "attention.query_key_value",
        f"{layer}.0.fn.to_out": "attention.out",
        f"{layer}.1.norm": "attention.feedforward_norm",
        f"{layer}.1.fn.net": "attention.feedforward",
        "ALE_vector": "to_text.weight",
    }
    networks = {f"{released}.fc": ours for released, ours in NETWORKS.items()}
    found = rename_plainly(state, plain | networks)
    found["to_text.weight"] = found["to_text.weight"].flatten(1)
    return found


def make_batch():
    audio = torch.tensor(random_array(6, 12, seed=1)).double().unsqueeze(1)
    visual = torch.tensor(random_array(6, 20, seed=2)).double().unsqueeze(1)
    mask, times = torch.ones(6, 1, dtype=torch.bool), torch.ones(6, 1).double()
    batch = Batch(
        audio_BTA=audio,
        audio_mask_BT=mask,
        audio_times_BT=times,
        visual_BUV=visual,
        visual_mask_BU=mask,
        visual_times_BU=times,
        labels_B=torch.tensor(LABELS),
    )
    # The embedding of a class is the mean of those of its name and its three descriptions.
    return batch, torch.tensor(random_array(4, 5, 512, seed=3)).double().mean(0)


def make(dims=DIMS, **changes):
    cls = methods.get("kda")
    return cls(from_dict(cls.Options, {"mode": "released", "dropout": 0.0} | changes), dims)


def load(**changes):
    method = make(**changes)
    load_released(method, GOLDEN, rename)
    return method


def test_the_mean_over_texts_is_the_released_knowledge():
    torch.testing.assert_close(make_batch()[1], GOLDEN["classes"], **TOLERANCE)


def test_scores_are_the_released_distances():
    check_scores(load(), GOLDEN, *make_batch())


def test_losses_and_gradients_are_the_released_ones():
    method = load()
    check_losses(method, GOLDEN, *make_batch())
    check_gradients(method, GOLDEN, rename)


def test_a_step_leaves_the_released_running_statistics():
    check_step(load(), GOLDEN, rename, *make_batch())
    with pytest.raises(AssertionError):
        check_step(load(momentum=0.9), GOLDEN, rename, *make_batch())


def test_margins_are_those_that_the_released_code_computes_and_drops():
    margins = similarity_margins(make_batch()[1], scale=1.0, offset=0.0)
    margins = margins - torch.eye(5)
    torch.testing.assert_close(margins[list(LABELS)], GOLDEN["margins"], atol=1e-7, rtol=0)
    assert GOLDEN["norm.margin_generator.a"] == GOLDEN["norm.margin_generator.b"] == 0


@pytest.mark.parametrize(("features", "published"), [("main", 4898370), ("cls", 8371778)])
def test_the_size_is_the_published_one(features, published):
    audio, visual = (512, 512) if features == "main" else (128, 4096)
    with torch.device("meta"):
        method = make(Dims(audio=audio, visual=visual, text=512))
    ours = sum(parameter.numel() for parameter in method.parameters())
    unused, margin = 1_054_720, 2
    assert GOLDEN.counts[features] == published
    assert ours + unused + margin == published


def test_what_has_no_counterpart_is_never_trained():
    left_out = ("av2com.", "t2com.", "margin_generator.")
    for name in GOLDEN.names("norm"):
        assert not name.startswith(left_out) or GOLDEN[f"norm.{name}"] == 0
    state = GOLDEN.released_state()
    kept = sum(value.numel() for name, value in state.items() if not name.startswith(left_out))
    assert kept == sum(value.numel() for value in rename(state).values())


@pytest.mark.parametrize("features", ["cls", "main"])
@pytest.mark.parametrize("dataset", ["ucf", "activitynet", "vggsound"])
def test_published_options_are_valid(dataset, features):
    cls = methods.get("kda")
    options = from_dict(cls.Options, published_options("kda", dataset, features))
    assert (options == cls.Options()) == (features == "cls")


@pytest.mark.parametrize("network", [*NETWORKS.values(), "attention.feedforward.0", "to_text"])
def test_a_changed_weight_is_noticed(network):
    method = load()
    part = method.get_submodule(network)
    with torch.no_grad():
        (part[0] if network in NETWORKS.values() else part).weight[0, 0] += 0.1
    with pytest.raises(AssertionError):
        check_losses(method, GOLDEN, *make_batch())


def test_mode_paper_adds_the_margin_loss():
    method, (batch, classes) = load(mode="paper"), make_batch()
    terms = method.train().losses(batch, classes)
    torch.testing.assert_close(terms.pop("alignment"), GOLDEN["loss.alignment"], **TOLERANCE)
    assert list(terms) == ["margin"]
    clips = load(mode="paper").train()._embed(batch)
    torch.testing.assert_close(terms["margin"], naive_margin_loss(clips, classes, batch.labels_B))


def naive_margin_loss(clips, classes, labels):
    """Clip by clip and class by class."""
    losses = []
    for clip, label in zip(clips, labels.tolist(), strict=True):
        logits = []
        for k, other in enumerate(classes):
            cosine = torch.cosine_similarity(other, classes[label], dim=0)
            logits.append(clip @ other + (0 if k == label else cosine))
        losses.append(torch.stack(logits).logsumexp(0) - logits[label])
    return torch.stack(losses).mean()


def test_no_margin_is_plain_cross_entropy():
    scores, labels = torch.randn(4, 3), torch.tensor([0, 2, 2, 1])
    wanted = torch.nn.functional.cross_entropy(scores, labels)
    torch.testing.assert_close(margin_cross_entropy(scores, labels, torch.zeros(3, 3)), wanted)


def test_margins_by_hand():
    # One clip, two equal scores, margin 1 for the wrong class: log(1 + e).
    scores, margins = torch.zeros(1, 2), torch.tensor([[7.0, 1.0], [0.0, 7.0]])
    loss = margin_cross_entropy(scores, torch.tensor([0]), margins)
    assert loss.item() == pytest.approx(math.log(1 + math.e))
    with pytest.raises(ValueError, match="K = 2 classes"):
        margin_cross_entropy(scores, torch.tensor([0]), margins[:1])


def test_training_can_only_shrink_a_learned_margin():
    method, (batch, classes) = make(mode="paper", learned_margin=True).double(), make_batch()
    method.losses(batch, classes)["margin"].backward()
    assert method.margin_offset.grad > 0
    assert not dict(make(learned_margin=True).named_parameters()).keys() & {"margin_offset"}
