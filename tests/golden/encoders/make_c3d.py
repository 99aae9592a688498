"""Make ``c3d*.npz`` with c3d-pytorch, the extraction scripts of AVCA and TCaF, and OpenCV.

References: https://github.com/DavideA/c3d-pytorch, commit 1111ccf,
https://github.com/ExplainableML/AVCA-GZSL, commit 2711aeb, and
https://github.com/ExplainableML/TCAF-GZSL, commit 0ca2059; torch 2.13, torchvision 0.28, Pillow 13,
OpenCV 5.0, PyAV 18.1. The original's preprocessing (https://github.com/facebookarchive/C3D, commit
ef7c013, ``image_io.cpp`` and ``video_data_layer.cpp``) is one call of OpenCV, a crop and a
difference, written anew in ``original``. Run in the folder of this project, with an environment
that has these:

    PYTHONPATH=src:tests python tests/golden/encoders/make_c3d.py C3D AVCA TCAF MEDIA

MEDIA is the folder of real clips.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
import torch
import torchvision
from random_states import layout_of, random_array, random_state
from tiny.vggish_c3d import C3D_CHANNELS, C3D_NAMES, C3D_WIDTHS
from torch import nn

from avzsl.decode.choice import DecoderChoice
from avzsl.decode.sampling import VideoWindows
from avzsl.decode.video import read_frames

HERE = Path(__file__).parent
CLIPS = (
    "vggsound/54bz5yqN2IA_000004.mp4",
    "vas/baby_video_01951.mp4",
    "activitynet/v_GGSY1Qvo990.mp4",
)
"""30, 29.97 and 19.62 frames a second."""
SECONDS = 1.7
"""Of each clip: two windows of 16 frames and 11 frames more."""
STRIDE = (5, 15)
"""Every so many-th frame of a window, and pixel in both directions, is kept."""
SCRIPTS = {
    "avca-ucf-vgg": ("get_features_ucf.py", "get_features_vggsound.py"),
    "avca-anet": ("get_features_activitynet.py",),
}


def module(path: Path, **constants: int) -> dict[str, Any]:
    """The names of a reference file, numbers in its text replaced."""
    text = path.read_text()
    for before, after in constants.items():
        assert before[1:] in text
        text = text.replace(before[1:], str(after))
    names: dict[str, Any] = {"__name__": "reference"}
    exec(compile(text, path, "exec"), names)
    return names


def network(path: Path) -> tuple[nn.Module, dict[str, list]]:
    """The reference's network with few channels."""
    model = module(path, _8192=C3D_CHANNELS[-1] * 16)["C3D"]()
    inputs = 3
    for name, channels in zip(C3D_NAMES, C3D_CHANNELS, strict=True):
        padding = getattr(model, name).padding
        setattr(model, name, nn.Conv3d(inputs, channels, 3, padding=padding))
        inputs = channels
    inputs *= 16
    for name, width in zip(("fc6", "fc7", "fc8"), (*C3D_WIDTHS, 7), strict=True):
        setattr(model, name, nn.Linear(inputs, width))
        inputs = width
    layout = layout_of(model.state_dict())
    model.load_state_dict(random_state(layout))
    return model.eval(), layout


def features(c3d: Path, avca: Path) -> dict[str, np.ndarray]:
    whole = module(c3d / "C3D_model.py")["C3D"]()
    model, layout = network(c3d / "C3D_model.py")
    caught: list[torch.Tensor] = []  # dropout follows the ReLU of either layer
    model.dropout.register_forward_hook(lambda *call: caught.append(call[2]))
    windows = torch.from_numpy(random_array(3, 3, 16, 112, 112, seed=1, scale=50.0))
    model(windows)
    fc6, fc7 = (output.numpy() for output in caught)
    assert np.array_equal(network(avca / "c3d" / "c3d.py")[0](windows).numpy(), fc7)
    return {
        "layout": np.array(json.dumps(layout)),
        "fc6": fc6,
        "fc7": fc7,
        "parameters": np.array(sum(weight.numel() for weight in whole.parameters())),
        "parameters fc8": np.array(sum(weight.numel() for weight in whole.fc8.parameters())),
    }


def at_25_fps(path: Path) -> tuple[np.ndarray, int]:
    """Pictures [F, H, W, 3] of FFmpeg's filter fps=25 up to SECONDS, and how many a whole clip has.

    The filter says which pictures it takes; they are decoded by our code.
    """
    graph = av.filter.Graph()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        source = graph.add_buffer(template=stream)
        nodes = [source, graph.add("setpts", "PTS-STARTPTS"), graph.add("fps", "25")]
        graph.link_nodes(*nodes, graph.add("buffersink")).configure()
        numbers, taken = {}, []

        def pull() -> None:
            while True:
                try:
                    taken.append(numbers[graph.pull().to_ndarray().tobytes()])
                except (BlockingIOError, av.EOFError):
                    return

        for number, frame in enumerate(container.decode(stream)):
            numbers.setdefault(frame.to_ndarray().tobytes(), number)
            graph.push(frame)
            pull()
        graph.push(None)
        pull()
    step = 1 / float(stream.average_rate)
    every = VideoWindows(length_seconds=step, hop_seconds=step, frames=1)
    frames = read_frames(str(path), every, decoder=DecoderChoice(name="pyav"))
    shown = [number for slot, number in enumerate(taken) if (slot + 0.5) / 25 <= SECONDS]
    by_number = dict(zip(frames.plan.indices.tolist(), frames.rgb, strict=True))
    return np.stack([by_number[number] for number in shown]), len(taken)


def by_script(path: Path, rgb_FHW3: np.ndarray) -> np.ndarray:
    """What the network of an extraction script is given for a clip, [N, 3, 16, 112, 112].

    The script itself prepares it: its statements behind the sound are run on pictures that a
    stand-in for OpenCV hands out.
    """
    tree = ast.parse(path.read_text())
    body = next(node.body for node in ast.walk(tree) if isinstance(node, ast.Try))
    names = [ast.unparse(node).split("=")[0].strip() for node in body]
    visual = ast.Module(body[names.index("vggish_output_average") + 1 :], type_ignores=[])
    pictures = iter(np.ascontiguousarray(rgb_FHW3[..., ::-1]))
    height, width = rgb_FHW3.shape[1:3]
    facts = {"count": len(rgb_FHW3), "height": height, "width": width}
    capture = SimpleNamespace(
        get=facts.__getitem__,
        read=lambda: (
            (True, picture) if (picture := next(pictures, None)) is not None else (False, 0)
        ),
        release=lambda: None,
    )
    stand_in = SimpleNamespace(
        VideoCapture=lambda _: capture,
        CAP_PROP_FRAME_COUNT="count",
        CAP_PROP_FRAME_HEIGHT="height",
        CAP_PROP_FRAME_WIDTH="width",
    )
    caught: list[torch.Tensor] = []

    def model(clip: torch.Tensor) -> torch.Tensor:
        caught.append(clip.clone())
        return torch.zeros(1, 2)

    torch.Tensor.cuda = lambda self: self
    given = {"cv2": stand_in, "torch": torch, "torchvision": torchvision, "np": np, "f": path}
    exec(compile(visual, path, "exec"), given | {"model": model})
    return torch.cat(caught).numpy()


def original(rgb_FHW3: np.ndarray) -> np.ndarray:
    """What the original's test phase gives the network, with the mean's mean over all places."""
    windows = np.zeros((-(-len(rgb_FHW3) // 16), 3, 16, 112, 112), np.float32)
    for number, rgb_HW3 in enumerate(rgb_FHW3):
        bgr_HW3 = cv2.resize(np.ascontiguousarray(rgb_HW3[..., ::-1]), (171, 128))
        top, left = (128 - 112) // 2, (171 - 112) // 2
        crop_SS3 = bgr_HW3[top : top + 112, left : left + 112].astype(np.float32)
        crop_SS3 -= np.array((90.25, 97.66, 101.41), np.float32)
        windows[number // 16, :, number % 16] = crop_SS3.transpose(2, 0, 1)
    return windows


def preprocessed(avca: Path, tcaf: Path, media: Path) -> dict[str, np.ndarray]:
    made: dict[str, np.ndarray] = {}
    for clip in CLIPS:
        rgb_FHW3, count = at_25_fps(media / clip)
        windows = {"sports1m": original(rgb_FHW3)}
        for preset, scripts in SCRIPTS.items():
            windows[preset] = by_script(avca / "cls_feature_extraction" / scripts[0], rgb_FHW3)
            for script in scripts:
                for folder in (avca, tcaf):
                    again = by_script(folder / "cls_feature_extraction" / script, rgb_FHW3)
                    assert np.array_equal(again, windows[preset])
        made[f"{clip} count"] = np.array(count)
        for preset, whole in windows.items():
            frame, pixel = STRIDE
            made[f"{clip} {preset}"] = whole[:, :, ::frame, ::pixel, ::pixel]
    return made


def main(c3d: str, avca: str, tcaf: str, media: str) -> None:
    torch.set_num_threads(1)
    with torch.inference_mode():
        np.savez_compressed(HERE / "c3d.npz", **features(Path(c3d), Path(avca)))
        made = preprocessed(Path(avca), Path(tcaf), Path(media))
        np.savez_compressed(HERE / "c3d-preprocess.npz", **made)


if __name__ == "__main__":
    main(*sys.argv[1:])
