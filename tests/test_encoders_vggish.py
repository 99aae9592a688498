"""VGGish against torchvggish and AVCA's port: network, levels, spectrograms, windows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_clips import sound
from random_states import random_array, random_state
from tiny.vggish_c3d import write_vggish

from avzsl.decode.audio import read_audio
from avzsl.encoders import encoders
from avzsl.encoders import vggish as vggish_module
from avzsl.encoders.frontends import vggish as frontend
from avzsl.types import Waveform

GOLDEN = Path(__file__).parent / "golden" / "encoders"
TOLERANCE = 1e-6
RESAMPLED = {"resampy-0.4": (1e-3, 2e-2), "resampy-0.2": (5e-3, 0.1)}
"""Mean and largest difference of log-mel values to resampy, which rounds the steps through its
table of the filter: in version 0.2 to 1 in 512, which alone makes 4e-3 at 44.1 kHz. The versions
are 0.02 apart in the mean of these values."""
KEPT = (slice(None), slice(None, None, 11), slice(3, None, 5))
"""Windows, frames and bands that are in the golden file."""
CLIPS = (
    "vggsound/54bz5yqN2IA_000004.mp4",
    "vas/baby_video_01951.mp4",
    "activitynet/v_GGSY1Qvo990.mp4",
)
NATIVE = "odd/nasa_13013.mp4"
"""Sound at 16 kHz: nothing is resampled."""


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    return dict(np.load(GOLDEN / "vggish.npz"))


@pytest.fixture(scope="module")
def spectrograms() -> dict[str, np.ndarray]:
    return dict(np.load(GOLDEN / "vggish-preprocess.npz"))


def inputs() -> torch.Tensor:
    return torch.from_numpy(random_array(4, 96, 64, seed=1, scale=2.0)) - 1


def build(path: Path | str, **options: Any) -> Any:
    encoder = encoders.get("vggish").from_dict({"weights": str(path)} | options)
    encoder.load(torch.device("cpu"))
    return encoder


# --- the network and its output ---------------------------------------------------------------


@pytest.mark.parametrize("dense", ["embeddings", "fc"])
def test_network_equals_both_references(
    golden: dict[str, np.ndarray], dense: str, tmp_path: Path
) -> None:
    path = write_vggish(tmp_path, random_state(json.loads(str(golden[f"{dense} layout"]))))
    raw = build(path, postprocess="raw").encode(inputs()).numpy()
    assert np.abs(raw - golden[f"{dense} raw"]).max() <= TOLERANCE
    assert (raw > 0).mean() > 0.3 and raw.min() == 0  # behind a ReLU


@pytest.mark.parametrize("rounding", ["floor", "round"])
def test_levels_equal_both_references(
    golden: dict[str, np.ndarray], rounding: str, tmp_path: Path
) -> None:
    levels = build(write_vggish(tmp_path), rounding=rounding).encode(inputs()).numpy()
    assert levels.dtype == np.float32 and levels.min() >= 0 and levels.max() <= 255
    assert np.array_equal(levels, golden[rounding].astype(np.float32))
    assert not np.array_equal(golden["floor"], golden["round"])


def nudge(network: Any) -> None:
    network.features[0].weight[1, 0, 1, 1] += 0.01


def average(network: Any) -> None:
    network.features[2] = torch.nn.AvgPool2d(2)


def channels_first(network: Any) -> None:
    weight = network.embeddings[0].weight
    network.embeddings[0].weight.data = weight.unflatten(1, (24, -1)).mT.flatten(1)


def keep_negative(network: Any) -> None:
    network.embeddings[-1] = torch.nn.Identity()


def turn_pca(network: Any) -> None:
    network.pca_matrix.copy_(network.pca_matrix.T.clone())


def shift_pca(network: Any) -> None:
    network.pca_means[3] += 0.1


@pytest.mark.parametrize("change", [nudge, average, channels_first, keep_negative])
def test_golden_features_notice(golden: dict[str, np.ndarray], change: Any, tmp_path: Path) -> None:
    encoder = build(write_vggish(tmp_path), postprocess="raw")
    change(encoder.network)
    raw = encoder.encode(inputs()).numpy()
    assert np.abs(raw - golden["embeddings raw"]).max() > 100 * TOLERANCE


@pytest.mark.parametrize("change", [turn_pca, shift_pca])
def test_golden_levels_notice(golden: dict[str, np.ndarray], change: Any, tmp_path: Path) -> None:
    encoder = build(write_vggish(tmp_path))
    change(encoder.network)
    assert not np.array_equal(encoder.encode(inputs()).numpy(), golden["floor"])


def test_gpus_convolve_in_float32(tmp_path: Path) -> None:
    encoder = build(write_vggish(tmp_path))
    seen: list[bool] = []
    layer = encoder.network.features[0]
    layer.register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.allow_tf32))
    before = torch.backends.cudnn.allow_tf32
    encoder.encode(inputs())
    assert seen == [False] and torch.backends.cudnn.allow_tf32 == before


# --- sound to windows -------------------------------------------------------------------------


def spectrogram(waveform: Waveform, resampling: str = "resampy-0.4") -> np.ndarray:
    encoder = encoders.get("vggish").from_dict({"weights": "random", "resampling": resampling})
    encoder.device = torch.device("cpu")
    spans = encoder.windows.spans(waveform.duration_seconds)
    windows = encoder.preprocess(waveform, spans)
    assert windows.shape == (len(spans), 96, 64) and windows.dtype == torch.float32
    return windows.numpy()[KEPT]


def assert_like_resampy(ours: np.ndarray, theirs: np.ndarray, resampling: str) -> None:
    assert ours.shape == theirs.shape
    mean, largest = RESAMPLED[resampling]
    apart = np.abs(ours - theirs)
    assert apart.mean() <= mean and apart.max() <= largest


@pytest.mark.parametrize("resampling", list(RESAMPLED))
@pytest.mark.parametrize("clip", CLIPS)
def test_clips_look_as_to_the_reference(
    spectrograms: dict[str, np.ndarray], media: Path, clip: str, resampling: str
) -> None:
    ours = spectrogram(read_audio(str(media / clip)), resampling)
    assert_like_resampy(ours, spectrograms[f"{clip} {resampling}"], resampling)


@pytest.mark.parametrize("resampling", list(RESAMPLED))
@pytest.mark.parametrize("rate", [8_000, 11_025, 32_000, 48_000])
def test_noise_looks_as_to_the_reference(
    spectrograms: dict[str, np.ndarray], rate: int, resampling: str
) -> None:
    ours = spectrogram(noise(rate), resampling)
    assert_like_resampy(ours, spectrograms[f"noise {rate} {resampling}"], resampling)


def noise(rate: int) -> Waveform:
    samples = random_array(1, rate * 21 // 10, seed=rate, scale=0.1)
    return Waveform(samples=samples, sample_rate=rate)


def test_log_mel_equals_the_reference(spectrograms: dict[str, np.ndarray], media: Path) -> None:
    ours = spectrogram(read_audio(str(media / NATIVE)))
    # float64 before the logarithm on both sides; the mean of the channels is float32 here.
    assert np.abs(ours - spectrograms[f"{NATIVE} resampy-0.4"]).max() <= 2e-6


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (frontend, "OFFSET", 0.02),
        (frontend, "LOW_HZ", 100.0),
        (frontend, "HIGH_HZ", 7_600.0),
        (vggish_module, "RESAMPLERS", {"resampy-0.4": (48, 0.94, 9.0)}),
        (vggish_module, "RESAMPLERS", {"resampy-0.4": vggish_module.RESAMPLERS["resampy-0.2"]}),
        (vggish_module, "FRAMES_PER_SECOND", 99),
    ],
)
def test_golden_spectrograms_notice(
    spectrograms: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    value: Any,
) -> None:
    monkeypatch.setattr(module, name, value)
    ours, theirs = spectrogram(noise(48_000)), spectrograms["noise 48000 resampy-0.4"]
    with pytest.raises(AssertionError):
        assert_like_resampy(ours, theirs, "resampy-0.4")


def test_windows_are_counted_as_by_the_reference(golden: dict[str, np.ndarray]) -> None:
    windows = encoders.get("vggish").from_dict({"weights": "random"}).windows
    for samples, rate, count in golden["counts"]:
        assert len(windows.spans(samples / rate)) == count, (samples, rate)
    assert {0, 1, 2, 3, 10, 11} <= set(golden["counts"][:, 2])
    assert len(windows.spans(10.0)) == 10


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000])
def test_shortest_sound_has_one_whole_window(rate: int, tmp_path: Path) -> None:
    encoder = build(write_vggish(tmp_path))
    samples = int(np.ceil(0.975 * rate))
    waveform = sound(samples / rate, rate=rate, channels=2)
    assert waveform.samples.shape[1] == samples
    assert encoder.preprocess(waveform, encoder.windows.spans(samples / rate)).shape == (1, 96, 64)
    assert len(encoder.windows.spans((samples - 1) / rate)) == 0


def test_padding_is_silence(tmp_path: Path) -> None:
    encoder = build(write_vggish(tmp_path), short="pad")
    whole = sound(0.975)
    whole.samples[:, 8_000:] = 0
    cut = Waveform(samples=whole.samples[:, :8_000], sample_rate=16_000)
    spans = encoder.windows.spans(cut.duration_seconds)
    assert len(spans) == 1
    assert torch.equal(encoder.preprocess(cut, spans), encoder.preprocess(whole, spans))


def test_long_sound_is_transformed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    noise_S = torch.from_numpy(random_array(16_000))
    whole = frontend.log_mel(noise_S)
    monkeypatch.setattr(frontend, "FRAMES_AT_ONCE", 7)
    assert torch.allclose(frontend.log_mel(noise_S), whole, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="got 399"):
        frontend.log_mel(noise_S[:399])
