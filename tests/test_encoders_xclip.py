"""X-CLIP's two halves: parity with the authors' code and with transformers; sampling; pictures."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clip_golden import CLIPS, NAMES, STEP, difference, golden, mutants, original, read_pictures
from encoder_clips import encode_one, pictures
from random_states import random_bytes, random_state
from tiny.clip_xclip import FRAMES, write
from torch import Tensor
from torch.nn.functional import normalize

from avzsl.encoders import encoders
from avzsl.encoders.frontends.pictures import CLIP_MEAN, CLIP_STD, IMAGENET_STD
from avzsl.encoders.xclip_video import MiddleFrames

CPU = torch.device("cpu")
TOLERANCE = 1e-6
HALVES = {
    "xclip-video": ("visual.", "mit."),
    "xclip-text": ("token_", "positional_", "transformer.", "ln_final.", "text_projection"),
}
"""Names in the authors' layout of the tensors that each half has."""


def features(encoder: Any) -> Tensor:
    """Of the bytes and of the names of the golden files."""
    if encoder.modality == "text":
        return torch.from_numpy(encoder.encode(NAMES))
    with torch.inference_mode():
        return encoder.encode(torch.from_numpy(random_bytes(3, 4, 3, 32, 32, seed=1)))


def expected(kind: str) -> Tensor:
    return normalize(golden(kind)["embeddings"])


def load(kind: str, weights: Path, **options: Any) -> Any:
    encoder = encoders.get(kind).from_dict({"weights": str(weights), **options})
    encoder.load(CPU)
    return encoder


# --- parity ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", HALVES)
def test_network_equals_the_authors(kind: str, tmp_path: Path) -> None:
    encoder = original(kind, tmp_path, random_state(golden(kind)["layout"]))
    assert difference(features(encoder), expected(kind)) <= TOLERANCE
    assert torch.allclose(features(encoder).norm(dim=1), torch.ones(()), atol=1e-6)


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


@pytest.mark.parametrize("kind", HALVES)
def test_bfloat16_is_near(kind: str, tmp_path: Path) -> None:
    state = random_state(golden(kind)["layout"])
    near = features(original(kind, tmp_path, state, precision="bfloat16"))
    assert near.dtype == torch.float32 and not torch.equal(near, expected(kind))
    assert torch.cosine_similarity(near, expected(kind)).min() > 0.999


def test_mean_deviation_and_order_show(tmp_path: Path) -> None:
    encoder = original("xclip-video", tmp_path, random_state(golden("xclip-video")["layout"]))
    usual = encoder.recipe
    for change in ({"mean": CLIP_MEAN}, {"std": CLIP_STD}):
        encoder.recipe = replace(usual, **change)
        assert difference(features(encoder), expected("xclip-video")) > 20 * TOLERANCE
    encoder.recipe = usual
    windows = torch.from_numpy(random_bytes(3, 4, 3, 32, 32, seed=1))
    with torch.inference_mode():
        backwards = encoder.encode(windows.flip(1))
    assert difference(backwards, expected("xclip-video")) > 20 * TOLERANCE


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network of the golden files as transformers writes it, with a prompt generator."""
    from transformers import XCLIPConfig, XCLIPModel

    parts = {}
    for kind in HALVES:
        folder = tmp_path_factory.mktemp(kind)
        parts[kind] = original(kind, folder, random_state(golden(kind)["layout"]))
    sizes = parts["xclip-text"].sizes | parts["xclip-video"].sizes
    sizes["text_config"] = sizes["text_config"] | {"bos_token_id": 0}
    model = XCLIPModel(XCLIPConfig(**sizes, prompt_num_attention_heads=2))
    state = {k: v for part in parts.values() for k, v in part.network.state_dict().items()}
    rest = {k: v for k, v in model.state_dict().items() if k not in state}
    assert all(name.startswith(("prompts_", "logit_scale")) for name in rest)
    model.load_state_dict(rest | state, strict=True)
    model.save_pretrained(folder)
    (folder / "original.pth").unlink()
    return folder


@pytest.mark.parametrize("kind", HALVES)
def test_layout_of_the_hub_gives_the_same(kind: str, hub: Path) -> None:
    assert {file.name for file in hub.iterdir()} >= {"config.json", "model.safetensors"}
    assert difference(features(load(kind, hub)), expected(kind)) <= TOLERANCE


def test_features_equal_those_of_the_library(hub: Path) -> None:
    from transformers import XCLIPModel

    video, text = load("xclip-video", hub), load("xclip-text", hub)
    model = XCLIPModel.from_pretrained(hub).eval()
    windows = torch.from_numpy(random_bytes(3, 4, 3, 32, 32, seed=1))
    with torch.inference_mode():
        seen = model.get_video_features(video.recipe.normalised(windows)).pooler_output
        told = model.get_text_features(torch.from_numpy(text.tokens(NAMES))).pooler_output
    assert difference(features(video), normalize(seen)) <= TOLERANCE
    assert difference(features(text), normalize(told)) <= TOLERANCE


# --- which frames ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [25.0, 30000 / 1001, 12.5])
@pytest.mark.parametrize("frames", [8, 32])
def test_sampling_equals_the_authors(frames: int, fps: float) -> None:
    made = golden("xclip-video")
    windows = MiddleFrames(count=1, frames=frames, short="pad")
    for length, expected_T in zip(made["lengths"].tolist(), made[f"frames {frames}"], strict=True):
        plan = windows.plan(np.arange(length) / fps, length / fps)
        assert plan.indices[plan.rows[0]].tolist() == expected_T.tolist(), length


def test_sampling_of_the_base_class_would_differ() -> None:
    """Where a frame begins in the middle of a part, the two rules take different ones."""
    pts = np.arange(240) / 25
    mine = MiddleFrames(count=1, frames=8, short="pad")
    base = super(MiddleFrames, mine).choose(pts, np.array([[0.0, 9.6]]), 9.6)
    assert base[0].tolist() == [14, 44, 74, 104, 134, 164, 194, 224]
    assert mine.choose(pts, np.array([[0.0, 9.6]]), 9.6)[0].tolist() == (base[0] + 1).tolist()


@pytest.mark.parametrize("seconds", [0.2, 1.0, 9.97, 61.3])
@pytest.mark.parametrize("parts", [1, 4])
def test_a_clip_is_cut_into_equal_parts(tmp_path: Path, parts: int, seconds: float) -> None:
    options = write(tmp_path)["xclip-video"] | {"parts": parts}
    encoder = encoders.get("xclip-video").from_dict(options)
    windows = encoder.windows
    assert pickle.loads(pickle.dumps(windows)) == windows
    pts = np.arange(round(seconds * 25)) / 25
    plan = windows.plan(pts, seconds)
    assert plan.rows.shape == (parts, FRAMES)
    edges = np.linspace(0, seconds, parts + 1)
    assert np.allclose(plan.spans, np.stack([edges[:-1], edges[1:]], axis=1))
    shown = pts[plan.indices[plan.rows]]
    assert (shown >= plan.spans[:, :1] - 0.04).all() and (shown <= plan.spans[:, 1:]).all()


def test_a_segment_has_its_own_frames() -> None:
    windows = MiddleFrames(count=2, frames=2, short="pad")
    plan = windows.plan(np.arange(100) / 10, 10.0, 4.0, 8.0)
    assert plan.indices[plan.rows].tolist() == [[45, 55], [65, 75]]


def test_number_of_frames_is_the_checkpoints(tmp_path: Path) -> None:
    encoder = original("xclip-video", tmp_path, random_state(golden("xclip-video")["layout"]))
    assert encoder.windows.frames == 4
    sources = encoders.get("xclip-video").sources
    told = [encoders.get("xclip-video").from_dict({"weights": f"random:{s}"}) for s in sources]
    assert [encoder.windows.frames for encoder in told] == [8, 8, 8, 32]


def test_parts_make_a_sequence(tmp_path: Path) -> None:
    options = write(tmp_path)["xclip-video"]
    folder = Path(options["weights"])
    whole, parts = load("xclip-video", folder), load("xclip-video", folder, parts=4)
    assert encode_one(whole).shape == (1, 32) and encode_one(parts).shape == (4, 32)
    assert difference(encode_one(parts)[:1], encode_one(parts)[1:2]) > 1e-3


# --- pictures -------------------------------------------------------------------------------------


def preprocessed(clip: Path, resize: str, **changes: Any) -> Tensor:
    encoder = encoders.get("xclip-video").from_dict({"weights": "random", "resize": resize})
    encoder.device = CPU
    encoder.recipe = replace(encoder.recipe, **changes)
    windows = encoder.preprocess(read_pictures(clip, encoder.windows))
    return encoder.recipe.normalised(windows[0, ::2])[..., ::STEP, ::STEP]


def nearly_equal(left: Tensor, right: Tensor, resize: str) -> bool:
    """Whether normalised pictures agree.

    With the processor of the hub up to the rounding of floats, as it resizes by the same routine.
    With the authors' pipeline to one level in 255, and in six values of seven wholly: there OpenCV
    resizes, with weights of 11 bits.
    """
    assert left.shape == right.shape, (left.shape, right.shape)
    if resize == "hub":
        return difference(left, right) <= 2 * TOLERANCE
    levels = (left - right).abs() * torch.tensor(IMAGENET_STD)[:, None, None] * 255
    return bool(levels.max() < 1.01 and (levels > 0.5).float().mean() < 1 / 7)


@pytest.mark.parametrize("resize", ["hub", "videox"])
def test_pictures_equal_those_of_both_references(media: Path, resize: str) -> None:
    made = golden("xclip-video-preprocess")
    for clip in CLIPS:
        assert nearly_equal(preprocessed(media / clip, resize), made[f"{resize} {clip}"], resize)


@pytest.mark.parametrize("resize", ["hub", "videox"])
@pytest.mark.parametrize("change", ["mode", "short", "mean", "std", "antialias"])
def test_changes_of_the_recipe_show(media: Path, resize: str, change: str) -> None:
    other = {"mode": "bicubic", "short": 240, "mean": CLIP_MEAN, "std": CLIP_STD}
    other["antialias"] = resize == "videox"
    made = golden("xclip-video-preprocess")[f"{resize} {CLIPS[0]}"]
    wrong = preprocessed(media / CLIPS[0], resize, **{change: other[change]})
    assert not nearly_equal(wrong, made, resize)


@pytest.mark.parametrize(("resize", "side"), [("hub", 224), ("videox", 256)])
@pytest.mark.parametrize("width", [298, 299, 300])
def test_crop_is_in_the_middle(resize: str, side: int, width: int) -> None:
    """An odd margin leaves its larger half on the right."""
    rgb = np.zeros((1, side, width, 3), np.uint8)
    rgb[..., 0] = np.arange(width) % 256
    encoder = encoders.get("xclip-video").from_dict({"weights": "random", "resize": resize})
    cropped = encoder.recipe.bytes_of(rgb, CPU)
    assert cropped.shape == (1, 3, 224, 224)
    assert cropped[0, 0, 0, 0] == (width - 224) // 2


def test_several_windows_share_frames(tmp_path: Path) -> None:
    encoder = load("xclip-video", Path(write(tmp_path)["xclip-video"]["weights"]), parts=4)
    frames = pictures(encoder, 0.5)
    windows = encoder.preprocess(frames)
    assert len(frames.rgb) == 6 and windows.shape == (4, FRAMES, 3, 32, 32)
    assert torch.equal(windows[0, 0], windows[0, 1]) and windows.dtype == torch.uint8
