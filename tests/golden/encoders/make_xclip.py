"""Make ``xclip-*.npz`` with the authors' code, and with the processor of the hub.

Reference: https://github.com/microsoft/VideoX, commit 1744b21; torch 2.13, timm 1.0.31, mmcv-lite
2.2.0 with opencv 5.0, transformers 5.23 with torchvision 0.28. Run in the folder of this project,
with an environment that has these:

    PYTHONPATH=src:tests python tests/golden/encoders/make_xclip.py VIDEOX MEDIA

VIDEOX is a clone of the reference, MEDIA the folder of real clips.
"""

from __future__ import annotations

import json
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import torch
from clip_golden import CLIPS, NAMES, STEP, read_pictures
from random_states import layout_of, random_bytes, random_state
from tiny.clip_xclip import XCLIP_PICTURES, merges, vocabulary

from avzsl.encoders import encoders
from avzsl.encoders.clip_tokens import ClipTokenizer

HERE = Path(__file__).parent
FRAMES = 4
SMALL = {
    "embed_dim": 128,
    "image_resolution": 32,
    "vision_layers": 2,
    "vision_width": 192,
    "vision_patch_size": 16,
    "context_length": 77,
    "transformer_width": 128,
    "transformer_heads": 2,
    "transformer_layers": 2,
    "T": FRAMES,
    "mit_layers": 2,
    "prompts_layers": 2,
}
LENGTHS = (1, 2, 3, 7, 8, 9, 30, 31, 32, 64, 100, 240, 250, 251, 299, 300, 301, 1000)
"""Numbers of frames whose sampling is kept."""


def network() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Embeddings of videos and of class names, before they are normalised."""
    import clip  # noqa: F401 - the two packages import each other, this one first
    from models.xclip import XCLIP

    model = XCLIP(**SMALL, vocab_size=len(vocabulary()))
    layout = layout_of(model.state_dict())
    model.load_state_dict(random_state(layout))
    model.eval()
    bytes_BT3SS = torch.from_numpy(random_bytes(3, FRAMES, 3, 32, 32, seed=1))
    mean = torch.tensor(PIXELS["mean"])[:, None, None]
    std = torch.tensor(PIXELS["std"])[:, None, None]
    tokens = ClipTokenizer.of_merges(merges())(NAMES)
    told = {"layout": np.array(json.dumps(layout))}
    videos, _ = model.encode_video((bytes_BT3SS.float() - mean) / std)
    texts = model.encode_text(torch.from_numpy(tokens))
    return {**told, "embeddings": videos.numpy()}, {**told, "embeddings": texts.numpy()}


PIXELS = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375], "to_bgr": False}
"""``img_norm_cfg`` of the reference's ``datasets/build.py``."""


def sampled(pipeline: types.ModuleType) -> dict[str, np.ndarray]:
    """The frames that the test pipeline takes of videos of several lengths."""
    made = {}
    for count in (8, 32):
        sampling = pipeline.SampleFrames(
            clip_len=1, frame_interval=1, num_clips=count, test_mode=True
        )
        rows = []
        for length in LENGTHS:
            told = sampling({"total_frames": length, "start_index": 0})
            rows.append(told["frame_inds"])
        made[f"frames {count}"] = np.stack(rows)
    return made | {"lengths": np.array(LENGTHS)}


def preprocessed(media: Path, pipeline: types.ModuleType) -> dict[str, np.ndarray]:
    """What both references make of the frames that our code decodes, a sample of each."""
    from transformers import VideoMAEImageProcessor

    windows = encoders.get("xclip-video").from_dict({"weights": "random"}).windows
    with tempfile.TemporaryDirectory() as folder:
        told = XCLIP_PICTURES | {"size": 224, "crop_size": 224}
        Path(folder, "preprocessor_config.json").write_text(json.dumps(told))
        processor = VideoMAEImageProcessor.from_pretrained(folder)
    validation = [
        pipeline.Resize(scale=(-1, 256)),
        pipeline.CenterCrop(crop_size=224),
        pipeline.Normalize(**PIXELS),
        pipeline.FormatShape(input_format="NCHW"),
    ]
    made = {}
    for clip in CLIPS:
        frames = read_pictures(media / clip, windows)
        pictures = list(frames.rgb[frames.plan.rows[0]][::2])
        hub = processor(pictures, return_tensors="np")["pixel_values"][0]
        made[f"hub {clip}"] = hub[..., ::STEP, ::STEP]
        results = {"imgs": pictures, "img_shape": pictures[0].shape[:2], "modality": "RGB"}
        results |= {"num_clips": len(pictures), "clip_len": 1}
        for step in validation:
            results = step(results)
        made[f"videox {clip}"] = results["imgs"][..., ::STEP, ::STEP]
    return made


def import_pipeline() -> types.ModuleType:
    """Import the reference's pipeline with the names of mmcv 1 where mmcv 2 has others."""
    import importlib

    import mmcv
    import mmengine

    np.int = int  # type: ignore[attr-defined]
    mmcv.is_tuple_of = mmengine.is_tuple_of
    utils, fileio = types.ModuleType("mmcv.utils"), types.ModuleType("mmcv.fileio")
    utils.Registry, utils.build_from_cfg = mmengine.Registry, mmengine.build_from_cfg
    fileio.FileClient = object
    sys.modules |= {"mmcv.utils": utils, "mmcv.fileio": fileio}
    for name in ("datasets", "datasets.build", "datasets.rand_augment"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["datasets"].__path__ = [str(Path(sys.path[0]) / "datasets")]
    sys.modules["datasets.rand_augment"].rand_augment_transform = None
    return importlib.import_module("datasets.pipeline")


def main(videox: str, media: str) -> None:
    sys.path[:0] = [str(Path(videox) / "X-CLIP")]
    torch.set_num_threads(1)
    with torch.inference_mode():
        video, text = network()
        pipeline = import_pipeline()
        np.savez_compressed(HERE / "xclip-video.npz", **video, **sampled(pipeline))
        np.savez_compressed(HERE / "xclip-text.npz", **text)
        np.savez_compressed(
            HERE / "xclip-video-preprocess.npz", **preprocessed(Path(media), pipeline)
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
