"""What ImageBind's picture tower sees, against the reference implementation's numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from random_states import random_bytes
from tiny import tiny_options
from tiny.imagebind import GOLDEN

from avzsl.decode.choice import DecoderChoice
from avzsl.decode.sampling import VideoWindows
from avzsl.decode.video import read_frames
from avzsl.encoders import encoders
from avzsl.encoders.frontends import imagebind as frontend
from avzsl.encoders.frontends.pictures import resize
from avzsl.encoders.imagebind_vision import EndsOfStretches
from avzsl.types import Frames, VideoInfo

MADE_UP = "made-up"
VIDEOS = (
    *("vggsound/-Qowmc0P9ic_000034.mp4", "activitynet/v_GGSY1Qvo990.mp4"),
    *("odd/nasa_13013_rotated.mp4", MADE_UP),
)


def encoder_of(**options: Any) -> Any:
    encoder: Any = encoders.get("imagebind-vision").from_dict(
        tiny_options("imagebind-vision") | options
    )
    encoder.load(torch.device("cpu"))
    return encoder


def made_up(windows: VideoWindows, count: int, fps: float, size: tuple[int, int]) -> Frames:
    pts = np.arange(count) / fps
    plan = windows.plan(pts, count / fps)
    info = VideoInfo(
        width=size[1],
        height=size[0],
        rotation=0,
        fps=fps,
        pts_seconds=pts,
        duration_seconds=count / fps,
    )
    return Frames(rgb=random_bytes(count, *size, 3, seed=3)[plan.indices], plan=plan, info=info)


def frames_of(name: str, windows: VideoWindows, request: pytest.FixtureRequest) -> Frames:
    if name == MADE_UP:
        return made_up(windows, 75, 25, (300, 455))
    path = request.getfixturevalue("media") / name
    return read_frames(str(path), windows, decoder=DecoderChoice(name="pyav"))


def off(encoder: Any, name: str, frames: Frames) -> NDArray[Any]:
    views = encoder.preprocess(frames)
    assert views.shape == (1, 15, 3, 2, 224, 224)
    with np.load(GOLDEN / "imagebind-vision-preprocess.npz") as golden:
        down, right = golden["steps"]
        differs: NDArray[Any] = np.abs(views[0, ..., ::down, ::right].numpy() - golden[name])
    return differs


@pytest.mark.parametrize("name", VIDEOS)
def test_views_are_those_of_the_reference(name: str, request: pytest.FixtureRequest) -> None:
    encoder = encoder_of(views="reference")
    # float32 rounding of values up to 2.7: the same operations in the same order.
    assert off(encoder, name, frames_of(name, encoder.windows, request)).max() < 2e-6


def other_resize(**options: Any) -> Any:
    return lambda *given, **named: resize(*given, **named | options)


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("CLIP_MEAN", (0.5, 0.4578275, 0.40821073)),
        ("CLIP_STD", (0.26862954, 0.26130258, 0.29)),
        ("resize", other_resize(antialias=True)),
        ("resize", other_resize(mode="bicubic")),
        ("scaled_size", lambda height, width: (224, 340)),
    ],
)
def test_other_preprocessing_gives_other_views(
    what: str, value: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    encoder = encoder_of(views="reference")
    monkeypatch.setattr(frontend, what, value)
    assert off(encoder, MADE_UP, frames_of(MADE_UP, encoder.windows, request)).max() > 1e-3


def test_other_crops_and_frames_give_other_views(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    encoder = encoder_of(views="reference")
    with monkeypatch.context() as patch:
        patch.setattr(frontend.math, "ceil", math.floor)
        assert off(encoder, MADE_UP, frames_of(MADE_UP, encoder.windows, request)).max() > 1e-3
    monkeypatch.setattr(EndsOfStretches, "choose", VideoWindows.choose)
    assert off(encoder, MADE_UP, frames_of(MADE_UP, encoder.windows, request)).max() > 1e-3


# --- which frames -----------------------------------------------------------------------------


def ends_of_stretches(
    pts: NDArray[np.float64], begin: float, end: float, stretches: int
) -> list[int]:
    """Naively: the first and the last frame that begins in each stretch of a window."""
    chosen = []
    for number in range(stretches):
        start = begin + number * max(end - begin - 2, 0) / max(stretches - 1, 1)
        stop = min(start + 2, end)
        inside = [n for n, time in enumerate(pts) if start - 1e-6 <= time < stop - 1e-6]
        shown = [n for n, time in enumerate(pts) if time < stop - 1e-6]
        chosen += [inside[0], inside[-1]] if inside else [shown[-1], shown[-1]]
    return chosen


@pytest.mark.parametrize("fps", [0.3, 5, 25, 29.97])
@pytest.mark.parametrize("seconds", [0.04, 0.5, 1.9, 2, 2.1, 4.97, 10, 61])
@pytest.mark.parametrize("start", [0.0, 1.37])
def test_frames_of_any_clip(fps: float, seconds: float, start: float) -> None:
    count = max(math.ceil((start + seconds) * fps), 1)
    pts = np.arange(count) / fps
    for views, stretches in (("fast", 5), ("fast", 1), ("temporal", 5), ("temporal", 3)):
        windows = encoder_windows(views=views, clips=stretches)
        plan = windows.plan(pts, count / fps, start, start + seconds)
        end = min(start + seconds, count / fps)
        expected = ends_of_stretches(pts, start, end, stretches)
        assert plan.indices[plan.rows].ravel().tolist() == expected
        if views == "fast":
            assert plan.rows.shape == (1, 2 * stretches)
            assert np.allclose(plan.spans, [[0, end - start]])
        else:
            assert plan.rows.shape == (stretches, 2)
            assert np.allclose(plan.spans[:, 1] - plan.spans[:, 0], 2)


def encoder_windows(**options: Any) -> EndsOfStretches:
    encoder: Any = encoders.get("imagebind-vision").from_dict({"weights": "random", **options})
    windows: EndsOfStretches = encoder.windows
    return windows


def test_one_frame_is_enough() -> None:
    for views, shape in (("temporal", (5, 1)), ("fast", (1, 5)), ("reference", (1, 15))):
        encoder = encoder_of(views=views)
        windows = encoder.preprocess(made_up(encoder.windows, 1, 25, (8, 30)))
        assert windows.shape == (*shape, 3, 2, 224, 224)
        assert torch.equal(windows[..., 0, :, :], windows[..., 1, :, :])


# --- the three kinds of views -----------------------------------------------------------------


def test_fast_is_the_mean_of_temporal() -> None:
    features = {}
    for views in ("temporal", "fast", "reference"):
        encoder = encoder_of(views=views)
        with torch.inference_mode():
            windows = encoder.preprocess(made_up(encoder.windows, 60, 12, (60, 91)))
            features[views] = encoder.encode(windows)
    assert features["temporal"].shape == (5, 32) and features["reference"].shape == (1, 32)
    mean = torch.nn.functional.normalize(features["temporal"].mean(0, keepdim=True), dim=1)
    assert torch.allclose(features["fast"], mean, atol=1e-6)
    assert (features["fast"] - features["reference"]).abs().max() > 1e-4


def test_square_pictures_have_equal_crops() -> None:
    encoder = encoder_of(views="reference")
    views = encoder.preprocess(made_up(encoder.windows, 60, 12, (40, 40)))[0].unflatten(0, (5, 3))
    assert torch.equal(views[:, 0], views[:, 1]) and torch.equal(views[:, 1], views[:, 2])


def test_many_clips_are_resized_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = encoder_of(clips=20)
    frames = made_up(encoder.windows, 120, 12, (30, 50))
    whole = encoder.preprocess(frames)
    monkeypatch.setattr(frontend, "PICTURES_AT_ONCE", 7)
    assert whole.shape == (20, 1, 3, 2, 224, 224)
    assert torch.equal(encoder.preprocess(frames), whole)
