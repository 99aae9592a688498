"""The two halves of LAION-CLAP as transformers builds them, from either layout of a checkpoint.

The *original* layout (``630k-audioset-best.pt``) names its tensors ``audio_branch.*`` and
``text_branch.*``, with one matrix for query, key and value in the audio half; the sizes of the
networks are read off the tensors. The *hub* layout (a folder with ``config.json``) has the names of
transformers. Each half is loaded without the other.

A checkpoint with feature fusion works, too: for sounds of at most 10 s, fusion is not used (the
tensors that it needs are left out), only the mel scale differs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from avzsl.sources.checkpoint import Checkpoint

if TYPE_CHECKING:
    import torch

    from avzsl.encoders.frontends.clap import LogMel

Half = Literal["audio", "text"]

WEIGHTS = "model*.safetensors|pytorch_model*.bin|*.safetensors|*.pt|*.pth|*.bin"
CONFIG = "?config.json"
PREPROCESSOR = "?preprocessor_config.json"
TOKENIZER = "tokenizer.json"

AUDIO: dict[str, Any] = {
    "num_mel_bins": 64,
    "spec_size": 256,
    "patch_size": 4,
    "patch_stride": [4, 4],
    "patch_embeds_hidden_size": 96,
    "hidden_size": 768,
    "depths": [2, 2, 6, 2],
    "num_attention_heads": [4, 8, 16, 32],
    "window_size": 8,
    "mlp_ratio": 4.0,
    "qkv_bias": True,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "enable_patch_layer_norm": True,
    "projection_dim": 512,
    "projection_hidden_act": "relu",
}
"""HTSAT-tiny (Chen et al., ICASSP 2022), as of both published checkpoints; also what a
``config.json`` means where it is silent."""

TEXT: dict[str, Any] = {
    "vocab_size": 50265,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
    "projection_dim": 512,
    "projection_hidden_act": "relu",
}
"""RoBERTa-base (Liu et al., 2019); also what a ``config.json`` means where it is silent."""

FIXED = ("layer_norm_eps",)
"""Entries that are not read. The hub's configuration has 1e-12 for the text half; RoBERTa was made
and trained with 1e-5, and so both layouts give the same features here."""
HEAD = 64
"""Width of an attention head in every RoBERTa; no tensor's shape tells it."""

_QKV = (".attn.qkv.weight", ".attn.qkv.bias")
_LAION_RULES = (
    (r"^audio_branch\.bn0\.", "audio_branch.batch_norm."),
    (r"^audio_branch\.", "audio_model.audio_encoder."),
    (r"^text_branch\.", "text_model."),
    (r"(blocks\.\d+)\.norm1\.", r"\1.layernorm_before."),
    (r"(blocks\.\d+)\.norm2\.", r"\1.layernorm_after."),
    (r"(blocks\.\d+)\.attn\.proj\.", r"\1.attention.output.dense."),
    (r"(blocks\.\d+)\.attn\.", r"\1.attention.self."),
    (r"(blocks\.\d+)\.mlp\.fc1\.", r"\1.intermediate.dense."),
    (r"(blocks\.\d+)\.mlp\.fc2\.", r"\1.output.dense."),
    (r"^(audio|text)_projection\.0\.", r"\1_projection.linear1."),
    (r"^(audio|text)_projection\.2\.", r"\1_projection.linear2."),
)
"""From the original names to transformers'."""

_DROPPED = (
    r"logit_scale_[at]",
    r"(?:audio|text)_transform\..+",
    r"audio_model\.audio_encoder\.(?:spectrogram|logmel)_extractor\..+",
    r"audio_model\.audio_encoder\.(?:tscam_conv|head)\..+",
    r"audio_model\.audio_encoder\.patch_embed\.(?:fusion_model|mel_conv2d)\..+",
    r".+\.blocks\.\d+\.attn_mask",
    r".+\.relative_position_index",
    r"text_model\.embeddings\.(?:position_ids|token_type_ids)",
)
"""What no feature needs: temperatures, the layers behind the shared space, transforms that are done
elsewhere, the AudioSet head, fusion; and constants, which are made anew."""


def read(checkpoint: Checkpoint, *, shapes_only: bool = False) -> dict[str, torch.Tensor]:
    """Return all tensors of a checkpoint under transformers' names.

    Raises:
        ValueError: If the files are no checkpoint of CLAP.
    """
    from avzsl.encoders.states import read_tensors, renamed

    files = checkpoint.files[WEIGHTS]
    if len(files) > 1 and not all("-of-" in file.name for file in files):
        raise ValueError(
            f"{checkpoint.label} holds several checkpoints ({', '.join(f.name for f in files)}); "
            "give the path of one of them as 'weights'."
        )
    tensors = read_tensors(files, wrapped_in=("state_dict",), shapes_only=shapes_only)
    tensors = renamed(tensors, [(r"^module\.", "")])
    if any(name.startswith("audio_branch.") for name in tensors):
        tensors = renamed(_split_qkv(tensors), _LAION_RULES)
    for half in ("audio", "text"):
        if f"{half}_projection.linear1.weight" not in tensors:
            raise ValueError(
                f"{checkpoint.label} is no checkpoint of LAION-CLAP: expected tensors named "
                f"{half}_projection.linear1.weight (hub) or {half}_projection.0.weight (original)."
            )
    return tensors


def state_of(checkpoint: Checkpoint, half: Half, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors of one half, constants included, under the names of its network."""
    from avzsl.encoders.states import renamed

    other = "text" if half == "audio" else "audio"
    dropped = (*_DROPPED, rf"{other}_(?:model|projection)\..+")
    state = renamed(read(checkpoint), dropped=dropped)
    return state | (_audio_constants(sizes) if half == "audio" else _text_constants(sizes))


def read_sizes(checkpoint: Checkpoint, half: Half) -> dict[str, Any]:
    """Return the configuration of one half: of ``config.json``, or by the shapes of the tensors.

    Raises:
        ValueError: If the checkpoint is another model's, or has the hub's layout and no
            ``config.json``.
    """
    if is_original(checkpoint):
        shapes = {name: tuple(t.shape) for name, t in read(checkpoint, shapes_only=True).items()}
        try:
            return _audio_by_shapes(shapes) if half == "audio" else _text_by_shapes(shapes)
        except KeyError as error:
            raise ValueError(
                f"{checkpoint.label}: there is no tensor for {error}; is it another model's?"
            ) from None
    if CONFIG not in checkpoint.files:
        raise ValueError(f"{checkpoint.label} needs its config.json in the same folder.")
    config = _json(checkpoint.file(CONFIG))
    if config.get("model_type") != "clap":
        raise ValueError(
            f"{checkpoint.label}: expected a config.json with model_type 'clap', "
            f"got {config.get('model_type')!r}."
        )
    known = AUDIO if half == "audio" else TEXT
    both = {name: value for name, value in config.items() if name.startswith("projection_")}
    own = (config.get(f"{half}_config") or {}) | both
    return known | {name: own[name] for name in known if name in own and name not in FIXED}


def is_original(checkpoint: Checkpoint) -> bool:
    """Return whether a checkpoint has the original layout."""
    from avzsl.encoders.states import read_tensors

    names = read_tensors(checkpoint.files[WEIGHTS], wrapped_in=("state_dict",), shapes_only=True)
    return any(name.removeprefix("module.").startswith("audio_branch.") for name in names)


def recipe_of(checkpoint: Checkpoint) -> LogMel:
    """Return how the audio half wants its sound.

    Raises:
        ValueError: If ``preprocessor_config.json`` asks for something that is not known here.
    """
    from avzsl.encoders.frontends.clap import LogMel

    if PREPROCESSOR in checkpoint.files and not is_original(checkpoint):
        return LogMel.from_config(_json(checkpoint.file(PREPROCESSOR)))
    fused = any(".mel_conv2d." in name for name in read(checkpoint, shapes_only=True))
    return LogMel(scale="htk" if fused else "slaney")


def build(half: Half, sizes: Mapping[str, Any]) -> torch.nn.Module:
    """Return the network of one half with its projection into the shared space."""
    from transformers import (
        ClapAudioConfig,
        ClapAudioModelWithProjection,
        ClapTextConfig,
        ClapTextModelWithProjection,
    )

    if half == "audio":
        audio: torch.nn.Module = ClapAudioModelWithProjection(ClapAudioConfig(**sizes))
        return audio
    text: torch.nn.Module = ClapTextModelWithProjection(ClapTextConfig(**sizes))
    return text


def _split_qkv(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors with query, key and value apart."""
    split: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if not name.endswith(_QKV):
            split[name] = tensor
            continue
        for part, piece in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
            split[name.replace(".attn.qkv.", f".attn.{part}.")] = piece
    return split


def _audio_by_shapes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    from avzsl.encoders.states import depth_of

    stem = "audio_model.audio_encoder."
    width, _, patch, _ = shapes[f"{stem}patch_embed.proj.weight"]
    stages = depth_of(shapes, rf"{stem}layers\.(\d+)\.")
    blocks = [f"{stem}layers.{stage}.blocks." for stage in range(stages)]
    tables = [shapes[f"{b}0.attention.self.relative_position_bias_table"] for b in blocks]
    hidden, first = shapes[f"{blocks[0]}0.intermediate.dense.weight"]
    return AUDIO | {
        "num_mel_bins": shapes[f"{stem}batch_norm.weight"][0],
        "patch_size": patch,
        "patch_stride": [patch, patch],
        "patch_embeds_hidden_size": width,
        "hidden_size": width * 2 ** (stages - 1),
        "depths": [depth_of(shapes, rf"{b}(\d+)\.") for b in blocks],
        "num_attention_heads": [heads for _, heads in tables],
        "window_size": (math.isqrt(tables[0][0]) + 1) // 2,
        "mlp_ratio": hidden / first,
        "projection_dim": shapes["audio_projection.linear1.weight"][0],
    }


def _text_by_shapes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    from avzsl.encoders.states import depth_of

    words, hidden = shapes["text_model.embeddings.word_embeddings.weight"]
    if hidden % HEAD:
        raise ValueError(f"Expected a RoBERTa with heads of {HEAD}, got a width of {hidden}.")
    return TEXT | {
        "vocab_size": words,
        "hidden_size": hidden,
        "num_hidden_layers": depth_of(shapes, r"text_model\.encoder\.layer\.(\d+)\."),
        "num_attention_heads": hidden // HEAD,
        "intermediate_size": shapes["text_model.encoder.layer.0.intermediate.dense.weight"][0],
        "max_position_embeddings": shapes["text_model.embeddings.position_embeddings.weight"][0],
        "type_vocab_size": shapes["text_model.embeddings.token_type_embeddings.weight"][0],
        "projection_dim": shapes["text_projection.linear1.weight"][0],
    }


def _audio_constants(sizes: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Return which entry of its table each pair of places in a window takes, for every block."""
    import torch

    side = sizes["window_size"]
    places = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    apart = places[:, None] - places[None] + side - 1
    index = apart[..., 0] * (2 * side - 1) + apart[..., 1]
    return {
        f"audio_model.audio_encoder.layers.{stage}.blocks.{block}"
        ".attention.self.relative_position_index": index.clone()
        for stage, depth in enumerate(sizes["depths"])
        for block in range(depth)
    }


def _text_constants(sizes: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Return the places 0, 1, ... and the one type of all tokens."""
    import torch

    places = torch.arange(sizes["max_position_embeddings"])[None]
    stem = "text_model.embeddings."
    return {f"{stem}position_ids": places, f"{stem}token_type_ids": torch.zeros_like(places)}


def _json(file: Path) -> dict[str, Any]:
    held: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return held
