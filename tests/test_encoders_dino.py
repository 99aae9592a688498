"""DINO against its authors' code, timm and transformers, by way of golden files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_clips import pictures
from random_states import random_bytes, random_state
from safetensors.torch import save_file
from torch import Tensor
from vit_golden import difference, golden, loaded, mutants

from avzsl.decode.choice import DecoderChoice
from avzsl.decode.video import read_frames
from avzsl.encoders.dino import Dino
from avzsl.encoders.frontends import pictures as frontend
from avzsl.encoders.networks import vit
from avzsl.sources.checkpoint import MissingWeightsError
from avzsl.sources.table import get_source

TOLERANCE = 1e-5
"""Of features around 1: the reference's attention is not fused."""
LAYOUTS = {
    "authors, patches of 16": ("dino", "layout 16", "cls 16"),
    "authors, patches of 8": ("dino", "layout 8", "cls 8"),
    "timm": ("vit-ports", "layout dino timm", "dino timm"),
    "transformers": ("vit-ports", "layout dino hub", "dino hub"),
}
CLIPS = sorted({key.rsplit(" ", 1)[0] for key in golden("dino-preprocess")})


@pytest.fixture(autouse=True)
def quiet():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(before)


@pytest.fixture
def bytes_B3SS() -> Tensor:
    return torch.from_numpy(random_bytes(2, 224, 224, 3, seed=1)).permute(0, 3, 1, 2)


def tiny(folder: Path, **options: Any) -> Dino:
    return loaded("dino", folder, random_state(golden("dino")["layout 16"]), **options)


# --- the network --------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_features_are_the_references(layout: str, bytes_B3SS: Tensor, tmp_path: Path) -> None:
    file, names, features = LAYOUTS[layout]
    encoder = loaded("dino", tmp_path, random_state(golden(file)[names]))
    assert encoder.dim == 128
    assert difference(encoder.encode(bytes_B3SS), golden(file)[features]) <= TOLERANCE


def test_every_tensor_matters(bytes_B3SS: Tensor, tmp_path: Path) -> None:
    expected = golden("dino")["cls 16"]
    for name, state in mutants(golden("dino")["layout 16"]):
        changed = difference(loaded("dino", tmp_path, state).encode(bytes_B3SS), expected)
        assert changed > 100 * TOLERANCE, name


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        (frontend, "IMAGENET_MEAN", (0.485, 0.456, 0.41)),
        (frontend, "IMAGENET_STD", (0.229, 0.224, 0.23)),
        (vit, "EPSILON", 1e-5),
        (vit, "HEAD", 32),
    ],
)
def test_every_constant_matters(
    place: Any,
    name: str,
    value: Any,
    bytes_B3SS: Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(place, name, value)
    got = tiny(tmp_path).encode(bytes_B3SS)
    assert difference(got, golden("dino")["cls 16"]) > 3 * TOLERANCE


@pytest.mark.parametrize("source", Dino.sources)
def test_published_sizes_have_the_published_number_of_parameters(source: str) -> None:
    encoder = Dino.from_dict({"weights": f"random:{source}"})
    with torch.device("meta"):
        network = encoder.build(encoder.sizes)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == golden("dino")[f"parameters {source}"]
    assert encoder.dim == (768 if "vitb" in source else 384)
    assert get_source(source).commercial


# --- checkpoints --------------------------------------------------------------------------------


def test_a_training_checkpoint_gives_its_teacher(bytes_B3SS: Tensor, tmp_path: Path) -> None:
    teacher = random_state(golden("dino")["layout 16"])
    head = {"head.mlp.0.weight": torch.ones(2, 2), "head.last_layer.weight_g": torch.ones(2, 1)}
    whole = {
        "student": {f"module.backbone.{name}": -tensor for name, tensor in teacher.items()} | head,
        "teacher": {f"backbone.{name}": tensor for name, tensor in teacher.items()} | head,
        "args": argparse.Namespace(arch="vit_base"),
        "epoch": 3,
    }
    encoder = loaded("dino", tmp_path, whole)
    assert difference(encoder.encode(bytes_B3SS), golden("dino")["cls 16"]) <= TOLERANCE


def test_a_folder_of_the_hub_is_read(bytes_B3SS: Tensor, tmp_path: Path) -> None:
    state = random_state(golden("vit-ports")["layout dino hub"])
    save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "pytorch_model.bin").write_bytes(b"the same again, not read")
    (tmp_path / "config.json").write_text('{"layer_norm_eps": 1e-12}')
    encoder = Dino.from_dict({"weights": str(tmp_path)})
    encoder.load(torch.device("cpu"))
    assert difference(encoder.encode(bytes_B3SS), golden("vit-ports")["dino hub"]) <= TOLERANCE


@pytest.mark.parametrize("layout", ["authors, patches of 16", "transformers"])
@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("missing", r"missing: blocks\.1\.mlp\.fc2\.bias"),
        ("unexpected", r"unexpected: blocks\.0\.gamma"),
        ("shape", r"of another shape: pos_embed|tokens"),
    ],
)
def test_wrong_tensors_are_refused(layout: str, wrong: str, complaint: str, tmp_path: Path) -> None:
    file, names, _ = LAYOUTS[layout]
    state = random_state(golden(file)[names])
    if wrong == "missing":
        del state[
            next(name for name in state if name.endswith(("1.mlp.fc2.bias", "1.output.dense.bias")))
        ]
    elif wrong == "unexpected":
        state["blocks.0.gamma"] = torch.ones(128)
    else:
        name = next(name for name in state if name.endswith(("pos_embed", "position_embeddings")))
        state[name] = torch.ones(1, 145, 128)
    with pytest.raises(ValueError, match=complaint):
        loaded("dino", tmp_path, state)


def test_a_lone_query_is_refused(tmp_path: Path) -> None:
    state = random_state(golden("vit-ports")["layout dino hub"])
    del state["encoder.layer.0.attention.attention.key.bias"]
    with pytest.raises(ValueError, match=r"missing: blocks\.0\.attn\.qkv\.bias"):
        loaded("dino", tmp_path, state)


@pytest.mark.parametrize(
    ("name", "tensor", "complaint"),
    [
        ("patch_embed.proj.weight", torch.ones(100, 3, 16, 16), "multiple of 64"),
        ("patch_embed.proj.weight", torch.ones(128, 1, 16, 16), "1 channels and 197 tokens"),
        ("patch_embed.proj.weight", None, "no vision transformer"),
    ],
)
def test_other_networks_are_refused(
    name: str, tensor: Tensor | None, complaint: str, tmp_path: Path
) -> None:
    state = random_state(golden("dino")["layout 16"])
    if tensor is None:
        del state[name]
    else:
        state[name] = tensor
    with pytest.raises(ValueError, match=complaint):
        loaded("dino", tmp_path, state)


def test_missing_weights_say_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVZSL_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeightsError, match="avzsl fetch weights dino-vitb16"):
        Dino.from_dict({}).load(torch.device("cpu"))
    with pytest.raises(LookupError, match="dino-vitb16"):
        Dino.from_dict({"weights": "dino-vitb61"})


# --- pictures -----------------------------------------------------------------------------------


def real(encoder: Dino, clip: str, media: Path) -> Tensor:
    path = str(media / clip)
    return encoder.preprocess(
        read_frames(path, encoder.windows, decoder=DecoderChoice(name="pyav"))
    )


def levels(pictures_N3SS: Tensor) -> Tensor:
    """Normalised pictures as bytes."""
    std = torch.tensor(frontend.IMAGENET_STD)[:, None, None]
    mean = torch.tensor(frontend.IMAGENET_MEAN)[:, None, None]
    return 255 * (pictures_N3SS * std + mean)


@pytest.mark.parametrize("clip", CLIPS)
def test_preprocessing_is_the_references(clip: str, media: Path, tmp_path: Path) -> None:
    encoder = tiny(tmp_path)
    bytes_N3SS = real(encoder, clip, media)
    expected = levels(golden("dino-preprocess")[f"{clip} pictures"])
    # PIL and torch round alike but for one value in some hundreds, by one level.
    apart = (bytes_N3SS[::5, :, ::8, ::8] - expected).abs()
    assert apart.max() < 1.01 and (apart > 0.5).float().mean() < 0.01
    features = golden("dino-preprocess")[f"{clip} features"]
    assert difference(encoder.encode(bytes_N3SS), features) <= 5e-3


@pytest.mark.parametrize(
    ("name", "value"), [("SHORT_SIDE", 255), ("SHORT_SIDE", 224), ("antialias", False)]
)
def test_every_step_matters(
    name: str, value: Any, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "antialias":
        plain = frontend.resize
        monkeypatch.setattr(
            frontend, "resize", lambda *args, **kw: plain(*args, **kw | {name: value})
        )
    else:
        monkeypatch.setattr(f"avzsl.encoders.dino.{name}", value)
    clip = "vggsound/-1pRmoJIGQc_000010.mp4"
    bytes_N3SS = real(tiny(tmp_path), clip, media)[::5, :, ::8, ::8]
    assert difference(bytes_N3SS, levels(golden("dino-preprocess")[f"{clip} pictures"])) > 10


def test_pieces_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = tiny(tmp_path)
    frames = pictures(encoder, 5.1, size=(60, 40))
    whole = encoder.preprocess(frames)
    monkeypatch.setattr("avzsl.encoders.dino.PICTURES_AT_ONCE", 3)
    assert whole.shape == (8, 3, 224, 224) and whole.dtype == torch.uint8
    assert torch.equal(encoder.preprocess(frames), whole)


def test_each_window_has_its_own_frame(tmp_path: Path) -> None:
    encoder = tiny(tmp_path, frames_per_second=2.0)
    frames = pictures(encoder, 3.0, size=(256, 300), fps=1.0)  # each frame serves two windows
    windows = encoder.preprocess(frames)
    assert len(frames.rgb) == 3 and len(windows) == 6
    for number, window in enumerate(windows):
        expected = frames.rgb[number // 2][16:240, 38:262]  # 256 high already: only cropped
        assert np.array_equal(window.permute(1, 2, 0).numpy(), expected), number


@pytest.mark.parametrize(
    ("rate", "seconds", "count"),
    [
        (1.6, 10.0, 16),
        (1.6, 10.6, 16),
        (1.6, 10.625, 17),
        (1.6, 0.2, 1),
        (1.0, 7.9, 7),
        (30, 1, 30),
    ],
)
def test_windows(rate: float, seconds: float, count: int) -> None:
    spans = Dino.from_dict({"frames_per_second": rate}).windows.spans(seconds)
    assert spans.shape == (count, 2)
    assert np.allclose(np.diff(spans, axis=1), 1 / rate)


def test_half_precision_is_near(bytes_B3SS: Tensor, tmp_path: Path) -> None:
    full = tiny(tmp_path).encode(bytes_B3SS)
    half = tiny(tmp_path, precision="bfloat16").encode(bytes_B3SS)
    assert half.dtype == torch.float32
    assert 1e-4 < difference(half, full) < 0.1
