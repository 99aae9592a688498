"""Make ``clip-*.npz`` with the authors' code.

Reference: https://github.com/openai/CLIP, commit d05afc4; torch 2.13, torchvision 0.28,
pillow 13, ftfy 6.3. Run in the folder of this project, with an environment that has these:

    PYTHONPATH=src:tests python tests/golden/encoders/make_clip.py CLIP MEDIA

CLIP is a clone of the reference, MEDIA the folder of real clips.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from clip_golden import CLIPS, FRAMES_PER_SECOND, NAMES, STEP, read_pictures
from random_states import layout_of, random_bytes, random_state
from tiny.clip_xclip import merges, vocabulary

from avzsl.encoders import encoders

HERE = Path(__file__).parent
SMALL = {
    "embed_dim": 48,
    "image_resolution": 32,
    "vision_layers": 2,
    "vision_width": 128,
    "vision_patch_size": 16,
    "context_length": 77,
    "transformer_width": 128,
    "transformer_heads": 2,
    "transformer_layers": 2,
}


def small_vocabulary(clip: object) -> None:
    """Give the reference's tokenizer the merges of our small vocabulary."""
    from clip.simple_tokenizer import SimpleTokenizer

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "merges.txt.gz")
        lines = ["#version: 0.2", *(" ".join(pair) for pair in merges())]
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
        clip._tokenizer = SimpleTokenizer(str(path))
    assert clip._tokenizer.encoder["<|endoftext|>"] == len(vocabulary()) - 1


def network() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Embeddings of bytes as ``_transform`` normalises them, and of class names."""
    from clip import clip
    from clip.model import CLIP

    small_vocabulary(clip)
    model = CLIP(**SMALL, vocab_size=len(vocabulary()))
    layout = layout_of(model.state_dict())
    model.load_state_dict(random_state(layout))
    model.eval()
    bytes_F3SS = torch.from_numpy(random_bytes(4, 3, 32, 32, seed=1))
    normalise = clip._transform(32).transforms[-1]
    tokens = clip.tokenize(list(NAMES), truncate=True)
    told = {"layout": np.array(json.dumps(layout))}
    pictures = model.encode_image(normalise(bytes_F3SS.float() / 255)).numpy()
    texts = model.encode_text(tokens).numpy()
    return (
        {**told, "embeddings": pictures},
        {**told, "embeddings": texts, "tokens": tokens.numpy().astype(np.int64)},
    )


def preprocessed(media: Path) -> dict[str, np.ndarray]:
    """What the reference makes of the frames that our code decodes, a sample of each."""
    from clip.clip import _transform
    from PIL import Image

    options = {"weights": "random", "frames_per_second": FRAMES_PER_SECOND}
    windows = encoders.get("clip-frames").from_dict(options).windows
    transform = _transform(224)
    made = {}
    for clip in CLIPS:
        frames = read_pictures(media / clip, windows)
        pictures = [transform(Image.fromarray(rgb)) for rgb in frames.rgb[frames.plan.rows[:, 0]]]
        made[clip] = torch.stack(pictures)[..., ::STEP, ::STEP].numpy()
    return made


def main(clip: str, media: str) -> None:
    sys.path[:0] = [clip]
    torch.set_num_threads(1)
    with torch.inference_mode():
        frames, text = network()
        np.savez_compressed(HERE / "clip-frames.npz", **frames)
        np.savez_compressed(HERE / "clip-text.npz", **text)
        np.savez_compressed(HERE / "clip-frames-preprocess.npz", **preprocessed(Path(media)))


if __name__ == "__main__":
    main(*sys.argv[1:])
