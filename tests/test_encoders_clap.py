"""CLAP against its authors' code, in both layouts, and what happens with wrong files."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny.clap_llama import (
    golden,
    golden_mel,
    golden_sound,
    roberta_tokenizer,
    weights_of,
    write_clap,
)
from torch import Tensor

from avzsl.encoders import encoders
from avzsl.encoders.frontends.clap import LogMel
from avzsl.sources.checkpoint import MissingWeightsError
from avzsl.types import Waveform

SHIFTED = "audio_branch.layers.0.blocks.1."
EXACT = 1e-6
"""Observed: 3e-7 at most, the rounding of float32."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clap(tmp_path_factory.mktemp("clap"), golden("clap-audio")["layout"])


def load(kind: str, weights: Path, **options: Any) -> Any:
    encoder = encoders.get(kind).from_dict({"weights": str(weights), **options})
    encoder.load(torch.device("cpu"))
    return encoder


def changed(file: Path, folder: Path, **edits: Any) -> Path:
    """A copy of a checkpoint with other tensors; None leaves one out."""
    held = torch.load(file, weights_only=False)["state_dict"]
    for name, tensor in edits.items():
        if tensor is None:
            del held[f"module.{name}"]
        else:
            held[f"module.{name}"] = tensor
    torch.save({"state_dict": held}, folder / "clap.pt")
    (folder / "tokenizer.json").write_text(roberta_tokenizer(), encoding="utf-8")
    return folder / "clap.pt"


def nudged(file: Path, folder: Path, name: str) -> Path:
    """A copy in which one tensor is different by a few per cent."""
    tensor = torch.load(file, weights_only=False)["state_dict"][f"module.{name}"]
    return changed(
        file,
        folder,
        **{name: tensor + 0.05 * torch.linspace(-1, 1, tensor.numel()).view_as(tensor)},
    )


def from_sound(encoder: Any) -> np.ndarray:
    waveform = Waveform(samples=golden_sound(), sample_rate=48_000)
    windows = encoder.preprocess(waveform, encoder.windows.spans(waveform.duration_seconds))
    return encoder.encode(windows).numpy()


def apart(left: Any, right: Any) -> float:
    return float(np.abs(np.asarray(left) - np.asarray(right)).max())


# --- the authors' numbers ---------------------------------------------------------------------


def test_audio_is_the_authors(file: Path) -> None:
    held, encoder = golden("clap-audio"), load("clap-audio", file)
    assert apart(encoder.encode(golden_mel()), held["from_mel"]) <= EXACT
    assert apart(from_sound(encoder), held["from_sound"]) <= EXACT


@pytest.mark.parametrize(
    "name",
    [
        "audio_branch.bn0.running_mean",
        "audio_branch.bn0.running_var",
        "audio_branch.patch_embed.proj.weight",
        f"{SHIFTED}attn.qkv.weight",
        f"{SHIFTED}attn.relative_position_bias_table",
        f"{SHIFTED}norm1.weight",
        "audio_branch.layers.2.downsample.reduction.weight",
        "audio_projection.2.bias",
    ],
)
def test_audio_depends_on_every_weight(file: Path, tmp_path: Path, name: str) -> None:
    encoder = load("clap-audio", nudged(file, tmp_path, name))
    assert apart(encoder.encode(golden_mel()), golden("clap-audio")["from_mel"]) > 10 * EXACT


@pytest.mark.parametrize(
    "recipe",
    [LogMel(low_hz=0.0), LogMel(high_hz=13_900.0), LogMel(scale="htk"), LogMel(fft=1000)],
    ids=str,
)
def test_audio_depends_on_the_recipe(file: Path, recipe: LogMel) -> None:
    encoder = load("clap-audio", file)
    encoder.recipe = recipe
    assert apart(from_sound(encoder), golden("clap-audio")["from_sound"]) > 10 * EXACT


def test_text_is_the_authors(file: Path) -> None:
    held, encoder = golden("clap-text"), load("clap-text", file)
    assert apart(encoder.encode(held["json_names"]), held["bare"]) <= EXACT
    assert apart(encoder.encode([held["json_long"]]), held["long"]) <= EXACT
    prompted = load("clap-text", file, prompt=held["json_prompt"])
    assert apart(prompted.encode(held["json_names"]), held["prompted"]) <= EXACT


@pytest.mark.parametrize(
    "name",
    [
        "text_branch.embeddings.position_embeddings.weight",
        "text_branch.embeddings.token_type_embeddings.weight",
        "text_branch.encoder.layer.1.attention.self.query.weight",
        "text_branch.pooler.dense.weight",
        "text_projection.0.weight",
    ],
)
def test_text_depends_on_every_weight(file: Path, tmp_path: Path, name: str) -> None:
    held, encoder = golden("clap-text"), load("clap-text", nudged(file, tmp_path, name))
    assert apart(encoder.encode(held["json_names"]), held["bare"]) > 10 * EXACT


def test_text_depends_on_where_it_is_cut(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avzsl.encoders.clap_text.MAX_TOKENS", 76)
    held, encoder = golden("clap-text"), load("clap-text", file)
    assert apart(encoder.encode([held["json_long"]]), held["long"]) > 10 * EXACT


# --- layouts ----------------------------------------------------------------------------------


def hub_folder(folder: Path, *, heads: int = 4, eps: float = 1e-5, **audio: Any) -> Any:
    """A hub folder of transformers' own class; returns the model."""
    from transformers import ClapConfig, ClapModel

    sizes = {"patch_embeds_hidden_size": 8, "hidden_size": 64, "depths": [2, 2, 1, 1]}
    words = {"vocab_size": 309, "hidden_size": 128, "num_hidden_layers": 2, "intermediate_size": 64}
    words["max_position_embeddings"] = 80
    config = ClapConfig(
        audio_config=sizes | {"num_attention_heads": [1, 2, 2, 4]} | audio,
        text_config=words | {"num_attention_heads": heads, "layer_norm_eps": eps},
        projection_dim=16,
    )
    model = ClapModel(config).eval()
    weights = weights_of({k: [*v.shape, str(v.dtype)] for k, v in model.state_dict().items()})
    model.load_state_dict(model.state_dict() | weights)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    config.save_pretrained(folder)
    fusion = "fusion" if audio.get("enable_fusion") else "rand_trunc"
    recipe = {"frequency_min": 50, "truncation": fusion, "padding": "repeatpad", "top_db": None}
    (folder / "preprocessor_config.json").write_text(json.dumps(recipe))
    (folder / "tokenizer.json").write_text(roberta_tokenizer(), encoding="utf-8")
    return model


@torch.inference_mode()
def test_hub_layout(tmp_path: Path) -> None:
    model = hub_folder(tmp_path)
    ours = load("clap-audio", tmp_path).encode(golden_mel())
    theirs = model.get_audio_features(input_features=golden_mel()).pooler_output
    assert apart(ours, theirs) <= EXACT
    text = load("clap-text", tmp_path)
    ids = torch.tensor([[0, 257, 268, 2]])
    text._tokenise = lambda texts: ids.tolist()
    theirs = model.get_text_features(input_ids=ids).pooler_output
    assert apart(text.encode(["dog"]), theirs) <= EXACT
    assert text.sizes["num_attention_heads"] == 4


@torch.inference_mode()
def test_checkpoint_with_fusion(tmp_path: Path) -> None:
    model = hub_folder(tmp_path, enable_fusion=True, fusion_type="aff_2d")
    encoder = load("clap-audio", tmp_path)
    four = golden_mel().expand(-1, 4, -1, -1)
    longer = torch.zeros(3, 1, dtype=torch.bool)
    theirs = model.get_audio_features(input_features=four, is_longer=longer).pooler_output
    assert apart(encoder.encode(golden_mel()), theirs) <= EXACT
    assert encoder.recipe == LogMel(scale="htk")


def test_both_layouts_give_the_same_features(file: Path, tmp_path: Path) -> None:
    from avzsl.encoders.networks import clap

    hub_folder(tmp_path, heads=2, eps=1e-12)
    state: dict[str, Tensor] = {}
    for kind, half in (("clap-audio", "audio"), ("clap-text", "text")):
        encoder = load(kind, file)
        state |= clap.state_of(encoder.checkpoint, half, encoder.sizes)
    shapes = {name: [*tensor.shape, str(tensor.dtype)] for name, tensor in state.items()}
    hub = golden("clap-audio")["layout_hub"]
    assert shapes == {name: shape for name, shape in hub.items() if "logit_scale" not in name}

    torch.save(state, tmp_path / "pytorch_model.bin")
    audio, text, held = (
        load("clap-audio", tmp_path),
        load("clap-text", tmp_path),
        golden("clap-text"),
    )
    assert apart(audio.encode(golden_mel()), golden("clap-audio")["from_mel"]) <= EXACT
    assert apart(text.encode(held["json_names"]), held["bare"]) <= EXACT


def test_numbers_of_old_numpy_are_read(file: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(tmp_path / "old.pt", "w") as new:
        for item in old.infolist():
            data = old.read(item)
            if item.filename.endswith("data.pkl"):
                assert b"cnumpy._core.multiarray\nscalar\n" in data
                data = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            new.writestr(item.filename, data)
    encoder = load("clap-audio", tmp_path / "old.pt")
    assert apart(encoder.encode(golden_mel()), golden("clap-audio")["from_mel"]) <= EXACT


# --- wrong files ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ({"audio_branch.norm.weight": None}, "missing: audio_model.audio_encoder.norm.weight"),
        (
            {"audio_branch.more.weight": torch.zeros(2)},
            "unexpected: audio_model.audio_encoder.more",
        ),
        ({"audio_branch.bn0.bias": torch.zeros(3)}, "another shape: .*batch_norm.bias"),
        ({"audio_projection.0.weight": None}, "no checkpoint of LAION-CLAP"),
        ({"audio_branch.patch_embed.proj.weight": None}, "no tensor for .*patch_embed.proj.weight"),
    ],
)
def test_wrong_tensors_are_refused(
    file: Path, tmp_path: Path, edits: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        load("clap-audio", changed(file, tmp_path, **edits))


def test_missing_files_are_named(file: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.pt"
    alone.write_bytes(file.read_bytes())
    load("clap-audio", alone)
    with pytest.raises(MissingWeightsError, match=r"no tokenizer\.json beside it"):
        load("clap-text", alone)
    (tmp_path / "second.pt").write_bytes(file.read_bytes())
    with pytest.raises(ValueError, match="several checkpoints"):
        load("clap-audio", tmp_path)


def test_wrong_hub_folders_are_refused(tmp_path: Path) -> None:
    hub_folder(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"padding": "pad"}))
    with pytest.raises(ValueError, match="expected padding to be 'repeatpad', got 'pad'"):
        _ = load("clap-audio", tmp_path).recipe
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    with pytest.raises(ValueError, match="model_type 'clap', got 'clip'"):
        load("clap-audio", tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(ValueError, match=r"config\.json"):
        load("clap-audio", tmp_path)
