"""Make the golden files of ImageBind and of CLIP's tokens from the reference implementation.

Reference: https://github.com/facebookresearch/ImageBind at 53680b02d7e37b19b124fa37bae4b6c98c38f5be
(CC BY-NC-SA 4.0: none of it is copied here) with https://github.com/facebookresearch/pytorchvideo
at 6cdc929315aab1b5674b6dcf73b16ec99147735f, the commit that it asks for.
Made with torch 2.13.0, torchaudio 2.11.0, torchvision 0.28.0, timm 1.0.31, einops 0.8.2 and
ftfy 6.3.1.

Needs those, this package, and the folder with real clips and class names:

    cd tests/golden/encoders
    PYTHONPATH=../../../src:../.. python make_imagebind.py IMAGEBIND PYTORCHVIDEO SHARED

``data.py`` of the reference runs as it is; decoding is this package's, so that it need not be
compared as well.
"""

from __future__ import annotations

import csv
import itertools
import json
import math
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from random_states import layout_of, random_array, random_bytes, random_state
from tiny.imagebind import MERGES, MERGES_FILE, write_merges

from avzsl.decode import backend_pyav
from avzsl.decode.audio import read_audio
from avzsl.decode.videofile import VideoFile

HERE = Path(__file__).parent
SMALL = {
    **{"out_embed_dim": 32, "vision_embed_dim": 160, "vision_num_blocks": 2, "vision_num_heads": 2},
    **{"text_embed_dim": 128, "text_num_blocks": 2, "text_num_heads": 2},
    **{"audio_embed_dim": 128, "audio_num_blocks": 2, "audio_num_heads": 2},
    **{"depth_embed_dim": 32, "depth_num_blocks": 1, "depth_num_heads": 1},
    **{"thermal_embed_dim": 32, "thermal_num_blocks": 1, "thermal_num_heads": 1},
    **{"imu_embed_dim": 32, "imu_num_blocks": 1, "imu_num_heads": 1},
}
TEXTS = ["dog barking", "ambulance siren", "Playing the saxophone", "bee, wasp, etc. buzzing", "x"]
SOUNDS = ("vas/baby_video_01951.mp4", "activitynet/v_GGSY1Qvo990.mp4", "audio/dog.wav")
VIDEOS = (
    "vggsound/-Qowmc0P9ic_000034.mp4",
    "activitynet/v_GGSY1Qvo990.mp4",
    "odd/nasa_13013_rotated.mp4",
)
MADE_UP = "made-up"
"""A clip without a file: noise, so that a test needs no real clips."""
ODD_TEXTS = [
    "",
    "  two   spaces\tand\na line ",
    "It's a dog's life, they're here; I'd say we'll've",
    "ÉTÉ À VÉLO",
    "e\u0301te\u0301 decomposed",
    "naïve café — Zürich",
    "tom &amp; jerry &amp;lt;3",
    "\u2018curly\u2019 \u201cquotes\u201d",
    "\ufb01re \ufb02ute \uff21\uff22\uff23 \u3000wide",
    "100m 3.14 2026-11-20 #1",
    "!!!???... @#$%^&*()",
    "日本語 テキスト",
    "ΟΔΟΣ Σίσυφος",
    "😀 dog 🐕‍🦺",
    "under_score-hyphen/slash\\back",
    "<|endoftext|> in a text",
    "bell\x07 and \x1b[31mcolour\x1b[0m",
    "word " * 100,
    "supercalifragilisticexpialidocious" * 9,
]


def main() -> None:
    """Write all golden files."""
    imagebind, pytorchvideo, shared = map(Path, sys.argv[1:])
    install(imagebind, pytorchvideo)
    write_networks()
    write_sounds(shared / "media")
    write_videos(shared / "media")
    write_tokens(imagebind / "imagebind" / "bpe" / MERGES_FILE, shared / "benchmark")


def install(imagebind: Path, pytorchvideo: Path) -> None:
    """Make the modules of the references importable without what their packages import."""
    for name, folder in (
        ("imagebind", imagebind / "imagebind"),
        ("pytorchvideo", pytorchvideo / "pytorchvideo"),
        ("pytorchvideo.data", pytorchvideo / "pytorchvideo" / "data"),
        ("pytorchvideo.transforms", pytorchvideo / "pytorchvideo" / "transforms"),
    ):
        package: Any = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], own, package)
    import pytorchvideo.transforms as package_of_transforms
    from pytorchvideo.transforms import transforms

    vars(package_of_transforms).update(vars(transforms))
    encoded: Any = types.ModuleType("pytorchvideo.data.encoded_video")
    encoded.EncodedVideo = EncodedVideo
    sys.modules[encoded.__name__] = encoded
    sys.modules["pkg_resources"] = types.ModuleType("pkg_resources")


class EncodedVideo:
    """Stands for pytorchvideo's reader: frames from ceil(fps * start) to ceil(fps * end)."""

    def __init__(self, path: str) -> None:
        if path == MADE_UP:
            self.rgb = random_bytes(75, 300, 455, 3, seed=3)
            self.fps = 25.0
            return
        with VideoFile(path) as video:
            count = len(video.info.pts_seconds)
            self.fps = count / video.info.duration_seconds
            self.rgb = backend_pyav.read(video, np.arange(count))

    @classmethod
    def from_path(cls, path: str, **_: Any) -> EncodedVideo:
        """Read a file."""
        return cls(path)

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.rgb) / self.fps

    def get_clip(self, start: Any, end: Any) -> dict[str, torch.Tensor]:
        """Return [3, T, H, W]."""
        last = min(math.ceil(self.fps * end), len(self.rgb))
        cut = torch.from_numpy(self.rgb[math.ceil(self.fps * start) : last])
        return {"video": cut.float().permute(3, 0, 1, 2)}


def load_sound(path: str) -> tuple[torch.Tensor, int]:
    """Stand for torchaudio's reader."""
    if path == MADE_UP:
        return torch.from_numpy(random_array(2, 20_800, seed=3, scale=0.1)), 16_000
    waveform = read_audio(path)
    return torch.from_numpy(waveform.samples), waveform.sample_rate


def write_networks() -> None:
    """Run a small model."""
    from imagebind import data
    from imagebind.models.imagebind_model import ImageBindModel
    from imagebind.models.multimodal_preprocessors import TextPreprocessor

    model = ImageBindModel(**SMALL)
    model.modality_preprocessors["text"] = TextPreprocessor(
        context_length=77, vocab_size=514 + len(MERGES), embed_dim=128, causal_masking=True
    )
    layout = layout_of(model.state_dict())
    state = random_state(layout)
    state["modality_preprocessors.text.mask"] = model.modality_preprocessors["text"].mask
    model.load_state_dict(state, strict=True)
    model.eval()
    with tempfile.TemporaryDirectory() as folder:
        write_merges(Path(folder) / MERGES_FILE)
        data.return_bpe_path = lambda: str(Path(folder) / MERGES_FILE)
        ids = data.load_and_transform_text(TEXTS, "cpu")
    shapes = {"vision": (2, 3, 3, 2, 224, 224), "audio": (3, 3, 1, 128, 204)}
    with torch.inference_mode():
        for name, shape in shapes.items():
            views = torch.from_numpy(random_array(*shape, seed=1))
            single = model({name: views[:, :1]})[name]
            save(name, layout, shape=shape, seed=1, single=single, mean=model({name: views})[name])
        save("text", layout, texts=TEXTS, ids=ids, single=model({"text": ids})["text"])


def save(name: str, layout: dict, **arrays: Any) -> None:
    """Write one golden file of a network."""
    np.savez_compressed(HERE / f"imagebind-{name}.npz", layout=json.dumps(layout), **arrays)


def write_sounds(media: Path) -> None:
    """Run the reference's preprocessing of sound."""
    from imagebind import data

    data.torchaudio.load = load_sound
    values = {}
    for name in (*SOUNDS, MADE_UP):
        path = name if name == MADE_UP else str(media / name)
        mel = data.load_and_transform_audio_data([path], "cpu")[0]
        values[name] = mel[:, 0, ::5, ::7].numpy()
    np.savez_compressed(HERE / "imagebind-audio-preprocess.npz", steps=[5, 7], **values)


def write_videos(media: Path) -> None:
    """Run the reference's preprocessing of video."""
    from imagebind import data

    values = {}
    for name in (*VIDEOS, MADE_UP):
        path = name if name == MADE_UP else str(media / name)
        views = data.load_and_transform_video_data([path], "cpu")[0]
        values[name] = views[..., ::29, ::31].numpy()
    np.savez_compressed(HERE / "imagebind-vision-preprocess.npz", steps=[29, 31], **values)


def write_tokens(merges_file: Path, benchmark: Path) -> None:
    """Run the reference's tokenizer on all class names, and note which merges they need."""
    from imagebind.models.multimodal_preprocessors import SimpleTokenizer

    tokenizer = SimpleTokenizer(bpe_path=str(merges_file))
    texts = [*ODD_TEXTS, *class_names(benchmark)]
    ids = np.stack([tokenizer(text).numpy() for text in texts])
    used = sorted(needed_merges(tokenizer))
    ranked = {rank: " ".join(pair) for pair, rank in tokenizer.bpe_ranks.items()}
    np.savez_compressed(
        HERE / "clip-tokens.npz",
        texts=json.dumps(texts),
        ids=ids.astype(np.uint16),
        ranks=np.array(used, np.uint16),
        merges=json.dumps([ranked[rank] for rank in used]),
    )


def class_names(benchmark: Path) -> list[str]:
    """Return the class names of the benchmarks, in both spellings, each once."""
    names: dict[str, None] = {}
    for file in sorted(benchmark.rglob("*_w2v_class_names.csv")):
        with file.open(encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                names |= dict.fromkeys((row["original"], row["manual"]))
    return list(names)


def needed_merges(tokenizer: Any) -> set[int]:
    """Return the ranks of all merges that made the pieces of the words seen so far.

    Each piece was made by the merges of its own letters, in order of rank.
    """
    ranks = tokenizer.bpe_ranks
    needed = set()
    for pieces in tokenizer.cache.values():
        for piece in pieces.split(" "):
            letters = list(piece.removesuffix("</w>"))
            if piece.endswith("</w>") and letters:
                letters[-1] += "</w>"
            while len(letters) > 1:
                pairs = [*itertools.pairwise(letters)]
                known = [ranks[pair] for pair in pairs if pair in ranks]
                if not known:
                    break
                rank = min(known)
                at = next(n for n, pair in enumerate(pairs) if ranks.get(pair) == rank)
                needed.add(rank)
                letters[at : at + 2] = [letters[at] + letters[at + 1]]
    return needed


if __name__ == "__main__":
    main()
