"""ClipClap gives what the released code gives with the same weights."""

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
)

from avzsl.methods.base import Batch, Dims, methods
from avzsl.options import from_dict

DIMS = Dims(audio=1024, visual=512, text=1536)
LABELS = (3, 0, 3, 1, 4, 4)
NO_DROPOUT = {f"{name}_dropout": 0.0 for name in ("encoder", "joint", "class")}
NETWORKS = {
    "O_enc": "encode_clip",
    "W_enc": "encode_class",
    "O_proj": "project",
    "W_proj": "joint.classes",
    "D_o": "joint.clip_decoder",
    "D_w": "joint.class_decoder",
}
GOLDEN = Golden("clipclap")


def rename(state):
    """Return our names for the weights of the released ClipClap."""
    found = {}
    for released, ours in NETWORKS.items():
        found |= rename_embnet(state, f"{released}.fc", ours)
    return found


def make_batch():
    """Return clips of two windows each, whose mean is what the released model was fed."""
    wanted = [torch.tensor(random_array(6, n, seed=s)).double() for n, s in ((1024, 1), (512, 2))]
    away = [torch.tensor(random_array(6, n, seed=s)).double() for n, s in ((1024, 4), (512, 5))]
    audio, visual = (torch.stack([a + b, a - b], 1) for a, b in zip(wanted, away, strict=True))
    mask, times = torch.ones(6, 2, dtype=torch.bool), torch.ones(6, 2).double()
    batch = Batch(
        audio_BTA=audio,
        audio_mask_BT=mask,
        audio_times_BT=times,
        visual_BUV=visual,
        visual_mask_BU=mask,
        visual_times_BU=times,
        labels_B=torch.tensor(LABELS),
    )
    return batch, torch.tensor(random_array(5, 1536, seed=3)).double()


def make(dims=DIMS, **changes):
    cls = methods.get("clipclap")
    options = NO_DROPOUT | {"bn_extra_forward": True} | changes
    return cls(from_dict(cls.Options, options), dims)


def load(**changes):
    method = make(**changes)
    load_released(method, GOLDEN, rename)
    return method


def test_scores_are_the_released_distances():
    check_scores(load(), GOLDEN, *make_batch())


def test_losses_and_gradients_are_the_released_ones():
    method = load()
    check_losses(method, GOLDEN, *make_batch())
    check_gradients(method, GOLDEN, rename)


def test_a_step_leaves_the_released_running_statistics():
    check_step(load(), GOLDEN, rename, *make_batch())
    with pytest.raises(AssertionError):
        check_step(load(bn_extra_forward=False), GOLDEN, rename, *make_batch())


def test_biases_that_have_no_counterpart_have_no_effect():
    biases = ("fc.0.bias", "fc.4.bias")
    for name in GOLDEN.layout:
        if name.endswith(biases):
            assert GOLDEN[f"norm.{name}"] < 1e-12
    ours = sum(parameter.numel() for parameter in make().parameters())
    assert ours + GOLDEN.size(*biases) == GOLDEN.counts["all"]


@pytest.mark.parametrize("dataset", ["ucf", "activitynet", "vggsound"])
def test_published_options_are_valid(dataset):
    cls = methods.get("clipclap")
    options = from_dict(cls.Options, published_options("clipclap", dataset, "cls"))
    assert options.training.steps_per_epoch == 300
    assert (options == cls.Options()) == (dataset == "ucf")


@pytest.mark.parametrize("network", NETWORKS.values())
def test_a_changed_weight_is_noticed(network):
    method = load()
    with torch.no_grad():
        method.get_submodule(network)[0].weight[0, 0] += 0.1
    with pytest.raises(AssertionError):
        check_losses(method, GOLDEN, *make_batch())


def test_a_single_modality_ignores_the_other():
    batch, classes = make_batch()
    dims = Dims(audio=1024, visual=512, text=1536)
    for modality, size in (("audio", 1024), ("visual", 512)):
        method = make(dims, modality=modality).double().eval()
        assert method.encode_clip[0].in_features == size
        swapped = {"audio": "visual_BUV", "visual": "audio_BTA"}[modality]
        other = Batch(**{**vars(batch), swapped: getattr(batch, swapped) * 0})
        assert torch.equal(method(batch, classes), method(other, classes))
