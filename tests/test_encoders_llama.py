"""LLaMA against transformers' whole language model; prompts; tokenizers; wrong files."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from random_states import random_state
from safetensors.torch import save_file
from tiny.clap_llama import LLAMA_CONFIG, golden, llama_tokenizer, roberta_tokenizer, write_llama

from avzsl.encoders import encoders
from avzsl.encoders.frontends.tokens import byte_tokenizer, of_one_length, read_tokenizer
from avzsl.encoders.prompts import prompted, split_name
from avzsl.sources.checkpoint import MissingWeightsError

EXACT = 1e-6
"""Observed: 3e-7 at most, the rounding of float32; values go up to 3."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_llama(tmp_path_factory.mktemp("llama"), golden("llama-text")["layout"])


def load(weights: Path, **options: Any) -> Any:
    encoder = encoders.get("llama-text").from_dict({"weights": str(weights), **options})
    encoder.load(torch.device("cpu"))
    return encoder


def rewritten(folder: Path, state: dict[str, torch.Tensor], **config: Any) -> Path:
    """A folder of one file with other tensors, and other values in its configuration."""
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(LLAMA_CONFIG | config), encoding="utf-8")
    (folder / "tokenizer.json").write_text(llama_tokenizer(), encoding="utf-8")
    return folder


def published_state() -> dict[str, torch.Tensor]:
    return random_state(golden("llama-text")["layout"])


def apart(left: Any, right: Any) -> float:
    return float(np.abs(np.asarray(left) - np.asarray(right)).max())


CASES: list[tuple[str, dict[str, Any]]] = [
    ("mean", {}),
    ("mean", {"layer": 2}),
    ("last", {"pooling": "last"}),
    ("first_layer", {"layer": 1}),
    ("first_layer", {"layer": -2}),
    ("embeddings", {"layer": 0}),
    ("prompted", {"prompt": "the sound of {} in the park"}),
]


@pytest.mark.parametrize(("wanted", "options"), CASES, ids=str)
def test_is_the_reference(folder: Path, wanted: str, options: dict[str, Any]) -> None:
    held, encoder = golden("llama-text"), load(folder, **options)
    vectors = encoder.encode(held["json_names"])
    assert vectors.shape == (len(held["json_names"]), 32) == (4, encoder.dim)
    assert apart(vectors, held[wanted]) <= EXACT
    for other in {"mean", "last", "first_layer", "embeddings", "prompted"} - {wanted}:
        assert apart(vectors, held[other]) > 0.01


def test_begin_of_text_is_not_averaged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held, encoder = golden("llama-text"), load(folder)
    ids = held["json_ids"]
    assert encoder._tokenise(held["json_names"]) == ids and {row[0] for row in ids} == {1}
    hidden = encoder._hidden(torch.tensor(ids[:1]))[0]
    assert apart(hidden[1:].mean(0), held["mean"][0]) <= EXACT
    assert apart(hidden.mean(0), held["mean"][0]) > 0.01


@pytest.mark.parametrize(
    "name",
    ["model.layers.1.self_attn.k_proj.weight", "model.norm.weight", "model.embed_tokens.weight"],
)
def test_depends_on_every_weight(tmp_path: Path, name: str) -> None:
    state = published_state()
    state[name] = state[name] + 0.05 * torch.linspace(-1, 1, state[name].numel()).view_as(
        state[name]
    )
    held, encoder = golden("llama-text"), load(rewritten(tmp_path, state))
    assert apart(encoder.encode(held["json_names"]), held["mean"]) > 100 * EXACT


@pytest.mark.parametrize("config", [{"rope_theta": 500.0}, {"rms_norm_eps": 0.1}], ids=str)
def test_depends_on_the_configuration(tmp_path: Path, config: dict[str, float]) -> None:
    held = golden("llama-text")
    encoder = load(rewritten(tmp_path, published_state(), **config))
    assert apart(encoder.encode(held["json_names"]), held["mean"]) > 100 * EXACT


def test_bare_trunk_and_old_files(tmp_path: Path) -> None:
    state = {name.removeprefix("model."): tensor for name, tensor in published_state().items()}
    del state["lm_head.weight"]
    held = golden("llama-text")
    bare = load(rewritten(tmp_path, state))
    assert apart(bare.encode(held["json_names"]), held["mean"]) <= EXACT
    old = published_state()
    old["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    again = load(rewritten(tmp_path, old))
    assert apart(again.encode(held["json_names"]), held["mean"]) <= EXACT


def test_bfloat16_keeps_the_weights_so(folder: Path) -> None:
    held, encoder = golden("llama-text"), load(folder, precision="bfloat16")
    assert {p.dtype for p in encoder.network.parameters()} == {torch.bfloat16}
    assert encoder.network.rotary_emb.inv_freq.dtype == torch.float32
    vectors = encoder.encode(held["json_names"])
    assert vectors.dtype == np.float32
    assert EXACT < apart(vectors, held["mean"]) < 0.1


def test_published_sizes() -> None:
    encoder = encoders.get("llama-text").from_dict({"weights": "random"})
    with torch.device("meta"):
        network = encoder.build(encoder.sizes)
    assert sum(p.numel() for p in network.parameters()) == 6_607_343_616
    assert encoder.dim == 4096 and network.config.rope_parameters["rope_theta"] == 10_000


def test_untrained_network_needs_no_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    cls = encoders.get("llama-text")
    small = cls.published["llama-2-7b"] | {
        name: LLAMA_CONFIG[name] for name in cls.published["llama-2-7b"] if name in LLAMA_CONFIG
    }
    monkeypatch.setattr(cls, "published", {"llama-2-7b": small})
    for precision in ("float32", "bfloat16"):
        encoder = cls.from_dict({"weights": "random", "precision": precision})
        encoder.load(torch.device("cpu"))
        assert encoder.network.rotary_emb.inv_freq.dtype == torch.float32
        vectors = encoder.encode(["dog", "god"])
        assert np.isfinite(vectors).all() and apart(vectors[0], vectors[1]) > 1e-3


# --- wrong files ------------------------------------------------------------------------------


def test_wrong_tensors_are_refused(tmp_path: Path) -> None:
    name = "model.norm.weight"
    whole = published_state()
    lacking = {key: tensor for key, tensor in whole.items() if key != name}
    for state, message in (
        (lacking, "missing: norm.weight"),
        (whole | {"model.layers.0.self_attn.q_proj.lora": torch.ones(1)}, "unexpected: .*lora"),
        (whole | {name: torch.ones(31)}, r"norm.weight \(31,\), expected \(32,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            load(rewritten(tmp_path, state))
    with pytest.raises(ValueError, match=r"got model_type 'bert'"):
        load(rewritten(tmp_path, whole, model_type="bert"))
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(MissingWeightsError, match=r"tokenizer\.json"):
        load(tmp_path)


def test_missing_part_is_refused(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        if "00002-of" not in file.name:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ValueError, match="missing"):
        load(tmp_path)


def test_tokenizer_without_begin_is_refused(tmp_path: Path) -> None:
    rewritten(tmp_path, published_state())
    (tmp_path / "tokenizer.json").write_text(llama_tokenizer(begin=False), encoding="utf-8")
    encoder = load(tmp_path)
    with pytest.raises(ValueError, match="expected the begin-of-text token 1"):
        encoder.encode(["dog"])


@pytest.mark.parametrize("layer", [-4, 3])
def test_layers_that_are_not_there_are_refused(folder: Path, layer: int) -> None:
    with pytest.raises(ValueError, match=f"'layer' from -3 to 2, got {layer}"):
        load(folder, layer=layer)


# --- prompts and tokens -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ApplyEyeMakeup", "apply eye makeup"),
        ("Applying_sunscreen", "Applying sunscreen"),
        ("YoYo", "yo yo"),
        ("TVSet", "TV set"),
        ("MakingAnHTMLPage", "making an HTML page"),
        ("BMX", "BMX"),
        ("Mixing", "Mixing"),
        ("driving a McLaren", "driving a McLaren"),
        ("  playing  violin, fiddle ", "playing violin, fiddle"),
        ("été à vélo", "été à vélo"),
    ],
)
def test_names_become_words(name: str, words: str) -> None:
    assert split_name(name) == words
    assert split_name(words) == words


def test_prompts_hold_the_name() -> None:
    assert prompted(["TaiChi", "a {b}"], "the {} sound") == ["the tai chi sound", "the a {b} sound"]
    assert prompted(["dog"]) == ["dog"]
    with pytest.raises(ValueError, match=r"none in '', ' _ '\."):
        prompted(["dog", "", " _ "])
    for wrong in ("", "the sound", "{} or {}"):
        with pytest.raises(ValueError, match="for the class name; got"):
            prompted(["dog"], wrong)
        with pytest.raises(ValueError, match="for the class name; got"):
            encoders.get("llama-text").from_dict({"prompt": wrong})


def test_tokenizers_neither_pad_nor_cut_unasked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text(roberta_tokenizer(), encoding="utf-8")
    whole = read_tokenizer(file)([" dog", " dog" * 50])
    assert [len(ids) for ids in whole] == [3, 52] and caplog.records == []
    with caplog.at_level(logging.WARNING):
        short = read_tokenizer(file, max_length=5)([" dog", " dog" * 50])
    assert short == [whole[0], [*whole[1][:4], whole[1][-1]]]
    assert "1 of 2 texts are longer than 5 tokens" in caplog.text
    file.write_text("{}")
    with pytest.raises(ValueError, match=r"not a tokenizer\.json"):
        read_tokenizer(file)


def test_batches_of_one_length() -> None:
    ids = byte_tokenizer(0, 2)(["ab", "c", "de", "é", "fg"])
    assert ids[1] == [0, 3 + ord("c"), 2]
    assert list(of_one_length(ids, 3)) == [[0, 2, 3], [4], [1]]
