"""CLIP and X-CLIP with two blocks of width 32, as the folders that Hugging Face publishes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from random_states import random_state

from avzsl.encoders.clip_tokens import BEGIN, END, byte_symbols

WORDS = ("playing", "the", "drum", "dog", "barking", "violin", "of", "a", "video", "people", "sing")
WIDTH, PATCH, SIDE, FRAMES = 32, 16, 32, 8

CLIP_PICTURES = {
    "crop_size": SIDE,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": SIDE,
}
XCLIP_PICTURES = CLIP_PICTURES | {
    "feature_extractor_type": "VideoMAEFeatureExtractor",
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "resample": 2,
}
"""``preprocessor_config.json`` in its old form, which the published folders have."""


def write(folder: Path) -> dict[str, dict[str, Any]]:
    clip, xclip = folder / "clip", folder / "xclip"
    for place, model_type, pictures in (
        (clip, "clip", CLIP_PICTURES),
        (xclip, "xclip", XCLIP_PICTURES),
    ):
        place.mkdir()
        write_vocabulary(place)
        (place / "config.json").write_text(json.dumps(config(model_type)))
        (place / "preprocessor_config.json").write_text(json.dumps(pictures))
        torch.save(random_state(layout(model_type)), place / "pytorch_model.bin")
    return {
        # Steps of a second: the made-up clips of the tests have 12.5 frames a second.
        "clip-frames": {"weights": str(clip), "frames_per_second": 1.0},
        "clip-text": {"weights": str(clip)},
        "xclip-video": {"weights": str(xclip)},
        "xclip-text": {"weights": str(xclip)},
    }


def merges() -> list[tuple[str, str]]:
    """Merges that make each word one token, from left to right."""
    made: dict[tuple[str, str], None] = {}
    for word in WORDS:
        letters = [*word[:-1], f"{word[-1]}</w>"]
        for end in range(1, len(letters)):
            made["".join(letters[:end]), letters[end]] = None
    return list(made)


def vocabulary() -> dict[str, int]:
    symbols = byte_symbols()
    names = [*symbols, *(f"{symbol}</w>" for symbol in symbols)]
    names += ["".join(pair) for pair in merges()]
    return {name: number for number, name in enumerate([*names, BEGIN, END])}


def write_vocabulary(folder: Path) -> None:
    (folder / "vocab.json").write_text(json.dumps(vocabulary()), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges())]
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")


def config(model_type: str) -> dict[str, Any]:
    tower = {
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    vision = tower | {"image_size": SIDE, "patch_size": PATCH}
    if model_type == "xclip":
        vision |= {f"mit_{name}": value for name, value in tower.items()}
        vision |= {"mit_num_hidden_layers": 1, "num_frames": FRAMES}
    return {
        "model_type": model_type,
        "projection_dim": WIDTH,
        "text_config": tower | {"vocab_size": len(vocabulary()), "eos_token_id": 2},
        "vision_config": vision,
        "prompt_num_attention_heads": 2,
    }


def layout(model_type: str) -> dict[str, list]:
    """Return the published tensors of a whole small model, name -> [shape..., dtype]."""
    is_xclip = model_type == "xclip"
    first_norm = "vision_model.pre_layernorm" if is_xclip else "vision_model.pre_layrnorm"
    shapes: dict[str, list[int]] = {
        "logit_scale": [],
        "text_projection.weight": [WIDTH, WIDTH],
        "visual_projection.weight": [WIDTH, WIDTH],
        "text_model.embeddings.token_embedding.weight": [len(vocabulary()), WIDTH],
        "text_model.embeddings.position_embedding.weight": [77, WIDTH],
        "vision_model.embeddings.class_embedding": [WIDTH],
        "vision_model.embeddings.patch_embedding.weight": [WIDTH, 3, PATCH, PATCH],
        "vision_model.embeddings.position_embedding.weight": [1 + (SIDE // PATCH) ** 2, WIDTH],
    }
    for name in ("text_model.final_layer_norm", first_norm, "vision_model.post_layernorm"):
        shapes |= _affine(name, [WIDTH])
    for depth in range(2):
        shapes |= _block(f"text_model.encoder.layers.{depth}")
        shapes |= _block(f"vision_model.encoder.layers.{depth}", messages=is_xclip)
    if is_xclip:
        shapes |= {"mit.position_embedding": [1, FRAMES, WIDTH]}
        shapes |= _block("mit.encoder.layers.0")
        shapes |= {"prompts_visual_projection": [WIDTH, WIDTH], "prompts_generator.alpha": [WIDTH]}
        shapes |= _affine("prompts_visual_layernorm", [WIDTH])
    made = {name: [*shape, "torch.float32"] for name, shape in shapes.items()}
    places = {"text_model": 77, "vision_model": 1 + (SIDE // PATCH) ** 2}
    counts = {
        f"{name}.embeddings.position_ids": [1, n, "torch.int64"] for name, n in places.items()
    }
    return made | counts


def _affine(name: str, shape: list[int]) -> dict[str, list[int]]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _block(name: str, *, messages: bool = False) -> dict[str, list[int]]:
    made = {}
    for attention in ("self_attn", *(("message_attn",) if messages else ())):
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            made |= _affine(f"{name}.{attention}.{part}", [WIDTH, WIDTH])
    for norm in ("layer_norm1", "layer_norm2", *(("message_ln",) if messages else ())):
        made |= _affine(f"{name}.{norm}", [WIDTH])
    if messages:
        made |= _affine(f"{name}.message_fc", [WIDTH, WIDTH])
    made |= _affine(f"{name}.mlp.fc1", [2 * WIDTH, WIDTH])
    return made | _affine(f"{name}.mlp.fc2", [WIDTH, 2 * WIDTH])
