"""TCaF gives what the released code gives with the same weights, and says so by name of option."""

import dataclasses

import numpy as np
import pytest
import torch
from random_states import random_array
from released_models import (
    Golden,
    check_gradients,
    check_losses,
    check_scores,
    check_step,
    load_released,
    published_options,
    rename_embnet,
    rename_plainly,
)

from avzsl.methods.base import Batch, Dims, methods
from avzsl.options import from_dict

DIMS = Dims(audio=12, visual=20, text=300)
AUDIO_LENGTHS, VISUAL_LENGTHS, LABELS = (3, 5, 1, 2), (4, 7, 2, 7), (3, 0, 3, 1)
RELEASED = {
    "times": "start",
    "evaluation_times": "index",
    "visual_norm": "time",
    "padding_in_statistics": True,
    "bn_extra_forward": True,
}
SIZES = {
    "encoder_hidden": 16,
    "joint_hidden": 24,
    "depth": 2,
    "heads": 2,
    "head_dim": 8,
    "feedforward": 16,
    "time_width": 8,
}
DROPOUTS = ("encoder", "token", "joint", "class")
NO_DROPOUT = {"dropout": 0.0} | {f"{name}_dropout": 0.0 for name in DROPOUTS}
GOLDEN = Golden("tcaf")


def rename(state):
    """Return our names for the weights of the released TCaF."""
    transformer, tokens = "Audio_visual_transformer.layers", "audiovisual_embeddings"
    depth = 1 + max(int(n.split(".")[2]) for n in state if n.startswith(transformer))
    plain = {"cls_token": "class_token", f"{tokens}.fourier_embeddings": "tokens.time.mix"}
    plain[f"{tokens}.fourier_randn"] = "tokens.time.frequencies_2F"
    plain[f"{tokens}.out_proj_audio"] = "tokens.audio.project"
    plain[f"{tokens}.out_proj_video"] = "tokens.visual.project"
    for i in range(depth):
        plain[f"{transformer}.{i}.attn.to_out"] = f"layers.{i}.out"
        plain[f"{transformer}.{i}.ff.net"] = f"layers.{i}.feedforward"
        plain[f"{transformer}.{i}.norm"] = f"layers.{i}.norm"
    found = rename_plainly(state, plain)
    found["class_token"] = found["class_token"].flatten()
    for name in ("audio", "visual"):
        found[f"tokens.{name}.project.weight"] = found[f"tokens.{name}.project.weight"].squeeze(2)
    modality = state[f"{tokens}.modal_embedding.weight"]
    found["tokens.audio.modality"], found["tokens.visual.modality"] = modality
    for i in range(depth):
        parts = [state[f"{transformer}.{i}.attn.to_{part}.weight"] for part in "qkv"]
        found[f"layers.{i}.query_key_value.weight"] = torch.cat(parts)
    networks = {
        "A_enc": "tokens.audio.encode",
        "V_enc": "tokens.visual.encode",
        "O_proj": "project",
        "W_proj": "joint.classes",
        "D_w": "joint.class_decoder",
        "D_o": "joint.clip_decoder",
    }
    for released, ours in networks.items():
        found |= rename_embnet(state, f"{released}.fc", ours)
    return found


def padded(lengths, size, seed, scale, rate):
    longest = max(lengths)
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    values = random_array(len(lengths), longest, size, seed=seed, scale=scale)
    # The released code keeps times in single precision.
    times = torch.tensor(np.arange(longest) * rate, dtype=torch.float32).double() * mask
    return torch.tensor(values).double() * mask[..., None], mask, times


def make_batch():
    audio, audio_mask, audio_times = padded(AUDIO_LENGTHS, DIMS.audio, 1, 100.0, 0.96)
    visual, visual_mask, visual_times = padded(VISUAL_LENGTHS, DIMS.visual, 2, 1.0, 0.64)
    batch = Batch(
        audio_BTA=audio,
        audio_mask_BT=audio_mask,
        audio_times_BT=audio_times,
        visual_BUV=visual,
        visual_mask_BU=visual_mask,
        visual_times_BU=visual_times,
        labels_B=torch.tensor(LABELS),
    )
    return batch, torch.tensor(random_array(5, DIMS.text, seed=3)).double()


def make(**changes):
    cls = methods.get("tcaf")
    method = cls(from_dict(cls.Options, SIZES | NO_DROPOUT | RELEASED | changes), DIMS)
    load_released(method, GOLDEN, rename)
    return method


def test_scores_are_the_released_distances():
    check_scores(make(), GOLDEN, *make_batch())


def test_losses_and_gradients_are_the_released_ones():
    method = make()
    check_losses(method, GOLDEN, *make_batch())
    check_gradients(method, GOLDEN, rename)


def test_a_step_leaves_the_released_running_statistics():
    check_step(make(), GOLDEN, rename, *make_batch())


def test_what_has_no_counterpart_has_no_effect():
    left_out = ("fc.0.bias", "fc.4.bias", "pad_embedding.weight")
    for name in GOLDEN.layout:
        if name.endswith(left_out):
            assert GOLDEN[f"norm.{name}"] < 1e-12
    ours = sum(parameter.numel() for parameter in make().parameters())
    buffers = ("running_mean", "running_var", "num_batches_tracked", "fourier_randn")
    assert ours == GOLDEN.size("") - GOLDEN.size(*buffers) - GOLDEN.size(*left_out)


def test_the_configurations_have_the_published_sizes():
    published = {"ucf": (7269972, 4521764), "activitynet": (7269972, 5161908)}
    published["vggsound"] = (8655028, 8848308)
    cls = methods.get("tcaf")
    for dataset, counts in published.items():
        for features, count in zip(("cls", "main"), counts, strict=True):
            assert GOLDEN.counts[f"{dataset}.{features}"] == count
            options = from_dict(cls.Options, published_options("tcaf", dataset, features))
            sizes = (128, 4096) if features == "cls" else (512, 512)
            with torch.device("meta"):
                method = cls(options, Dims(audio=sizes[0], visual=sizes[1], text=300))
            hidden = options.encoder_hidden
            biases = 2 * (hidden + 300) + (512 + 64) + (512 + 300) + 64 + 300
            ours = sum(parameter.numel() for parameter in method.parameters())
            assert ours + biases + 64 == count  # 64: the embedding of padding


@pytest.mark.parametrize(
    ("option", "check"),
    [
        ("evaluation_times", check_scores),
        ("visual_norm", check_scores),
        ("visual_norm", check_losses),
        ("padding_in_statistics", check_losses),
    ],
)
def test_every_defect_makes_a_difference(option, check):
    right = from_dict(methods.get("tcaf").Options, {})
    with pytest.raises(AssertionError):
        check(make(**{option: getattr(right, option)}), GOLDEN, *make_batch())


def test_the_extra_forward_makes_a_difference():
    with pytest.raises(AssertionError):
        check_step(make(bn_extra_forward=False), GOLDEN, rename, *make_batch())


def test_times_from_the_first_token_ignore_where_a_clip_begins():
    batch, classes = make_batch()
    later = dataclasses.replace(
        batch,
        audio_times_BT=(batch.audio_times_BT + 7.5) * batch.audio_mask_BT,
        visual_times_BU=(batch.visual_times_BU + 7.5) * batch.visual_mask_BU,
    )
    check_losses(make(), GOLDEN, later, classes)
    with pytest.raises(AssertionError):
        check_losses(make(times="middle"), GOLDEN, later, classes)


def test_padding_matters_to_no_statistics_where_there_is_none():
    batch, classes = make_batch()
    full = dataclasses.replace(
        batch,
        audio_mask_BT=torch.ones_like(batch.audio_mask_BT),
        visual_mask_BU=torch.ones_like(batch.visual_mask_BU),
    )
    with_padding, without = (
        make(padding_in_statistics=choice).train().losses(full, classes) for choice in (True, False)
    )
    torch.testing.assert_close(with_padding, without)


def test_a_changed_weight_is_noticed():
    method = make()
    with torch.no_grad():
        method.layers[1].query_key_value.weight[0, 0] += 1e-2
    with pytest.raises(AssertionError):
        check_scores(method, GOLDEN, *make_batch())


def test_a_missing_term_is_noticed(monkeypatch):
    method = make()
    whole = method.joint.losses

    def without_alignment(*arguments):
        terms = whole(*arguments)
        return terms | {"alignment": terms["alignment"].detach()}

    monkeypatch.setattr(method.joint, "losses", without_alignment)
    check_losses(method, GOLDEN, *make_batch())
    with pytest.raises(AssertionError):
        check_gradients(method, GOLDEN, rename)
