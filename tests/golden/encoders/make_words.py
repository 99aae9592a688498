"""Make ``word2vec.npz`` and ``fasttext.npz`` with the libraries that published the formats.

Reference: fasttext-wheel 0.9.2, whose ``get_word_vector`` AVCA's ``extract_word2vec.py`` calls
(https://github.com/ExplainableML/AVCA-GZSL, commit 2711aeb), and gensim 4.4.0 as a second witness.
Tiny models are trained, and stand in the golden files as they lie on disk. Run in the folder of
this project, with an environment that has these:

    PYTHONPATH=src:tests python tests/golden/encoders/make_words.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import fasttext
import numpy as np
from gensim.models import KeyedVectors
from gensim.models.fasttext import load_facebook_vectors
from random_states import random_array

HERE = Path(__file__).parent
TEXT = """the dog barks and the cat meows while the band plays a violin or a saxophone
été à vélo en forêt avec un œuf 歌う 犬 が 鳴く the dog runs the cat sleeps the dog barks
"""
NAMES = (
    "dog",
    "Dog",
    "dog barking",
    "playing violin, fiddle",
    "été",
    "été à vélo",
    "犬 が 歌う",
    "a",
    "z",
    "</s>",
    "naïve ÿ ß 🎻",
)
MODELS = {
    "skipgram": {"model": "skipgram", "minn": 3, "maxn": 6},
    "characters": {"model": "cbow", "minn": 1, "maxn": 3},
    "words": {"model": "skipgram", "minn": 0, "maxn": 0},
}
SMALL = {"dim": 10, "bucket": 97, "epoch": 3, "minCount": 1, "thread": 12, "verbose": 0}
"""Each thread of fastText fills a tenth of the matrix; the rest stays zero."""
WORDS = ("dog", "barking", "Dog_barking", "Étude", "歌う", "a", "playing")


def file_of(path: Path) -> np.ndarray:
    return np.frombuffer(path.read_bytes(), np.uint8)


def made_by_fasttext(folder: Path) -> dict[str, np.ndarray]:
    text, path = folder / "text.txt", folder / "model.bin"
    text.write_text(TEXT, encoding="utf-8")
    made = {"names": np.array(NAMES)}
    for key, options in MODELS.items():
        model = fasttext.train_unsupervised(str(text), **SMALL, **options)
        model.save_model(str(path))
        made[f"{key} model"] = file_of(path)
        made[f"{key} vectors"] = np.stack([model.get_word_vector(name) for name in NAMES])
        if key == "skipgram":
            second = load_facebook_vectors(str(path))
            # gensim has no rule for the end of a line.
            made["gensim"] = np.stack([second[name] for name in NAMES if name != "</s>"])
    lines = [f"__label__{number % 2} {line}" for number, line in enumerate(TEXT.splitlines())]
    text.write_text("\n".join(lines * 3), encoding="utf-8")
    model = fasttext.train_supervised(str(text), **SMALL | {"bucket": 300}, minn=2, maxn=4)
    model.save_model(str(path))
    made["classifier model"] = file_of(path)
    made["classifier vectors"] = np.stack([model.get_word_vector(name) for name in NAMES])
    model.quantize()
    model.save_model(str(folder / "model.ftz"))
    made["compressed model"] = file_of(folder / "model.ftz")
    return made


def made_by_gensim(folder: Path) -> dict[str, np.ndarray]:
    path = folder / "vectors.bin"
    vectors = KeyedVectors(vector_size=9)
    vectors.add_vectors(list(WORDS), random_array(len(WORDS), 9, seed=1))
    vectors.save_word2vec_format(str(path), binary=True)
    again = KeyedVectors.load_word2vec_format(str(path), binary=True)
    pair = ["playing", "dog"]
    return {
        "model": file_of(path),
        "words": np.array(WORDS),
        "vectors": np.stack([again[word] for word in WORDS]),
        "mean of playing and dog": again.get_mean_vector(
            pair, pre_normalize=False, post_normalize=True
        ),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        np.savez_compressed(HERE / "fasttext.npz", **made_by_fasttext(Path(folder)))
        np.savez_compressed(HERE / "word2vec.npz", **made_by_gensim(Path(folder)))


if __name__ == "__main__":
    main()
