"""CLIP's tokens against the original tokenizer's, on all class names of the benchmarks."""

from __future__ import annotations

import functools
import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny.imagebind import GOLDEN, MERGES, MERGES_FILE, write_merges

from avzsl.encoders import clip_tokens as module
from avzsl.encoders.clip_tokens import (
    BEGIN,
    END,
    LIST_MERGES,
    ClipTokenizer,
    byte_symbols,
    clean_hub,
    clean_openai,
    clip_tokens,
)


@functools.cache
def golden() -> tuple[list[str], NDArray[np.uint16], list[str]]:
    """Texts, the original tokenizer's ids, and a list of merges of the published length.

    The merges that these texts need are at their published ranks. All others never apply, for
    nothing follows the last letter of a word.
    """
    with np.load(GOLDEN / "clip-tokens.npz") as held:
        texts, ids = json.loads(str(held["texts"])), held["ids"]
        pairs = itertools.product(byte_symbols(), repeat=2)
        merges = [f"{left}</w> {right}" for left, right in itertools.islice(pairs, LIST_MERGES)]
        for rank, merge in zip(held["ranks"], json.loads(str(held["merges"])), strict=True):
            merges[rank] = merge
    return texts, ids, merges


def in_order(merges: list[str]) -> list[tuple[str, str]]:
    return [(left, right) for left, right in (merge.split() for merge in merges)]


def test_ids_are_the_original_tokenizers(tmp_path: Path) -> None:
    texts, ids, merges = golden()
    assert len(texts) > 850 and ids.shape == (len(texts), 77)
    write_merges(tmp_path / MERGES_FILE, [*merges, "too many"])
    made = clip_tokens(texts, [tmp_path / MERGES_FILE])
    wrong = [text for text, got, want in zip(texts, made, ids, strict=True) if any(got != want)]
    assert not wrong
    assert module.read_tokenizer((tmp_path / MERGES_FILE,)).size == 49_408


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("clean_openai", clean_hub),
        ("_PIECES", r"[\p{L}]+|[\p{N}]+|[^\s\p{L}\p{N}]+"),
        ("byte_symbols", lambda: byte_symbols()[::-1]),
    ],
)
def test_other_rules_give_other_ids(what: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, ids, merges = golden()
    monkeypatch.setattr(module, what, value)
    assert (ClipTokenizer.of_merges(in_order(merges))(texts) != ids).any()


def test_one_other_merge_gives_other_ids() -> None:
    texts, ids, merges = golden()
    swapped = [merges[-1], *merges[1:-1], merges[0]]
    assert (ClipTokenizer.of_merges(in_order(swapped))(texts) != ids).any()


def test_hub_cleaning_is_the_transformers_librarys() -> None:
    from transformers import CLIPTokenizer

    texts, _, merges = golden()
    made_of = ClipTokenizer.of_merges(in_order(merges))
    vocabulary = json.loads(made_of._tokenizer.to_str())["model"]["vocab"]
    theirs = CLIPTokenizer(vocab=vocabulary, merges=in_order(merges))
    made = made_of(texts, cleaning="hub")
    found = theirs(texts, truncation=True, max_length=77)["input_ids"]
    for text, mine, other in zip(texts, made, found, strict=True):
        assert mine[: len(other)].tolist() == other, text
    assert (made != made_of(texts)).any()


# --- files ------------------------------------------------------------------------------------


def test_all_files_of_a_vocabulary_give_the_same_ids(tmp_path: Path) -> None:
    write_merges(tmp_path / MERGES_FILE)
    texts = ["the dog's siren", "Playing and barking, 3 times", ""]
    expected = clip_tokens(texts, [tmp_path / MERGES_FILE])
    made = ClipTokenizer.of_merges(in_order(MERGES))
    model = json.loads(made._tokenizer.to_str())["model"]
    vocabulary = model["vocab"] | {BEGIN: made.size - 2, END: made.size - 1}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES, ""]))
    for merges in (MERGES, [merge.split() for merge in MERGES]):
        both = {"model": {"vocab": vocabulary, "merges": merges}}
        (tmp_path / "tokenizer.json").write_text(json.dumps(both), encoding="utf-8")
        module.read_tokenizer.cache_clear()
        assert np.array_equal(clip_tokens(texts, [tmp_path / "tokenizer.json"]), expected)
    files = [tmp_path / "vocab.json", tmp_path / "merges.txt"]
    assert np.array_equal(clip_tokens(texts, files), expected)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("x.txt.gz", b"no gzip", "Cannot read"),
        ("x.txt.gz", gzip.compress(b"version\na b c"), "two parts"),
        ("tokenizer.json", b"{}", "Cannot read"),
        ("tokenizer.json", b'{"model": {"vocab": {"a": 0}, "merges": []}}', "no symbol"),
        ("vocab.json", b"{}", r"together with merges\.txt"),
    ],
)
def test_other_files_are_refused(name: str, content: bytes, complaint: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=complaint):
        clip_tokens(["dog"], [tmp_path / name])


def test_merges_of_unknown_symbols_are_refused() -> None:
    ids = {symbol: n for n, symbol in enumerate([*byte_symbols(), BEGIN, END])}
    with pytest.raises(ValueError, match="`ab` out of vocabulary"):
        ClipTokenizer(ids, [("a", "b")])


# --- texts ------------------------------------------------------------------------------------


def test_long_texts_are_cut_and_end() -> None:
    spelling = ClipTokenizer.of_merges([])
    ids = spelling(["abcdef", "ab", ""], length=5)
    begin, end = spelling.size - 2, spelling.size - 1
    assert (ids[:, 0] == begin).all() and ids[0, 4] == end
    assert ids[1].tolist()[3:] == [end, 0] and ids[2].tolist() == [begin, end, 0, 0, 0]
    assert spelling([]).shape == (0, 77)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Tom &amp;amp; Jerry", "tom & jerry"),
        ("\u2018it\u2019s\u2019 \u201cso\u201d", "'it's' \"so\""),
        ("e\u0301te\u0301", "\u00e9t\u00e9"),
        ("\ufb01re \uff21\uff22 \ufb05", "fire ab \u017ft"),
        ("bell\x07 \x1b[31mred\x1b[0m", "bell red"),
        ("\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c2"),
    ],
)
def test_texts_are_cleaned(text: str, clean: str) -> None:
    assert clean_openai(text) == clean


def test_byte_symbols_are_distinct_letters() -> None:
    symbols = byte_symbols()
    assert len(set(symbols)) == 256 and all(len(symbol) == 1 for symbol in symbols)
    assert symbols[0] == "!" and not any(symbol.isspace() for symbol in symbols)
