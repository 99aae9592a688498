"""ImageBind's text tower against the reference implementation's numbers."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny.imagebind import GOLDEN, MERGES, MERGES_FILE, published_state, write_merges

from avzsl.encoders import clip_tokens, encoders
from avzsl.encoders import imagebind as shared
from avzsl.encoders.imagebind_text import ImageBindText
from avzsl.sources.checkpoint import MissingWeightsError

TOLERANCE = 1e-6
"""float32 rounding in two blocks; differences of 1.5e-7 are seen."""
OTHER = 1e-4
"""A difference that no rounding makes."""


def encoder_of(weights: Path | str, **options: Any) -> ImageBindText:
    encoder = ImageBindText.from_dict({"weights": str(weights), **options})
    assert isinstance(encoder, ImageBindText)
    encoder.load(torch.device("cpu"))
    return encoder


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A checkpoint with all towers and the merges beside it."""
    torch.save(published_state(), tmp_path / "imagebind_huge.pth")
    write_merges(tmp_path / MERGES_FILE)
    return tmp_path


def difference(encoder: ImageBindText) -> float:
    """Largest difference to the reference, whose vectors are scaled."""
    with np.load(GOLDEN / "imagebind-text.npz") as golden:
        texts, expected = golden["texts"].tolist(), golden["single"]
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    return float(np.abs(encoder.encode(texts) - expected).max())


def test_vectors_are_those_of_the_reference(whole: Path) -> None:
    assert difference(encoder_of(whole)) <= TOLERANCE
    assert difference(encoder_of(whole / "imagebind_huge.pth")) <= TOLERANCE


def test_tokens_are_those_of_the_reference(whole: Path) -> None:
    with np.load(GOLDEN / "imagebind-text.npz") as golden:
        texts, ids = golden["texts"].tolist(), golden["ids"]
    assert np.array_equal(encoder_of(whole).tokenizer()(texts), ids)


def test_safetensors_hold_the_same(whole: Path) -> None:
    (whole / "imagebind_huge.pth").unlink()
    save_file(published_state(), whole / "model.safetensors")
    assert difference(encoder_of(whole)) <= TOLERANCE


@pytest.mark.parametrize(
    "name",
    [
        "modality_preprocessors.text.token_embedding.weight",
        "modality_preprocessors.text.pos_embed",
        "modality_trunks.text.blocks.1.attn.out_proj.bias",
        "modality_heads.text.proj.0.weight",
    ],
)
def test_one_other_tensor_gives_other_vectors(name: str, whole: Path) -> None:
    state = dict(published_state())
    state[name] = state[name].flip(-1)
    torch.save(state, whole / "imagebind_huge.pth")
    assert difference(encoder_of(whole)) > OTHER


def test_causality_end_token_and_merges_matter(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_of(whole)
    network: Any = encoder.network
    for block in network.trunk.blocks:
        block.attn.causal = False
    assert difference(encoder) > OTHER
    with monkeypatch.context() as patch:
        patch.setattr(clip_tokens, "clean_openai", str)
        assert difference(encoder_of(whole)) > OTHER  # capital letters
    with monkeypatch.context() as patch:
        patch.setitem(shared.HEAD_SIZE, "text", 32)
        assert difference(encoder_of(whole)) > OTHER
    encoder = encoder_of(whole, prompt="a {}")
    assert difference(encoder) > OTHER
    write_merges(whole / MERGES_FILE, MERGES[::-1])
    clip_tokens.read_tokenizer.cache_clear()
    assert difference(encoder_of(whole)) > OTHER


def test_what_follows_the_end_does_not_matter(whole: Path) -> None:
    encoder = encoder_of(whole)
    ids = encoder.tokenizer()(["dog", "the siren"])
    later = ids.copy()
    later[0, ids[0].argmax() + 1 :] = 7
    with torch.inference_mode():
        vectors = [encoder.unit_vectors(torch.from_numpy(each)) for each in (ids, later)]
    assert torch.allclose(*vectors, atol=TOLERANCE)


def test_prompt_goes_around_the_name(whole: Path) -> None:
    plain, prompted = encoder_of(whole), encoder_of(whole, prompt="the sound of {}, {}")
    assert np.allclose(
        prompted.encode(["a dog"]), plain.encode(["the sound of a dog, a dog"]), atol=TOLERANCE
    )
    with pytest.raises(ValueError, match="prompt"):
        encoder_of(whole, prompt="no place")


def test_names_without_text_are_refused(whole: Path) -> None:
    with pytest.raises(ValueError, match=r"no text in ' ', '\\t'"):
        encoder_of(whole).encode(["dog", " ", "\t"])


def test_long_names_are_cut_with_a_warning(whole: Path, caplog: pytest.LogCaptureFixture) -> None:
    encoder = encoder_of(whole)
    with caplog.at_level(logging.WARNING):
        long = encoder.encode(["the " * 75 + "dog", "the " * 75 + "siren"])
    assert "77 tokens" in caplog.text
    assert np.allclose(long[0], long[1], atol=TOLERANCE)
    caplog.clear()
    encoder.encode(["the " * 74, "dog"])
    assert not caplog.text


def test_checkpoint_and_vocabulary_belong_together(whole: Path) -> None:
    write_merges(whole / MERGES_FILE, MERGES[:-1])
    clip_tokens.read_tokenizer.cache_clear()
    with pytest.raises(ValueError, match="do not belong together"):
        encoder_of(whole).encode(["dog"])


def test_a_checkpoint_without_merges_is_not_enough(whole: Path) -> None:
    (whole / MERGES_FILE).unlink()
    with pytest.raises(MissingWeightsError, match=r"bpe_simple_vocab_16e6\.txt\.gz or vocab\.json"):
        encoder_of(whole)


def test_merges_are_part_of_the_weights(whole: Path) -> None:
    before = encoder_of(whole).weights_id
    lines = gzip.decompress((whole / MERGES_FILE).read_bytes()).decode().splitlines()
    write_merges(whole / MERGES_FILE, lines[:0:-1])
    assert encoder_of(whole).weights_id != before


def test_wrong_checkpoints_are_refused(whole: Path) -> None:
    state = dict(published_state())
    del state["modality_heads.text.proj.0.bias"]
    torch.save(state, whole / "imagebind_huge.pth")
    with pytest.raises(ValueError, match=r"missing: head\.proj\.0\.bias"):
        encoder_of(whole)
    del state["modality_heads.text.proj.1.weight"]
    torch.save(state, whole / "imagebind_huge.pth")
    with pytest.raises(ValueError, match="not a checkpoint of ImageBind"):
        encoder_of(whole)


def test_random_weights_spell_names(monkeypatch: pytest.MonkeyPatch) -> None:
    small = shared.TowerSizes(
        tower="text", width=64, layers=1, heads=1, out=16, places=77, vocabulary=600
    )
    monkeypatch.setattr(ImageBindText, "published", {"imagebind-huge": small})
    encoder = encoder_of("random")
    vectors = encoder.encode(["dog", "dogs", "été"])
    assert vectors.shape == (3, 16) and encoder.untrained
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.array_equal(vectors, encoder_of("random").encode(["dog", "dogs", "été"]))
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3
    assert encoders.get("imagebind-text") is ImageBindText
