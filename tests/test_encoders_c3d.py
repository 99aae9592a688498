"""C3D against c3d-pytorch, the extraction scripts of AVCA and TCaF, and the original's recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_clips import pictures
from random_states import random_array, random_state
from safetensors.torch import save_file
from tiny.vggish_c3d import c3d_layout, write_c3d

from avzsl.decode.choice import DecoderChoice
from avzsl.decode.video import read_frames
from avzsl.encoders import c3d as c3d_module
from avzsl.encoders import encoders
from avzsl.encoders.networks import c3d as network_module
from avzsl.types import Frames

GOLDEN = Path(__file__).parent / "golden" / "encoders"
TOLERANCE = 1e-6
CLIPS = (
    "vggsound/54bz5yqN2IA_000004.mp4",
    "vas/baby_video_01951.mp4",
    "activitynet/v_GGSY1Qvo990.mp4",
)
SECONDS = 1.7
KEPT = (Ellipsis, slice(None, None, 5), slice(None, None, 15), slice(None, None, 15))
"""Frames and pixels that are in the golden file."""
KINETICS = {"level": 1.02 / 255 / min(c3d_module.KINETICS_STD), "share": 0.02}
PRESETS = {
    "sports1m": {"level": 1.001, "share": 0.15},
    "avca-ucf-vgg": KINETICS,
    "avca-anet": KINETICS,
}
"""How far a value may be from the reference's, one level of 255, and what share of them may be at
all: OpenCV and PIL round their weights to 11 and 8 bits, torch does not."""


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    return dict(np.load(GOLDEN / "c3d.npz"))


@pytest.fixture(scope="module")
def golden_pictures() -> dict[str, np.ndarray]:
    return dict(np.load(GOLDEN / "c3d-preprocess.npz"))


def inputs() -> torch.Tensor:
    return torch.from_numpy(random_array(3, 3, 16, 112, 112, seed=1, scale=50.0))


def build(path: Path | str, **options: Any) -> Any:
    encoder = encoders.get("c3d").from_dict({"weights": str(path)} | options)
    encoder.load(torch.device("cpu"))
    return encoder


def unloaded(**options: Any) -> Any:
    encoder = encoders.get("c3d").from_dict({"weights": "random"} | options)
    encoder.device = torch.device("cpu")
    return encoder


# --- the network ------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["fc6", "fc7"])
def test_network_equals_both_references(
    golden: dict[str, np.ndarray], layer: str, tmp_path: Path
) -> None:
    path = write_c3d(tmp_path, random_state(json.loads(str(golden["layout"]))))
    encoder = build(path, layer=layer)
    features = encoder.encode(inputs()).numpy()
    assert features.shape == (3, encoder.dim) and encoder.dim == {"fc6": 20, "fc7": 16}[layer]
    assert np.abs(features - golden[layer]).max() <= TOLERANCE


def nudge(network: Any, _: pytest.MonkeyPatch) -> None:
    network.conv2.weight[1, 0, 1, 1, 1] += 0.01


def swap_directions(network: Any, _: pytest.MonkeyPatch) -> None:
    network.conv4a.weight.data = network.conv4a.weight.mT.contiguous()


def channels_last(network: Any, _: pytest.MonkeyPatch) -> None:
    network.fc6.weight.data = network.fc6.weight.unflatten(1, (-1, 16)).mT.flatten(1)


def pool_time_first(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(network_module.POOLS, "conv1", 2)
    monkeypatch.setitem(network_module.POOLS, "conv2", (1, 2, 2))


def round_up(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pool the odd side of 7 as the original does, without padding at the near side."""
    pool = network_module.functional.max_pool3d

    def other(maps: torch.Tensor, size: Any, padding: Any) -> torch.Tensor:
        return pool(maps, size, ceil_mode=padding != 0)

    monkeypatch.setattr(network_module.functional, "max_pool3d", other)


@pytest.mark.parametrize(
    "change", [nudge, swap_directions, channels_last, pool_time_first, round_up]
)
def test_golden_features_notice(
    golden: dict[str, np.ndarray], change: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = build(write_c3d(tmp_path))
    change(encoder.network, monkeypatch)
    features = encoder.encode(inputs()).numpy()
    assert np.abs(features - golden["fc7"]).max() > 100 * TOLERANCE


# --- pictures to windows ----------------------------------------------------------------------


def read(encoder: Any, media: Path, clip: str, end_seconds: float | None = None) -> Frames:
    return read_frames(
        str(media / clip),
        encoder.windows,
        decoder=DecoderChoice(name="pyav"),
        end_seconds=end_seconds,
    )


def assert_like_reference(ours: np.ndarray, theirs: np.ndarray, preset: str) -> None:
    assert ours.shape == theirs.shape
    apart = np.abs(ours - theirs)
    assert apart.max() <= PRESETS[preset]["level"]
    assert (apart > 1e-5).mean() <= PRESETS[preset]["share"]


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("clip", CLIPS)
def test_clips_look_as_to_the_reference(
    golden_pictures: dict[str, np.ndarray], media: Path, clip: str, preset: str
) -> None:
    encoder = unloaded(preset=preset)
    windows = encoder.preprocess(read(encoder, media, clip, SECONDS))
    assert windows.shape == (3, 3, 16, 112, 112) and windows.dtype == torch.float32
    assert_like_reference(windows.numpy()[KEPT], golden_pictures[f"{clip} {preset}"], preset)


@pytest.mark.parametrize(
    ("preset", "name", "value"),
    [
        ("sports1m", "SPORTS1M_MEAN_BGR", (101.41, 97.66, 90.25)),
        ("sports1m", "SIZE", (128, 172)),
        ("sports1m", "centre_crop", {"rounding": "round"}),
        ("sports1m", "resize", {"antialias": True}),
        ("avca-anet", "KINETICS_MEAN", (0.45, 0.45, 0.45)),
        ("avca-anet", "KINETICS_STD", (0.225, 0.225, 0.225)),
        ("avca-anet", "centre_crop", {"rounding": "floor"}),
        ("avca-anet", "resize", {"antialias": False}),
        ("avca-anet", "preset", "avca-ucf-vgg"),
        ("avca-ucf-vgg", "preset", "avca-anet"),
    ],
)
def test_golden_pictures_notice(
    golden_pictures: dict[str, np.ndarray],
    media: Path,
    monkeypatch: pytest.MonkeyPatch,
    preset: str,
    name: str,
    value: Any,
) -> None:
    from avzsl.encoders.frontends import pictures as front

    encoder = unloaded(preset=value if name == "preset" else preset)
    if isinstance(value, dict):
        right = getattr(front, name)
        monkeypatch.setattr(front, name, lambda *given, **named: right(*given, **(named | value)))
    elif name != "preset":
        monkeypatch.setattr(c3d_module, name, value)
    windows = encoder.preprocess(read(encoder, media, CLIPS[0], SECONDS))
    with pytest.raises(AssertionError):
        theirs = golden_pictures[f"{CLIPS[0]} {preset}"]
        assert_like_reference(windows.numpy()[KEPT], theirs, preset)


@pytest.mark.parametrize("clip", CLIPS)
def test_as_many_pictures_as_ffmpeg_makes(
    golden_pictures: dict[str, np.ndarray], media: Path, clip: str
) -> None:
    rows = read(unloaded(), media, clip).plan.rows
    assert (rows >= 0).sum() == golden_pictures[f"{clip} count"]


@pytest.mark.parametrize(
    ("seconds", "windows", "shown"),
    [(0.3, 1, 8), (0.64, 1, 16), (0.65, 1, 16), (0.68, 2, 17), (1.0, 2, 25), (10.0, 16, 250)],
)
def test_windows_of_any_duration(seconds: float, windows: int, shown: int) -> None:
    count = round(seconds * 100)
    plan = unloaded().windows.plan(np.arange(count) / 100, seconds)
    assert plan.rows.shape == (windows, 16) and (plan.rows >= 0).sum() == shown
    assert (plan.rows.ravel()[:shown] >= 0).all()


@pytest.mark.parametrize("preset", list(PRESETS))
def test_missing_pictures_are_zero_behind_the_normalisation(preset: str) -> None:
    windows = unloaded(preset=preset).preprocess(pictures(unloaded(), 1.0, fps=25, kind="white"))
    assert (
        windows[1, :, 9:].eq(0).all() and windows[0].ne(0).all() and windows[1, :, :9].ne(0).all()
    )


def test_frame_rate_is_an_option() -> None:
    encoder = unloaded(fps=10.0)
    assert encoder.windows.length_seconds == 1.6
    frames = pictures(encoder, 3.2, fps=10)
    assert np.array_equal(frames.plan.rows, np.arange(32).reshape(2, 16))
    assert encoder.preprocess(frames).shape == (2, 3, 16, 112, 112)


def test_pictures_are_resized_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = unloaded()
    frames = pictures(encoder, 1.0)
    whole = encoder.preprocess(frames)
    monkeypatch.setattr(c3d_module, "PICTURES_AT_ONCE", 3)
    assert torch.equal(encoder.preprocess(frames), whole)


def test_negated_bytes_wrap() -> None:
    encoder = unloaded(preset="avca-ucf-vgg")
    plain = unloaded(preset="avca-anet")
    for value in (0, 1, 10, 128, 255):
        byte = torch.full((1, 3, 128, 171), value, dtype=torch.uint8)
        other = torch.full((1, 3, 128, 171), (256 - value) % 256, dtype=torch.uint8)
        assert torch.equal(encoder._prepared(byte), plain._prepared(other))


# --- files and options ------------------------------------------------------------------------


def test_all_formats_give_the_same_network(tmp_path: Path) -> None:
    state = random_state(c3d_layout())
    bare = {name: tensor for name, tensor in state.items() if not name.startswith("fc8")}
    torch.save(bare, tmp_path / "bare.pth")
    save_file(state, tmp_path / "c3d.safetensors")
    right = build(write_c3d(tmp_path)).network.state_dict()
    assert right.keys() == bare.keys()
    for name in ("bare.pth", "c3d.safetensors"):
        found = build(tmp_path / name).network.state_dict()
        assert all(torch.equal(found[key], tensor) for key, tensor in right.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv3b.bias": None}, "missing: conv3b.bias"),
        ({"fc9.bias": torch.zeros(2)}, "unexpected: fc9.bias"),
        ({"fc6.weight": torch.zeros(20, 90)}, "of another shape: fc6.weight"),
        ({"conv5a.weight": None}, "not C3D.*conv5a.weight"),
    ],
)
def test_other_tensors_are_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    state = {**random_state(c3d_layout()), **change}
    kept = {name: tensor for name, tensor in state.items() if tensor is not None}
    with pytest.raises(ValueError, match=message):
        build(write_c3d(tmp_path, kept))


def test_published_size(golden: dict[str, np.ndarray]) -> None:
    encoder = encoders.get("c3d").from_dict({"weights": "random:c3d-sports1m"})
    with torch.device("meta"):
        network = encoder.build(encoder.sizes)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert golden["parameters"] == 79_991_015 and encoder.dim == 4096
    assert count == golden["parameters"] - golden["parameters fc8"]
