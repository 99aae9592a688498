"""Make ``dino*.npz`` with the authors' code.

Reference: https://github.com/facebookresearch/dino, commit 7c446df; torch 2.13, torchvision 0.28,
Pillow 13. Run in the folder of this project, with an environment that has these:

    PYTHONPATH=src:tests python tests/golden/encoders/make_dino.py DINO MEDIA

MEDIA is the folder of real clips.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from random_states import layout_of, random_bytes, random_state

from avzsl.decode.choice import DecoderChoice
from avzsl.decode.sampling import VideoWindows
from avzsl.decode.video import read_frames

HERE = Path(__file__).parent
CLIPS = (
    "vggsound/-1pRmoJIGQc_000010.mp4",
    "vas/dog_video_02677.mp4",
    "activitynet/v_GGSY1Qvo990.mp4",
)
WINDOWS = VideoWindows(length_seconds=0.625, hop_seconds=0.625, frames=1, short="pad")
STRIDE = (5, 8)
"""Every so many-th window, and pixel in both directions, is kept."""


def network(patch: int) -> tuple[torch.nn.Module, dict[str, list]]:
    import vision_transformer

    model = vision_transformer.VisionTransformer(
        patch_size=patch,
        embed_dim=128,
        depth=2,
        num_heads=2,
        qkv_bias=True,
        norm_layer=functools.partial(torch.nn.LayerNorm, eps=1e-6),
    )
    layout = layout_of(model.state_dict())
    model.load_state_dict(random_state(layout))
    return model.eval(), layout


def transform() -> Callable[[Image.Image], torch.Tensor]:
    """What the nearest-neighbour evaluation does to a picture, caught as it opens its data."""
    import eval_knn

    caught = []

    class Caught(Exception):  # noqa: N818 - no error
        pass

    def data_set(_: str, transform: Callable) -> None:
        caught.append(transform)
        raise Caught

    eval_knn.ReturnIndexDataset = data_set
    try:
        eval_knn.extract_feature_pipeline(argparse.Namespace(data_path=""))
    except Caught:
        return caught[0]
    raise AssertionError("the reference opened no data")


def features() -> dict[str, np.ndarray]:
    prepare = transform()
    bytes_N = random_bytes(2, 224, 224, 3, seed=1)
    made: dict[str, np.ndarray] = {}
    for patch in (16, 8):
        model, layout = network(patch)
        batch = torch.stack([prepare.transforms[2](Image.fromarray(one)) for one in bytes_N])
        made[f"layout {patch}"] = np.array(json.dumps(layout))
        made[f"cls {patch}"] = model(prepare.transforms[3](batch)).numpy()
    return made


def counts() -> dict[str, np.ndarray]:
    import vision_transformer

    made = {}
    for name, patch in (("base", 16), ("small", 16), ("base", 8), ("small", 8)):
        model = getattr(vision_transformer, f"vit_{name}")(patch_size=patch)
        number = sum(parameter.numel() for parameter in model.parameters())
        made[f"parameters dino-vit{name[0]}{patch}"] = np.array(number)
    return made


def preprocessed(media: Path) -> dict[str, np.ndarray]:
    """Pictures and features of each clip; the frames are decoded by our code."""
    model, prepare = network(16)[0], transform()
    made: dict[str, np.ndarray] = {}
    for clip in CLIPS:
        frames = read_frames(str(media / clip), WINDOWS, decoder=DecoderChoice(name="pyav"))
        shown = frames.rgb[frames.plan.rows[:, 0]]
        pictures = torch.stack([prepare(Image.fromarray(one)) for one in shown])
        step, stride = STRIDE
        made[f"{clip} pictures"] = pictures[::step, :, ::stride, ::stride].numpy()
        made[f"{clip} features"] = model(pictures).numpy()
    return made


def main(dino: str, media: str) -> None:
    sys.path.insert(0, dino)
    torch.set_num_threads(1)
    with torch.inference_mode():
        np.savez_compressed(HERE / "dino.npz", **features(), **counts())
        np.savez_compressed(HERE / "dino-preprocess.npz", **preprocessed(Path(media)))


if __name__ == "__main__":
    main(*sys.argv[1:])
