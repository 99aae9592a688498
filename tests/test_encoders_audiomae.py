"""AudioMAE against its authors' code and timm, by way of golden files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_clips import sound
from random_states import random_array, random_state
from torch import Tensor
from vit_golden import difference, golden, loaded, mutants

from avzsl.decode.audio import read_audio
from avzsl.encoders.audiomae import AudioMae
from avzsl.encoders.frontends import audiomae as frontend
from avzsl.encoders.frontends import kaldi
from avzsl.encoders.networks import vit
from avzsl.sources.table import get_source
from avzsl.types import Waveform

TOLERANCE = 1e-5
"""Of features around 1: the reference's attention is not fused."""
LAYOUTS = {
    "authors": ("audiomae", "layout", "mean", {}),
    "authors, class token": ("audiomae", "layout", "cls", {"pooling": "cls"}),
    "authors, fine-tuned": ("audiomae", "tuned_layout", "tuned_mean", {}),
    "timm": ("vit-ports", "layout audiomae pretrained", "audiomae pretrained", {}),
    "timm, fine-tuned": ("vit-ports", "layout audiomae fine-tuned", "audiomae fine-tuned", {}),
}
CLIPS = sorted(golden("audiomae-preprocess"))
PICTURE_TOLERANCE = 1e-4
"""Of normalised log energies; the sound's mean is taken of a window there, of the clip here."""


@pytest.fixture(autouse=True)
def quiet():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(before)


@pytest.fixture
def pictures_BTM() -> Tensor:
    return torch.from_numpy(random_array(2, 1024, 128, seed=1))


def tiny(folder: Path, **options: Any) -> AudioMae:
    return loaded("audiomae", folder, random_state(golden("audiomae")["layout"]), **options)


def preprocess(encoder: AudioMae, heard: Waveform) -> Tensor:
    return encoder.preprocess(heard, encoder.windows.spans(heard.duration_seconds))


# --- the network --------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_features_are_the_references(layout: str, pictures_BTM: Tensor, tmp_path: Path) -> None:
    file, names, features, options = LAYOUTS[layout]
    encoder = loaded("audiomae", tmp_path, random_state(golden(file)[names]), **options)
    assert encoder.dim == 128
    assert difference(encoder.encode(pictures_BTM), golden(file)[features]) <= TOLERANCE


@pytest.mark.parametrize(
    ("names", "features"), [("layout", "mean"), ("tuned_layout", "tuned_mean")]
)
def test_every_tensor_matters(
    names: str, features: str, pictures_BTM: Tensor, tmp_path: Path
) -> None:
    expected = golden("audiomae")[features][:1]
    for name, state in mutants(golden("audiomae")[names]):
        got = loaded("audiomae", tmp_path, state).encode(pictures_BTM[:1])
        assert difference(got, expected) > 100 * TOLERANCE, name


@pytest.mark.parametrize(("name", "value"), [("EPSILON", 1e-5), ("HEAD", 32)])
def test_every_constant_of_the_network_matters(
    name: str,
    value: float,
    pictures_BTM: Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vit, name, value)
    got = tiny(tmp_path, pooling="cls").encode(pictures_BTM)
    assert difference(got, golden("audiomae")["cls"]) > 3 * TOLERANCE


def test_poolings_differ(pictures_BTM: Tensor, tmp_path: Path) -> None:
    mean = tiny(tmp_path).encode(pictures_BTM)
    assert difference(tiny(tmp_path, pooling="cls").encode(pictures_BTM), mean) > 0.1
    tuned = random_state(golden("audiomae")["tuned_layout"])
    before = {name.replace("fc_norm", "norm"): tensor for name, tensor in tuned.items()}
    after_norm = loaded("audiomae", tmp_path, before).encode(pictures_BTM)
    assert difference(after_norm, golden("audiomae")["tuned_mean"]) > 0.1


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="positions for 512 patches, got pictures of 256"):
        tiny(tmp_path).encode(torch.zeros(1, 512, 128))


def test_published_sizes_have_the_published_number_of_parameters() -> None:
    counts = {}
    for source in AudioMae.sources:
        encoder = AudioMae.from_dict({"weights": f"random:{source}"})
        with torch.device("meta"):
            network = encoder.build(encoder.sizes)
        counts[source] = sum(parameter.numel() for parameter in network.parameters())
        assert encoder.dim == 768
        assert not get_source(source).commercial
    # The authors' training log counts the head of 527 classes, and not the fixed positions.
    assert counts["audiomae-as2m-ft-as20k"] == 85_659_407 - (768 + 1) * 527 + 513 * 768
    assert counts["audiomae-as2m"] == counts["audiomae-as2m-ft-as20k"]


# --- checkpoints --------------------------------------------------------------------------------


def test_the_authors_file_and_the_port_give_the_same(pictures_BTM: Tensor, tmp_path: Path) -> None:
    state = random_state(golden("audiomae")["layout"])
    assert any(name.startswith("decoder_") for name in state) and "mask_token" in state
    port = {name: state[name] for name in golden("vit-ports")["layout audiomae pretrained"]}
    training = {
        "model": state,
        "optimizer": {"state": {0: {"step": 7}}, "param_groups": []},
        "epoch": 31,
        "args": argparse.Namespace(norm_pix_loss=True),
    }
    features = [
        loaded("audiomae", tmp_path, held).encode(pictures_BTM) for held in (training, port)
    ]
    assert torch.equal(*features)


@pytest.mark.parametrize("names", ["layout", "tuned_layout"])
@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("missing", r"missing: blocks\.1\.attn\.qkv\.bias"),
        ("unexpected", r"unexpected: dist_token"),
        ("shape", r"of another shape: cls_token \(1, 2, 128\), expected \(1, 1, 128\)"),
        ("two norms", r"unexpected: (fc_)?norm"),
    ],
)
def test_wrong_tensors_are_refused(names: str, wrong: str, complaint: str, tmp_path: Path) -> None:
    state = random_state(golden("audiomae")[names])
    if wrong == "missing":
        del state["blocks.1.attn.qkv.bias"]
    elif wrong == "unexpected":
        state["dist_token"] = torch.ones(1, 1, 128)
    elif wrong == "shape":
        state["cls_token"] = torch.ones(1, 2, 128)
    else:
        state |= {f"{norm}.weight": torch.ones(128) for norm in ("norm", "fc_norm")}
    with pytest.raises(ValueError, match=complaint):
        loaded("audiomae", tmp_path, state)


def test_a_network_for_pictures_is_refused(tmp_path: Path) -> None:
    state = random_state(golden("dino")["layout 16"])
    with pytest.raises(ValueError, match="3 channels, patches of 16 and 196 of them"):
        loaded("audiomae", tmp_path, state)


def test_a_fine_tuned_network_has_no_class_token(tmp_path: Path) -> None:
    state = random_state(golden("audiomae")["tuned_layout"])
    with pytest.raises(ValueError, match="'cls' needs the pretrained network"):
        loaded("audiomae", tmp_path, state, pooling="cls")


# --- log-mel pictures ---------------------------------------------------------------------------


def real(clip: str, media: Path, folder: Path) -> Tensor:
    """The values of the first window that the golden file holds."""
    path, channel = clip.rsplit(" ", 1)
    # Every 11th frame, the 1024th among them: it reaches beyond 10.24 s.
    first_TM: Tensor = preprocess(tiny(folder, channel=channel), read_audio(str(media / path)))[0]
    return first_TM[::11, ::4]


@pytest.mark.parametrize("clip", CLIPS)
def test_preprocessing_is_the_references(clip: str, media: Path, tmp_path: Path) -> None:
    got = real(clip, media, tmp_path)
    assert difference(got, golden("audiomae-preprocess")[clip]) <= PICTURE_TOLERANCE


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        (frontend, "MEAN", -4.26),
        (frontend, "STD", 4.58),
        (kaldi, "PREEMPHASIS", 0.96),
        (kaldi, "LOW_HZ", 0.0),
    ],
)
def test_every_constant_of_the_front_end_matters(
    place: Any, name: str, value: Any, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = "odd/nasa_13013.mp4 mean"
    kaldi.mel_filters.cache_clear()
    monkeypatch.setattr(place, name, value)
    got = real(clip, media, tmp_path)
    kaldi.mel_filters.cache_clear()
    assert difference(got, golden("audiomae-preprocess")[clip]) > 3 * PICTURE_TOLERANCE


def test_channels_matter(media: Path, tmp_path: Path) -> None:
    clip = "odd/nasa_13013.mp4"
    first, mean = (real(f"{clip} {channel}", media, tmp_path) for channel in ("first", "mean"))
    assert difference(first, mean) > 0.1


def test_silence_behind_the_sound_is_zero_log_energy(tmp_path: Path) -> None:
    picture = preprocess(tiny(tmp_path), sound(3.0))[0]
    heard = 1 + (48_000 - 400) // 160
    behind = torch.full((1024 - heard, 128), 4.2677393 / (2 * 4.5689974))
    assert difference(picture[heard:], behind) < 1e-6
    assert (picture[:heard].std(1) > 0.01).all()


def test_a_window_does_not_depend_on_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, heard = tiny(tmp_path), sound(25.0)
    whole = preprocess(encoder, heard)
    later = Waveform(samples=heard.samples[:, 163_840:], sample_rate=16_000)
    assert whole.shape == (3, 1024, 128)
    assert difference(preprocess(encoder, later), whole[1:]) < 1e-5
    monkeypatch.setattr(frontend, "WINDOWS_AT_ONCE", 1)
    assert difference(preprocess(encoder, heard), whole) < 1e-5


def test_a_sound_of_less_than_a_frame_is_refused(tmp_path: Path) -> None:
    encoder = tiny(tmp_path)
    assert torch.isfinite(encoder.encode(preprocess(encoder, sound(0.025)))).all()
    with pytest.raises(ValueError, match=r"25 ms at least, got 24\.0 ms"):
        preprocess(encoder, sound(0.024))


# --- windows ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "rest", "count", "steps"),
    [
        (0.05, 1.0, 1, 1),
        (10.0, 1.0, 1, 63),
        (10.24, 1.0, 1, 64),
        (11.0, 1.0, 1, 64),
        (11.0, 0.5, 2, 69),
        (11.3, 1.0, 2, 71),
        (20.48, 1.0, 2, 128),
        (30.0, 1.0, 3, 188),
    ],
)
def test_windows(seconds: float, rest: float, count: int, steps: int) -> None:
    weights = {"weights": "random", "rest_seconds": rest}
    spans = AudioMae.from_dict(weights).windows.spans(seconds)
    assert np.allclose(spans, 10.24 * np.stack([np.arange(count), 1 + np.arange(count)], 1))
    spans = AudioMae.from_dict(weights | {"pooling": "temporal"}).windows.spans(seconds)
    assert np.allclose(spans, 0.16 * np.stack([np.arange(steps), 1 + np.arange(steps)], 1))


def test_no_sound_has_no_windows() -> None:
    for pooling in ("mean", "temporal"):
        windows = AudioMae.from_dict({"weights": "random", "pooling": pooling}).windows
        assert windows.spans(0.0).shape == (0, 2)


def test_temporal_steps_are_the_references(pictures_BTM: Tensor, tmp_path: Path) -> None:
    steps = tiny(tmp_path, pooling="temporal")._steps(pictures_BTM)
    assert difference(steps, golden("audiomae")["temporal"]) <= TOLERANCE
    wrong = steps.unflatten(1, (8, 8)).transpose(1, 2).flatten(1, 2)
    assert difference(wrong, golden("audiomae")["temporal"]) > 0.1


def test_temporal_steps_of_a_window_average_to_its_mean(tmp_path: Path) -> None:
    heard, temporal, mean = sound(24.0), tiny(tmp_path, pooling="temporal"), tiny(tmp_path)
    steps = temporal.encode(preprocess(temporal, heard))
    windows = mean.encode(preprocess(mean, heard))
    assert steps.shape == (150, 128) and windows.shape == (3, 128)
    averages = steps[:128].unflatten(0, (2, 64)).mean(1)
    assert difference(averages, windows[:2]) < TOLERANCE
