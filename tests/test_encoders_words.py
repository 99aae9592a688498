"""fastText against its library; and what all encoders of word vectors do with their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from random_states import random_array
from tiny.words import fasttext_bytes

from avzsl.encoders import encoders, word_files
from avzsl.encoders.word_files import ngram_buckets, read_fasttext, read_fasttext_layout
from avzsl.sources.checkpoint import MissingWeightsError
from avzsl.sources.table import get_source

FOLDER = Path(__file__).parent / "golden" / "encoders"
FASTTEXT = dict(np.load(FOLDER / "fasttext.npz"))
NAMES = FASTTEXT["names"].tolist()
MODELS = [key.removesuffix(" vectors") for key in FASTTEXT if key.endswith(" vectors")]
KINDS = {
    "class-vectors": "avca-class-vectors",
    "word2vec": "word2vec-googlenews",
    "fasttext": "fasttext-wiki-en",
}


def build(kind: str, path: Path | str, **options: Any) -> Any:
    encoder = encoders.get(kind).from_dict({"weights": str(path), **options})
    encoder.load(torch.device("cpu"))
    return encoder


def written(path: Path, content: bytes | np.ndarray) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.tobytes())
    return path


# --- fastText -----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_fasttext_is_the_librarys(model: str, tmp_path: Path) -> None:
    path = written(tmp_path / "model.bin", FASTTEXT[f"{model} model"])
    found = read_fasttext(path, NAMES)
    rows = np.stack([found[name] for name in NAMES])
    assert np.array_equal(rows, FASTTEXT[f"{model} vectors"])
    assert rows.any(axis=1).all() == (model != "words")  # which has no n-grams for unknown words


def test_fasttext_is_gensims(tmp_path: Path) -> None:
    path = written(tmp_path / "model.bin", FASTTEXT["skipgram model"])
    names = [name for name in NAMES if name != "</s>"]
    found = read_fasttext(path, names)
    assert np.abs(np.stack([found[name] for name in names]) - FASTTEXT["gensim"]).max() <= 1e-8


@pytest.mark.parametrize("change", ["hash", "marks", "end"])
def test_every_rule_of_fasttext_matters(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if change == "hash":  # bytes from 128 on taken as they are
        monkeypatch.setattr(word_files, "_hash", lambda ngram: _plain_hash(ngram))
    elif change == "marks":
        monkeypatch.setattr(
            word_files, "ngram_buckets", lambda word, layout: ngram_buckets(word[1:], layout)
        )
    else:
        monkeypatch.setattr(word_files, "END_OF_SENTENCE", b"")
    path = written(tmp_path / "model.bin", FASTTEXT["characters model"])
    found = read_fasttext(path, NAMES)
    rows = np.stack([found[name] for name in NAMES])
    wrong = np.abs(rows - FASTTEXT["characters vectors"]).max(axis=1) > 1e-4
    expected = {
        "hash": {"été", "été à vélo", "犬 が 歌う", "naïve ÿ ß 🎻"},
        "marks": set(NAMES) - {"</s>"},
        "end": {"</s>"},
    }
    assert {NAMES[at] for at in np.flatnonzero(wrong)} == expected[change]


def _plain_hash(ngram: bytes) -> int:
    value = 2_166_136_261
    for byte in ngram:
        value = (value ^ byte) * 16_777_619 & 0xFFFFFFFF
    return value


def test_fasttext_embeds_whole_names(tmp_path: Path) -> None:
    path = written(tmp_path / "model.bin", FASTTEXT["skipgram model"])
    encoder = build("fasttext", path)
    assert encoder.dim == 10
    dog = NAMES.index("dog barking")
    expected = FASTTEXT["skipgram vectors"][dog] / np.linalg.norm(FASTTEXT["skipgram vectors"][dog])
    for name in ("dog barking", "dog_barking", "DogBarking"):
        assert np.array_equal(encoder.encode([name])[0], expected)
    as_is, lower = build("fasttext", path, text="as-is"), build("fasttext", path, text="lower")
    assert not np.allclose(as_is.encode(["dog_barking"])[0], expected)
    assert not np.allclose(encoder.encode(["Dog Barking"])[0], expected)
    assert np.array_equal(lower.encode(["Dog Barking"])[0], expected)
    assert np.array_equal(as_is.encode(NAMES), encoder.encode(NAMES))
    assert len({e.fingerprint for e in (encoder, as_is, lower)}) == 3


def test_fasttext_without_ngrams_refuses_unknown_names(tmp_path: Path) -> None:
    encoder = build("fasttext", written(tmp_path / "words.bin", FASTTEXT["words model"]))
    assert np.allclose(np.linalg.norm(encoder.encode(["dog", "cat"]), axis=1), 1)
    with pytest.raises(ValueError, match=r"no vector for the class name\(s\) 'zebra', 'dog run'"):
        encoder.encode(["dog", "zebra", "dog run"])


def test_a_classifier_of_the_old_format_has_no_ngrams(tmp_path: Path) -> None:
    matrix = random_array(1 + 20, 4)
    for version, model, longest in ((11, 3, 0), (11, 2, 6), (12, 3, 6)):
        content = fasttext_bytes(
            ["dog"], matrix, labels=["__label__a"], version=version, model=model
        )
        path = written(tmp_path / "model.bin", content)
        assert read_fasttext_layout(path).longest == longest
        assert np.array_equal(read_fasttext(path, ["dog"])["dog"], matrix[0]) == (longest == 0)


WHOLE = fasttext_bytes(["dog", "cat"], random_array(2 + 20, 4))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (FASTTEXT["compressed model"].tobytes(), "compressed"),
        (fasttext_bytes(["dog"], random_array(21, 4), compressed=True), "compressed"),
        (fasttext_bytes(["dog"], random_array(21, 4), pruned=0), "compressed"),
        (fasttext_bytes(["dog"], random_array(21, 4), version=13), "format 13"),
        (b"2 4\ndog 0.1 0.2 0.3 0.4\n", "expected a model of fastText"),
        (b"", "expected a model of fastText"),
        (WHOLE[:80], "expected a model of fastText"),
        (WHOLE[:96], "damaged or truncated"),
        (WHOLE[:120], "damaged or truncated"),
        (WHOLE[:-1], "damaged or truncated"),
        (WHOLE[:8] + b"\0\0\0\0" + WHOLE[12:], "damaged"),
    ],
)
def test_other_files_are_no_models_of_fasttext(
    content: bytes, complaint: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "model.bin", content)
    with pytest.raises(ValueError, match=rf"model\.bin: .*{complaint}"):
        build("fasttext", path).encode(["dog"])


# --- weights ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_missing_weights_say_how_to_get_them(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVZSL_WEIGHTS", str(tmp_path))
    encoder = encoders.get(kind).from_dict({})
    for act in (lambda: encoder.load(torch.device("cpu")), lambda: encoder.fingerprint):
        with pytest.raises(MissingWeightsError, match=f"avzsl fetch weights {KINDS[kind]}"):
            act()
    with pytest.raises(LookupError, match=KINDS[kind]):
        encoders.get(kind).from_dict({"weights": "word3vec"})


@pytest.mark.parametrize("kind", KINDS)
def test_the_content_of_the_file_counts_and_not_its_place(kind: str, tmp_path: Path) -> None:
    prints = set()
    for number, seed in enumerate((1, 1, 2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        content = fasttext_bytes(["dog"], random_array(21, 4, seed=seed))
        path = written(folder / ("v.npy" if kind == "class-vectors" else "v.bin"), content)
        prints.add(encoders.get(kind).from_dict({"weights": str(path)}).fingerprint)
    assert len(prints) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_random_vectors_serve_to_try(kind: str) -> None:
    encoder = build(kind, "random")
    assert encoder.untrained and encoder.dim == 300
    rows = encoder.encode(["dog barking", "Dog_Barking", "barking dog loud", "cat"])
    assert rows.dtype == np.float32 and np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert np.array_equal(rows[0], rows[1])
    likeness = rows @ rows[0]
    assert likeness[2] > 0.6 and abs(likeness[3]) < 0.3
    with pytest.raises(ValueError, match=r"there is none in '\.\.\.'"):
        encoder.encode(["..."])
    assert encoder.fingerprint == build(kind, f"random:{KINDS[kind]}").fingerprint
    assert get_source(KINDS[kind]).name in encoders.get(kind).sources
