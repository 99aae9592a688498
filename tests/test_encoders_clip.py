"""CLIP's two halves: parity with OpenAI's code and with transformers, layouts, strict loading."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clip_golden import (
    CLIPS,
    FRAMES_PER_SECOND,
    NAMES,
    STEP,
    difference,
    golden,
    mutants,
    original,
    read_pictures,
)
from encoder_clips import pictures
from random_states import random_bytes, random_state
from tiny.clip_xclip import CLIP_PICTURES, merges, vocabulary, write
from torch import Tensor

from avzsl.encoders import encoders
from avzsl.encoders.frontends.pictures import CLIP_STD, IMAGENET_MEAN, IMAGENET_STD
from avzsl.encoders.frontends.recipes import Recipe, read_recipe

CPU = torch.device("cpu")
TOLERANCE = 1e-6
HALVES = {
    "clip-frames": ("visual.",),
    "clip-text": ("token_", "positional_", "transformer.", "ln_final.", "text_projection"),
}
"""Names in the authors' layout of the tensors that each half has."""


def features(encoder: Any) -> Tensor:
    """Of the bytes and of the names of the golden files."""
    if encoder.modality == "text":
        return torch.from_numpy(encoder.encode(NAMES))
    with torch.inference_mode():
        return encoder.encode(torch.from_numpy(random_bytes(4, 3, 32, 32, seed=1)))


def expected(kind: str) -> Tensor:
    made = golden(kind)["embeddings"]
    return torch.nn.functional.normalize(made) if kind == "clip-frames" else made


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network of the golden files as transformers writes it."""
    from transformers import CLIPConfig, CLIPModel

    parts = {}
    for kind in HALVES:
        folder = tmp_path_factory.mktemp(kind)
        parts[kind] = original(kind, folder, random_state(golden(kind)["layout"]))
    sizes = parts["clip-text"].sizes | parts["clip-frames"].sizes
    # As in the published file, whose end token has another id in its vocabulary.
    sizes["text_config"] = sizes["text_config"] | {
        "eos_token_id": 2,
        "bos_token_id": 0,
        "projection_dim": sizes["projection_dim"],
    }
    model = CLIPModel(CLIPConfig(**sizes))
    state = {k: v for part in parts.values() for k, v in part.network.state_dict().items()}
    model.load_state_dict(state | {"logit_scale": torch.tensor(1.0)}, strict=True)
    model.save_pretrained(folder)
    (folder / "original.pth").unlink()
    return folder


def load(kind: str, weights: Path, **options: Any) -> Any:
    encoder = encoders.get(kind).from_dict({"weights": str(weights), **options})
    encoder.load(CPU)
    return encoder


# --- parity ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", HALVES)
def test_network_equals_the_authors(kind: str, tmp_path: Path) -> None:
    encoder = original(kind, tmp_path, random_state(golden(kind)["layout"]))
    assert difference(features(encoder), expected(kind)) <= TOLERANCE
    assert encoder.dim == features(encoder).shape[1] == 48


def test_tokens_equal_the_authors(tmp_path: Path) -> None:
    made = golden("clip-text")
    encoder = original("clip-text", tmp_path, random_state(made["layout"]))
    assert np.array_equal(encoder.tokens(NAMES), made["tokens"].numpy())


@pytest.mark.parametrize("kind", HALVES)
def test_every_tensor_counts(kind: str, tmp_path: Path) -> None:
    seen = 0
    for name, state in mutants(golden(kind)["layout"], HALVES[kind]):
        encoder = original(kind, tmp_path, state)
        assert difference(features(encoder), expected(kind)) > 20 * TOLERANCE, name
        seen += 1
    assert seen > 15


@pytest.mark.parametrize("kind", HALVES)
def test_small_changes_of_the_network_show(kind: str, tmp_path: Path) -> None:
    encoder = original(kind, tmp_path, random_state(golden(kind)["layout"]))
    for module in encoder.network.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-6
    assert difference(features(encoder), expected(kind)) > 10 * TOLERANCE


def test_mean_and_deviation_show(tmp_path: Path) -> None:
    encoder = original("clip-frames", tmp_path, random_state(golden("clip-frames")["layout"]))
    for change in ({"mean": IMAGENET_MEAN}, {"std": IMAGENET_STD}):
        encoder.recipe = replace(encoder.recipe, **change)
        assert difference(features(encoder), expected("clip-frames")) > 20 * TOLERANCE


@pytest.mark.parametrize("kind", HALVES)
def test_layout_of_the_hub_gives_the_same(kind: str, hub: Path) -> None:
    assert {file.name for file in hub.iterdir()} >= {"config.json", "model.safetensors"}
    assert difference(features(load(kind, hub)), expected(kind)) <= TOLERANCE


def test_texts_equal_those_of_the_library(hub: Path) -> None:
    """KDA uses this class of transformers, with this tokenizer."""
    from transformers import CLIPTextModelWithProjection, CLIPTokenizer

    encoder = load("clip-text", hub, prompt="a video of {}")
    tokenizer = CLIPTokenizer(vocab=vocabulary(), merges=merges())
    network = CLIPTextModelWithProjection.from_pretrained(hub).eval()
    texts = [f"a video of {name}" for name in NAMES[:-1]]
    with torch.inference_mode():
        told = network(**tokenizer(texts, padding=True, return_tensors="pt")).text_embeds
    assert difference(torch.from_numpy(encoder.encode(NAMES[:-1])), told) <= TOLERANCE


# --- preprocessing --------------------------------------------------------------------------------


def preprocessed(clip: Path, **changes: Any) -> Tensor:
    options = {"weights": "random", "frames_per_second": FRAMES_PER_SECOND}
    encoder = encoders.get("clip-frames").from_dict(options)
    encoder.device = CPU
    encoder.recipe = replace(encoder.recipe, **changes)
    windows = encoder.preprocess(read_pictures(clip, encoder.windows))
    return encoder.recipe.normalised(windows)[..., ::STEP, ::STEP]


def nearly_equal(left: Tensor, right: Tensor) -> bool:
    """Pillow resizes there, torch here: one level in 255 apart in less than 1 % of the values."""
    assert left.shape == right.shape, (left.shape, right.shape)
    levels = (left - right).abs() * torch.tensor(CLIP_STD)[:, None, None] * 255
    return bool(levels.max() < 1.01 and (levels > 0.5).float().mean() < 0.01)


def test_pictures_equal_the_authors(media: Path) -> None:
    made = golden("clip-frames-preprocess")
    for clip in CLIPS:
        assert nearly_equal(preprocessed(media / clip), made[clip]), clip


@pytest.mark.parametrize(
    "change", [{"mode": "bilinear"}, {"antialias": False}, {"short": 256}, {"mean": IMAGENET_MEAN}]
)
def test_changes_of_the_recipe_show(media: Path, change: dict[str, Any]) -> None:
    made = golden("clip-frames-preprocess")[CLIPS[0]]
    assert not nearly_equal(preprocessed(media / CLIPS[0], **change), made)


@pytest.mark.parametrize(
    ("height", "width", "left"), [(224, 298, 37), (224, 299, 38), (224, 297, 36)]
)
def test_crop_is_in_the_middle(height: int, width: int, left: int) -> None:
    """As torchvision has it: of an odd margin, the half pixel goes to the even side."""
    rgb = np.zeros((1, height, width, 3), np.uint8)
    rgb[..., 0] = np.arange(width) % 256
    encoder = encoders.get("clip-frames").from_dict({"weights": "random"})
    cropped = encoder.recipe.bytes_of(rgb, CPU)
    assert cropped.shape == (1, 3, 224, 224) and cropped[0, 0, 0, 0] == left


def test_recipe_is_read_in_both_forms(tmp_path: Path) -> None:
    usual = Recipe(short=9, side=9, mode="bilinear", mean=(0.0,), std=(1.0,))
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps(CLIP_PICTURES))
    forms = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    new.write_text(json.dumps(CLIP_PICTURES | forms | {"rescale_factor": 0.00392156862745098}))
    recipe = read_recipe(old, usual)
    assert recipe == read_recipe(new, usual)
    assert (recipe.short, recipe.side, recipe.mode) == (32, 32, "bicubic")
    assert recipe.mean == tuple(CLIP_PICTURES["image_mean"])


@pytest.mark.parametrize(
    "change",
    [
        {"do_center_crop": False},
        {"do_normalize": False},
        {"resample": 1},
        {"rescale_factor": 1.0},
        {"size": {"height": 32, "width": 48}},
        {"crop_size": 64},
    ],
)
def test_unknown_recipes_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    write(tmp_path)
    path = tmp_path / "clip" / "preprocessor_config.json"
    path.write_text(json.dumps(CLIP_PICTURES | change))
    encoder = load("clip-frames", tmp_path / "clip")
    with pytest.raises(ValueError, match="expected a resize of the shorter side"):
        encoder.preprocess(pictures(encoder, 2.0))


# --- windows and options --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "rate", "count"), [(10.0, 1.6, 16), (9.99, 1.6, 15), (0.3, 1.6, 1), (7.3, 3.0, 21)]
)
def test_one_frame_in_the_middle_of_each_step(
    tmp_path: Path, seconds: float, rate: float, count: int
) -> None:
    encoder = encoders.get("clip-frames").from_dict(
        {**write(tmp_path)["clip-frames"], "frames_per_second": rate}
    )
    pts = np.arange(round(seconds * 100)) / 100
    plan = encoder.windows.plan(pts, seconds)
    assert plan.rows.shape == (count, 1)
    middles = np.minimum((np.arange(count) + 0.5) / rate, pts[-1])
    assert np.abs(pts[plan.indices[plan.rows[:, 0]]] - middles).max() <= 0.0101


def test_unit_length_is_an_option(tmp_path: Path) -> None:
    told = write(tmp_path)["clip-frames"]
    folder = Path(told["weights"])
    unit, raw = load("clip-frames", folder), load("clip-frames", folder, normalise=False)
    windows = unit.preprocess(pictures(unit, 4.0))
    with torch.inference_mode():
        lengths = raw.encode(windows).norm(dim=1, keepdim=True)
        assert torch.allclose(raw.encode(windows) / lengths, unit.encode(windows), atol=1e-6)
    assert (lengths - 1).abs().min() > 0.01


def test_prompt_holds_the_words_of_the_name(tmp_path: Path) -> None:
    folder = Path(write(tmp_path)["clip-text"]["weights"])
    plain, prompted = load("clip-text", folder), load("clip-text", folder, prompt="a video of {}")
    same = prompted.encode(["DogBarking"]), plain.encode(["a video of dog barking"])
    assert np.array_equal(*same)
    with pytest.raises(ValueError, match=r"A prompt holds '\{\}' once"):
        load("clip-text", folder, prompt="a video")


def test_bfloat16_is_near(tmp_path: Path) -> None:
    for kind, told in write(tmp_path).items():
        if kind in HALVES:
            folder = Path(told["weights"])
            exact, near = load(kind, folder), load(kind, folder, precision="bfloat16")
            both = torch.stack([features(exact), features(near)])
            assert both.dtype == torch.float32
            assert torch.cosine_similarity(*both).min() > 0.999 and not torch.equal(*both)
