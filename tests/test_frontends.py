"""Filter banks and pictures against torchaudio, Pillow and torchvision, by way of a golden file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from random_states import random_array, random_bytes
from torch import Tensor
from vit_golden import difference, golden

from avzsl.decode.audio import read_audio
from avzsl.decode.choice import DecoderChoice
from avzsl.decode.sampling import VideoWindows
from avzsl.decode.video import read_frames
from avzsl.encoders.frontends import kaldi
from avzsl.encoders.frontends.pictures import (
    centre_crop,
    normalise,
    resize,
    resize_in_passes,
    short_side_size,
    to_device,
)
from avzsl.encoders.resample import resample

GOLDEN = golden("frontends")
NOISE = ("noise (48, 64)", "noise (90, 51)", "noise (17, 33)")
CLIPS = ("vggsound/1aDnyPubxdY_000118.mp4", "vas/dog_video_02677.mp4")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# --- Kaldi's filter banks -----------------------------------------------------------------------


def made_up(name: str) -> Tensor:
    seconds = torch.arange(16_000) / 16_000
    return {
        "noise": torch.from_numpy(random_array(1, 8_000, scale=0.1)),
        "chirp": 0.5 * torch.sin(2 * torch.pi * 3_000 * seconds.square())[None],
        "silence": torch.zeros(1, 2_000),
    }[name]


@pytest.mark.parametrize("name", ["noise", "chirp", "silence"])
def test_filter_bank_is_torchaudios(name: str) -> None:
    got_BTM = kaldi.fbank(made_up(name))
    # A chirp leaves bands at the floor of float32, where rounding shows.
    assert difference(got_BTM[0, ::4, ::4], GOLDEN[f"fbank {name}"]) <= 2e-5


def test_filter_bank_of_a_real_sound_is_torchaudios(media: Path) -> None:
    heard = read_audio(str(media / "audio/dog.wav"))
    mono = torch.from_numpy(heard.samples.mean(0, keepdims=True))
    sound = resample(mono, from_rate=heard.sample_rate, to_rate=16_000)
    assert difference(kaldi.fbank(sound)[0, ::4, ::4], GOLDEN["fbank real"]) <= 2e-5


@pytest.mark.parametrize(("name", "value"), [("PREEMPHASIS", 0.96), ("LOW_HZ", 25.0)])
def test_constants_of_the_filter_bank_matter(
    name: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaldi.mel_filters.cache_clear()
    monkeypatch.setattr(kaldi, name, value)
    got_BTM = kaldi.fbank(made_up("noise"))
    kaldi.mel_filters.cache_clear()
    assert difference(got_BTM[0, ::4, ::4], GOLDEN["fbank noise"]) > 1e-2


def test_filter_banks_of_a_batch_are_those_of_its_sounds() -> None:
    batch = torch.from_numpy(random_array(3, 2_000, scale=0.1))
    together = kaldi.fbank(batch, bands=64)
    assert together.shape == (3, 11, 64)
    for number, one in enumerate(batch):
        assert difference(kaldi.fbank(one[None], bands=64)[0], together[number]) <= 1e-5


def test_a_sound_of_less_than_a_frame_is_refused() -> None:
    assert kaldi.fbank(torch.zeros(1, 400)).shape == (1, 1, 128)
    with pytest.raises(ValueError, match=r"400 samples .* got 399"):
        kaldi.fbank(torch.zeros(1, 399))


# --- pictures -----------------------------------------------------------------------------------


def bytes_of(name: str, media: Path | None = None) -> Tensor:
    """One picture [1, 3, H, W]."""
    if name.startswith("noise"):
        height, width = map(int, name.removeprefix("noise ").strip("()").split(","))
        return to_device(random_bytes(height, width, 3)[None], "cpu")
    assert media is not None
    windows = VideoWindows(count=2, frames=1)
    frames = read_frames(str(media / name), windows, decoder=DecoderChoice(name="pyav"))
    return to_device(frames.rgb[1:], "cpu")


def check_sizes(picture_13HW: Tensor, name: str) -> None:
    height, width = picture_13HW.shape[-2:]
    short = short_side_size(height, width, 32)
    for how, size in {
        "bicubic 32": short,
        "bilinear 32": short,
        "bilinear 40x53": (40, 53),
    }.items():
        mode = how.split()[0]
        expected = GOLDEN[f"pillow {how} {name}"].permute(2, 0, 1)[None].int()
        by_bytes = resize(picture_13HW, size, mode=mode, antialias=True)
        by_passes = resize_in_passes(picture_13HW, size, mode=mode)
        for got in (by_bytes, by_passes):
            assert got.dtype == torch.uint8
            assert difference(got.int(), expected) <= 1, how
        # Pillow and torch round halves differently, which the smallest ratios of sizes make many.
        assert (by_bytes.int() != expected).float().mean() < 0.25, how


@pytest.mark.parametrize("name", NOISE)
def test_bytes_are_resized_as_by_pillow(name: str) -> None:
    check_sizes(bytes_of(name), name)


@pytest.mark.parametrize("name", CLIPS)
def test_real_bytes_are_resized_as_by_pillow(name: str, media: Path) -> None:
    check_sizes(bytes_of(name, media), name)


@pytest.mark.parametrize("how", ["bicubic 32", "bilinear 32", "bilinear 40x53"])
def test_floats_are_resized_as_by_torchvision(how: str, media: Path) -> None:
    picture = bytes_of(CLIPS[0], media).float()
    mode, size = how.split()
    shape = (40, 53) if "x" in size else short_side_size(*picture.shape[-2:], int(size))
    got = resize(picture, shape, mode=mode, antialias=False)
    assert difference(got[0, :, ::3, ::3], GOLDEN[f"v2 {how} {CLIPS[0]}"]) <= 1e-4
    smooth = resize(picture, shape, mode=mode, antialias=True)
    assert difference(smooth, got) > 10


def test_bytes_without_antialiasing_are_the_rounded_floats() -> None:
    picture = bytes_of(NOISE[0])
    for mode in ("bilinear", "bicubic"):
        got = resize(picture, (20, 30), mode=mode, antialias=False)
        exact = resize(picture.float(), (20, 30), mode=mode, antialias=False)
        assert got.dtype == torch.uint8
        assert difference(got.float(), exact.clamp(0, 255)) <= 0.5


def test_resizing_to_the_same_size_changes_nothing() -> None:
    picture = bytes_of(NOISE[1])
    assert torch.equal(resize(picture, (90, 51), mode="bicubic", antialias=True), picture)


@pytest.mark.parametrize(
    ("size", "short", "expected"),
    [((720, 1280), 256, (256, 455)), ((1280, 720), 256, (455, 256)), ((90, 51), 32, (56, 32))],
)
def test_short_side(size: tuple[int, int], short: int, expected: tuple[int, int]) -> None:
    assert short_side_size(*size, short) == expected


@pytest.mark.parametrize("name", NOISE)
@pytest.mark.parametrize("side", [16, 17])
def test_crop_is_torchvisions(name: str, side: int) -> None:
    expected = GOLDEN[f"crop {side} {name}"]
    got = centre_crop(bytes_of(name), side)[0].permute(1, 2, 0)
    assert got.shape == (side, side, 3) and torch.equal(got[::3, ::3], expected)


def test_crop_rounds_the_odd_pixel_down_where_asked() -> None:
    picture = torch.arange(7)[None, None, None].expand(1, 1, 7, 7)
    assert centre_crop(picture, 4)[0, 0, 0].tolist() == [2, 3, 4, 5]  # 1.5 to even
    assert centre_crop(picture, 4, rounding="floor")[0, 0, 0].tolist() == [1, 2, 3, 4]


def test_normalise() -> None:
    picture = torch.ones(2, 3, 1, 1) * torch.tensor([1.0, 2.0, 3.0])[:, None, None]
    got = normalise(picture, (1.0, 1.0, 1.0), (1.0, 2.0, 4.0))
    assert np.allclose(got[1].flatten(), [0.0, 0.5, 0.5])
