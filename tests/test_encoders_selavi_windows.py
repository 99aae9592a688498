"""What SeLaVi's networks are shown, against the loader of its authors, AVCA and TCaF."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_clips import pictures, sound
from random_states import random_array, random_bytes, random_state
from selavi_golden import GOLDEN, LAYOUT, TOLERANCE, difference, loaded

from avzsl.decode.audio import read_audio
from avzsl.decode.choice import DecoderChoice
from avzsl.decode.video import read_frames
from avzsl.encoders import encoders
from avzsl.encoders import selavi as placing
from avzsl.encoders.frontends import selavi as frontend
from avzsl.encoders.selavi import frame_rate

CLIPS = sorted({key.rsplit(" ", 1)[0] for key in GOLDEN["video-preprocess"]})
NUMBERS = [key for key in GOLDEN["video"] if key.startswith(("avca", "tcaf"))]
SIZES = [tuple(map(int, k.split()[1:])) for k in GOLDEN["video"] if k.startswith("pictures")]
KINDS = ("selavi-audio", "selavi-video")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("selavi") / "selavi.pth"
    torch.save(random_state(LAYOUT), path)
    return path


def spectrum() -> np.ndarray:
    wav_S = np.rint(3000 * random_array(44_100, seed=3)).astype(np.int16)
    wav_S[20_000:23_000] = 0
    return frontend.spectra(torch.from_numpy(wav_S)[None].float())[0].numpy()


def test_spectrum_is_the_references() -> None:
    expected = GOLDEN["audio"]["spectrum"]
    assert spectrum().shape == expected.shape
    # Both round a float64 to a float32.
    assert np.abs(spectrum() - expected).max() <= TOLERANCE
    assert (frontend.filters() == 0).all(axis=0).sum() == 54


@pytest.mark.parametrize(
    ("name", "value"),
    [("PREEMPHASIS", 0.96), ("FRAME", 880), ("SPECTRUM_MEAN", 1.94), ("SPECTRUM_STD", 17.9)],
)
def test_every_constant_of_the_spectrum_matters(
    name: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontend, name, value)
    assert np.abs(spectrum() - GOLDEN["audio"]["spectrum"]).max() > 1e-4


def squares(height: int, width: int) -> np.ndarray:
    made_F3HW = frontend.pictures(random_bytes(2, height, width, 3, seed=height), "cpu")
    return made_F3HW.transpose(0, 1)[:, :, ::10, ::10].numpy()


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_pictures_are_the_references(height: int, width: int) -> None:
    expected = GOLDEN["video"][f"pictures {height} {width}"]
    # Normalised before resizing there and behind it here.
    assert np.abs(squares(height, width) - expected).max() <= 2e-6


@pytest.mark.parametrize(
    ("name", "value"), [("PICTURE_MEAN", 0.451), ("PICTURE_STD", 0.226), ("math.ceil", int)]
)
def test_every_constant_of_the_pictures_matters(
    name: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"avzsl.encoders.frontends.selavi.{name}", value)
    # 185 pixels beside 112: the crop begins at half a pixel.
    assert np.abs(squares(112, 185) - GOLDEN["video"]["pictures 112 185"]).max() > 1e-3


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("rounded", [False, True])
def test_frames_are_those_that_the_scripts_take(key: str, rounded: bool) -> None:
    script, rate, count = key.split()
    fps = float(Fraction(rate))
    pts = np.arange(int(count)) / fps
    encoder = encoders.get("selavi-video").from_dict({"placement": script})
    times = pts.round(3) if rounded else pts  # as Matroska keeps them
    plan = encoder.windows.plan(times, int(count) / fps)
    assert np.array_equal(plan.indices[plan.rows], GOLDEN["video"][key])


def test_the_length_of_a_window_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "WINDOW_SECONDS", 1.1)
    plan = encoders.get("selavi-video").from_dict({"placement": "avca"}).windows
    wrong = plan.plan(np.arange(250) / 25, 10.0)
    assert not np.array_equal(wrong.indices[wrong.rows], GOLDEN["video"]["avca 25 250"])


@pytest.mark.parametrize("clip", CLIPS)
def test_clips_are_the_references(clip: str, checkpoint: Path, media: Path) -> None:
    script, name = clip.split(" ", 1)
    expected = GOLDEN["video-preprocess"]
    encoder = loaded("video", checkpoint, placement=script)
    path = str(media / name)
    frames = read_frames(path, encoder.windows, decoder=DecoderChoice(name="pyav"))
    late = frames.plan.spans[:, 0] - expected[f"{clip} begins"]
    assert late.min() > -1e-3 and late.max() < 1 / frames.info.fps
    made = encoder.preprocess(frames)
    assert difference(made[..., 10::40, 7::40], expected[f"{clip} pictures"]) <= 2e-6
    assert difference(encoder.encode(made[:2]), expected[f"{clip} features"]) <= 2e-6


@pytest.mark.parametrize("clip", CLIPS)
def test_sounds_are_the_references(clip: str, checkpoint: Path, media: Path) -> None:
    script, name = clip.split(" ", 1)
    expected = GOLDEN["audio-preprocess"]
    encoder = loaded("audio", checkpoint, placement=script)
    waveform = read_audio(str(media / name))
    begins = expected[f"{clip} begins"]
    own = encoder.windows.spans(waveform.duration_seconds)[:, 0]
    # The scripts count in frames, up to 1/12 s here, and sound and pictures end at two times.
    assert len(own) == len(begins) and np.abs(own - begins).max() < 0.1
    made = encoder.preprocess(waveform, np.stack([begins, begins + 1], axis=1))
    assert difference(made[:, :, ::16, ::10], expected[f"{clip} spectra"]) <= TOLERANCE
    assert difference(encoder.encode(made[:2]), expected[f"{clip} features"]) <= TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("placement", "seconds", "begins"),
    [
        ("uniform", 0.99, []),
        ("uniform", 1.0, [0.0]),
        ("uniform", 3.7, [0.0, 1.0, 2.0]),
        ("avca", 1.99, []),
        ("avca", 2.0, [0.0]),
        ("avca", 4.5, [0.0, 0.35, 0.7]),
        ("avca", 12.0, [0.55 * number for number in range(11)]),
        ("tcaf", 0.99, []),
        ("tcaf", 1.0, [0.0]),
        ("tcaf", 4.5, [0.0, 0.35, 0.7, 1.05]),
        ("tcaf", 10.0, [0.45 * number for number in range(10)]),
        ("tcaf", 20.5, [0.65 * number for number in range(20)]),
    ],
)
def test_windows(kind: str, placement: str, seconds: float, begins: list[float]) -> None:
    windows = encoders.get(kind).from_dict({"placement": placement}).windows
    spans = windows.spans(seconds)
    assert spans.shape == (len(begins), 2)
    assert np.allclose(spans[:, 0], begins) and np.allclose(spans[:, 1] - spans[:, 0], 1.0)
    padded = encoders.get(kind).from_dict({"placement": placement, "short": "pad"}).windows
    assert np.allclose(padded.spans(seconds)[:, 0], begins or [0.0])
    assert len(padded.spans(0.0)) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_windows_say_where_they_lie(kind: str) -> None:
    of = encoders.get(kind).from_dict
    assert str(of({}).windows) == "1 s every 1 s"
    assert "AVCA" in str(of({"placement": "avca"}).windows)


@pytest.mark.parametrize(
    ("rate", "count", "expected"),
    [
        (30.0, 300, 30.0),
        (30_000 / 1001, 300, 30_000 / 1001),
        (24_000 / 1001, 100, 24_000 / 1001),
        (19.6, 355, 19.6),
        (29.99, 3_000, 29.99),
        (7.0, 1, 1.0),
    ],
)
def test_frame_rate_is_rid_of_rounding(rate: float, count: int, expected: float) -> None:
    pts = np.arange(count) / rate
    assert frame_rate(pts) == pytest.approx(expected, abs=1e-9)
    assert frame_rate(pts.round(3)) == pytest.approx(expected, abs=1e-3)


def test_short_videos_hold_the_last_picture(checkpoint: Path) -> None:
    encoder = loaded("video", checkpoint, short="pad")
    frames = pictures(encoder, 0.4, fps=25, size=(112, 112))
    window_3THW = encoder.preprocess(frames)[0]
    assert len(frames.rgb) == 10
    # 1 / 25 s each, shown at 24 / 29 frames a step.
    assert all(torch.equal(window_3THW[:, step], window_3THW[:, -1]) for step in range(11, 30))
    assert not torch.equal(window_3THW[:, 10], window_3THW[:, -1])


def test_short_sounds_are_filled_with_silence(checkpoint: Path) -> None:
    encoder = loaded("audio", checkpoint, short="pad")
    waveform = sound(0.5, rate=44_100)
    made_1MT = encoder.preprocess(waveform, encoder.windows.spans(0.5))[0]
    silence = (np.log(np.finfo(float).eps) - 1.93) / 17.89
    assert made_1MT.shape == (1, 257, 99)
    assert torch.allclose(made_1MT[..., 51:], torch.tensor(silence, dtype=torch.float32))
    assert (made_1MT[:, -1, :51] > 0).all()  # the emphasis reaches one sample further


def test_sound_is_rounded_to_16_bits_and_clipped() -> None:
    sound_S = torch.tensor([1.5, 1.0, -1.0, -1.5, 0.4 / 32768, 0.6 / 32768])
    assert frontend.as_int16(sound_S).tolist() == [32767, 32767, -32768, -32768, 0, 1]


def test_the_last_window_does_not_reach_beyond_the_sound(checkpoint: Path) -> None:
    encoder = loaded("audio", checkpoint)
    waveform = sound(2.0, rate=44_100)
    last = encoder.preprocess(waveform, np.array([[1.0, 2.0]]))
    assert torch.equal(encoder.preprocess(waveform, np.array([[1.00002, 2.00002]])), last)


def test_each_picture_is_in_its_place(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = loaded("video", checkpoint)
    frames = pictures(encoder, 2.2, fps=12.5, size=(112, 150))
    windows_N3THW = encoder.preprocess(frames)
    assert windows_N3THW.shape == (2, 3, 30, 112, 112)
    for window, rows in zip(windows_N3THW, frames.plan.rows, strict=True):
        shown_T3HW = frontend.pictures(frames.rgb[rows], "cpu")
        assert torch.equal(window.transpose(0, 1), shown_T3HW)
    monkeypatch.setattr(frontend, "PICTURES_AT_ONCE", 3)
    assert torch.equal(encoder.preprocess(frames), windows_N3THW)
