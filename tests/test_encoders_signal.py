"""What the weight-free encoders of sound and of names measure, where the answer is known."""

from __future__ import annotations

import hashlib
import itertools
import math

import numpy as np
import pytest
import torch

from avzsl.encoders.mel import hz_to_mel, mel_filters
from avzsl.encoders.signal_audio import GROUPS, MODULATION_HZ, SignalAudio, _modulations
from avzsl.encoders.signal_text import SignalText, split_words
from avzsl.types import Waveform

RATE = 16_000


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# --- mel --------------------------------------------------------------------------------------


def test_mel_scale():
    assert hz_to_mel(0) == 0
    assert hz_to_mel(1_000) == pytest.approx(999.99, abs=0.01)
    assert (np.diff(hz_to_mel(np.arange(8_000.0))) > 0).all()


def test_mel_filters_by_loops():
    bands, size, rate, low, high = 5, 64, 8_000, 100.0, 3_500.0
    got = mel_filters(bands=bands, fft_size=size, sample_rate=rate, low_hz=low, high_hz=high)
    mel = [2595 * math.log10(1 + k * rate / size / 700) for k in range(size // 2 + 1)]
    first, last = 2595 * math.log10(1 + low / 700), 2595 * math.log10(1 + high / 700)
    step = (last - first) / (bands + 1)
    for band in range(bands):
        left, centre, right = (first + step * (band + i) for i in range(3))
        for k, m in enumerate(mel):
            up, down = (m - left) / (centre - left), (right - m) / (right - centre)
            assert got[k, band] == pytest.approx(max(0.0, min(up, down)), abs=1e-12)


def test_mel_filters_refuse_nonsense():
    with pytest.raises(ValueError, match="sample_rate / 2"):
        mel_filters(bands=5, fft_size=512, sample_rate=8_000, low_hz=50, high_hz=7_600)
    with pytest.raises(ValueError, match="choose fewer bands"):
        mel_filters(bands=120, fft_size=128, sample_rate=16_000, low_hz=50, high_hz=7_600)


# --- sound ------------------------------------------------------------------------------------


def seconds_of(duration=0.96):
    return np.arange(round(duration * RATE)) / RATE


def describe(samples, **options):
    """The features of one window, by name."""
    encoder = SignalAudio.from_dict(options)
    waveform = Waveform(samples=np.atleast_2d(samples).astype(np.float32), sample_rate=RATE)
    windows = encoder.preprocess(waveform, encoder.windows.spans(waveform.duration_seconds))
    row = encoder.encode(windows)[0].numpy()
    bands, ranges = encoder.options.mel_bands, len(MODULATION_HZ) - 1
    parts = np.split(row, np.cumsum([4 * bands, (GROUPS + 2) * ranges, 12, 1, 1]))
    shape = parts[0].reshape(4, bands)
    return {
        "mean": shape[0],
        "spread": shape[1],
        "change": shape[2],
        "drift": shape[3],
        "modulation": parts[1].reshape(ranges, GROUPS + 2),
        "tracks": parts[2].reshape(4, 3),
        "level": parts[3][0],
        "all": row,
    }


@pytest.mark.parametrize("hertz", [120, 440, 1_000, 3_000, 6_000])
def test_a_tone_lies_in_its_band(hertz):
    encoder = SignalAudio.from_dict({})
    got = describe(np.sin(2 * np.pi * hertz * seconds_of()))
    centres = np.linspace(hz_to_mel(50), hz_to_mel(7_600), encoder.options.mel_bands + 2)[1:-1]
    # Low bands are as narrow as the bins of the spectrum, so the next band may win.
    assert abs(got["mean"].argmax() - np.abs(centres - hz_to_mel(hertz)).argmin()) <= (hertz < 200)
    assert got["spread"].max() < 0.1 and np.abs(got["drift"]).max() < 0.1


def test_gain_changes_the_level_only():
    samples = 0.05 * np.random.default_rng(0).standard_normal(round(0.96 * RATE))
    soft, loud = describe(samples), describe(10 * samples)
    assert loud["level"] - soft["level"] == pytest.approx(1.0, abs=1e-3)  # 20 dB are 2 decades / 2
    other = np.delete(loud["all"] - soft["all"], -3)
    assert np.abs(other).max() < 1e-3


@pytest.mark.parametrize(("hertz", "expected"), [(1, 0), (2, 1), (4, 2), (8, 3), (16, 4)])
def test_tremolo_is_found_at_its_rate(hertz, expected):
    t = seconds_of(1.92)
    swell = 1 + 0.5 * np.sin(2 * np.pi * hertz * t)
    noise = np.random.default_rng(0).standard_normal(len(t))
    steady = describe(0.1 * noise, window_seconds=1.92)["modulation"][:, GROUPS]
    moving = describe(0.1 * noise * swell, window_seconds=1.92)["modulation"][:, GROUPS]
    assert (moving - steady).argmax() == expected


def test_modulation_is_the_root_mean_square():
    t = torch.arange(96, dtype=torch.float64) / 100
    track = 3.0 + 0.7 * torch.sin(2 * math.pi * 8 * t)
    got = _modulations(track[None, :, None])[0, :, 0]
    assert got[3] == pytest.approx(0.7 / math.sqrt(2), rel=0.02)
    assert got.argmax() == 3


def test_a_rising_tone_drifts_up_and_a_falling_one_down():
    t = seconds_of()
    rise = describe(np.sin(2 * np.pi * (300 * t + 700 * t**2)))["tracks"][3, 0]
    fall = describe(np.sin(2 * np.pi * (1_644 * t - 700 * t**2)))["tracks"][3, 0]
    assert rise > 0.3 and fall < -0.3


def test_noise_is_flatter_than_a_tone():
    noise = describe(0.1 * np.random.default_rng(0).standard_normal(round(0.96 * RATE)))
    tone = describe(np.sin(2 * np.pi * 700 * seconds_of()))
    assert noise["tracks"][0, 2] > -0.25 > -0.4 > tone["tracks"][0, 2]


def test_channels_are_averaged():
    left = np.sin(2 * np.pi * 500 * seconds_of())
    both = describe(np.stack([left, left]))["all"]
    assert np.abs(both - describe(left)["all"]).max() < 1e-6
    assert describe(np.stack([left, -left]))["level"] < -3


def test_windows_are_cut_where_the_spans_say():
    encoder = SignalAudio.from_dict({"window_seconds": 0.5, "hop_seconds": 0.25})
    samples = np.arange(2 * RATE, dtype=np.float32)[None] / (2 * RATE)
    waveform = Waveform(samples=samples, sample_rate=RATE)
    spans = encoder.windows.spans(waveform.duration_seconds)
    windows = encoder.preprocess(waveform, spans).numpy()
    assert windows.shape == (7, RATE // 2)
    for window, (begin, end) in zip(windows, spans, strict=True):
        assert np.array_equal(window, samples[0, round(begin * RATE) : round(end * RATE)])


def test_impossible_bands_are_refused_at_once():
    with pytest.raises(ValueError, match="high_hz"):
        SignalAudio.from_dict({"sample_rate": 8_000})


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("red square spinning, low siren", ["red", "square", "spinning", "low", "siren"]),
        ("Rock-paper-scissors (2nd)", ["rock", "paper", "scissors", "2nd"]),
        ("ÉTÉ à vélo_électrique", ["été", "à", "vélo", "électrique"]),
        ("e\u0301te\u0301", ["été"]),
        ("हिन्दी संगीत", ["हिन्दी", "संगीत"]),
        ("太鼓を叩く", ["太鼓を叩く"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        (" -- / '' ", []),
    ],
)
def test_words(name, words):
    assert split_words(name) == words


def by_hand(name, dim=256, hashes=16, bigram=0.25, seed=0):
    """The definition, coordinate by coordinate."""
    words = name.split()
    grams = [(w, 1.0) for w in words]
    grams += [(f"{a} {b}", bigram) for a, b in itertools.pairwise(words)]
    vector = [0.0] * dim
    for gram, weight in grams:
        for number in range(hashes):
            word = hashlib.blake2b(f"{seed}/{number}/{gram}".encode(), digest_size=8).digest()
            value = int.from_bytes(word, "big")
            vector[(value // 2) % dim] += weight * (1 if value % 2 else -1) / math.sqrt(hashes)
    return np.array(vector) / math.sqrt(sum(v * v for v in vector))


def test_vectors_by_hand():
    got = SignalText.from_dict({}).encode(["low siren", "a a b"])
    np.testing.assert_allclose(got[0], by_hand("low siren"), atol=1e-7)
    np.testing.assert_allclose(got[1], by_hand("a a b"), atol=1e-7)
    options = {"dim": 31, "hashes": 3, "bigram_weight": 2.0, "seed": 7}
    got = SignalText.from_dict(options).encode(["one two three"])
    np.testing.assert_allclose(got[0], by_hand("one two three", 31, 3, 2.0, 7), atol=1e-7)


def test_names_are_as_close_as_they_share_words():
    names = ["red square low siren", "red square high siren", "red star low beeps", "dog barking"]
    vectors = SignalText.from_dict({"dim": 4_096, "bigram_weight": 0}).encode(names)
    np.testing.assert_allclose(
        vectors @ vectors.T,
        np.array([[1, 0.75, 0.5, 0], [0.75, 1, 0.25, 0], [0.5, 0.25, 1, 0], [0, 0, 0, 1]]),
        atol=0.05,
    )


def test_pairs_tell_orders_apart():
    names = ["dog bites man", "man bites dog"]
    plain = SignalText.from_dict({"bigram_weight": 0}).encode(names)
    paired = SignalText.from_dict({}).encode(names)
    np.testing.assert_allclose(plain[0], plain[1], atol=1e-7)
    assert paired[0] @ paired[1] < 0.98


def test_names_without_words_are_all_named():
    with pytest.raises(ValueError, match=r"no|none") as error:
        SignalText.from_dict({}).encode(["dog", "???", "cat", "!"])
    assert (
        "'???'" in str(error.value) and "'!'" in str(error.value) and "dog" not in str(error.value)
    )


def test_words_that_cancel_are_an_error():
    encoder = SignalText.from_dict({"dim": 16, "hashes": 1, "bigram_weight": 0})
    words = [f"w{i}" for i in range(200)]
    rows = encoder.encode(words)
    place, sign = np.abs(rows).argmax(1), np.sign(rows.sum(1))
    opposite = next(i for i in range(200) if place[i] == place[0] and sign[i] == -sign[0])
    with pytest.raises(ValueError, match="cancel out"):
        encoder.encode([f"{words[0]} {words[opposite]}"])
