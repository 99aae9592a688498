"""ImageBind's sound and picture towers, and spectrograms, against the reference's numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from random_states import random_array
from safetensors.torch import save_file
from tiny.imagebind import GOLDEN, published_state, write_merges
from torch import Tensor

from avzsl.decode.audio import read_audio
from avzsl.encoders import encoders
from avzsl.encoders import imagebind as shared
from avzsl.encoders import imagebind_audio as sound
from avzsl.encoders.frontends import imagebind as frontend
from avzsl.types import Waveform

TOWERS = ("audio", "vision")
TOLERANCE = 1e-6
"""float32 rounding in two blocks; differences of 1e-7 are seen."""
MADE_UP = "made-up"
SOUNDS = ("vas/baby_video_01951.mp4", "activitynet/v_GGSY1Qvo990.mp4", "audio/dog.wav", MADE_UP)
OTHER = 1e-4
"""A difference that no rounding makes."""


def encoder_of(tower: str, weights: Path, **options: Any) -> Any:
    encoder = encoders.get(f"imagebind-{tower}").from_dict({"weights": str(weights), **options})
    encoder.load(torch.device("cpu"))
    return encoder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with all towers, as published."""
    path = tmp_path_factory.mktemp("imagebind") / "imagebind_huge.pth"
    torch.save(published_state(), path)
    return path


def changed(folder: Path, **changes: Callable[[Tensor], Tensor] | None) -> Path:
    """A checkpoint in which some tensors are others, or gone."""
    state = dict(published_state())
    for name, change in changes.items():
        if change is None:
            del state[name]
        else:
            state[name] = change(state[name].clone())
    path = folder / "changed.pth"
    torch.save(state, path)
    return path


def unit(vectors: NDArray[Any]) -> NDArray[Any]:
    made: NDArray[Any] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return made


def differences(encoder: Any) -> tuple[float, float]:
    """Largest differences to the reference: of single views, and of the mean over views."""
    with np.load(GOLDEN / f"imagebind-{encoder.tower}.npz") as golden:
        views = torch.from_numpy(random_array(*golden["shape"], seed=int(golden["seed"])))
        single, mean = unit(golden["single"]), unit(golden["mean"])
    if encoder.tower == "audio":
        views = views[:, :, 0]  # the reference has one colour
    with torch.inference_mode():
        alone, together = encoder.encode(views[:, :1]).numpy(), encoder.encode(views).numpy()
    return float(np.abs(alone - single).max()), float(np.abs(together - mean).max())


# --- networks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tower", TOWERS)
def test_features_are_those_of_the_reference(
    tower: str, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_of(tower, whole)
    assert max(differences(encoder)) <= TOLERANCE
    monkeypatch.setattr(shared, "VIEWS_AT_ONCE", 2)
    assert max(differences(encoder)) <= TOLERANCE


@pytest.mark.parametrize(
    "name",
    [
        "modality_preprocessors.audio.cls_token",
        "modality_preprocessors.audio.rgbt_stem.norm_layer.bias",
        "modality_preprocessors.audio.pos_embedding_helper.pos_embed",
        "modality_trunks.audio.blocks.1.attn.bias_k",
        "modality_trunks.audio.blocks.0.attn.bias_v",
        "modality_trunks.audio.blocks.1.mlp.fc2.bias",
        "modality_heads.audio.2.weight",
        "modality_preprocessors.vision.rgbt_stem.proj.1.weight",
        "modality_trunks.vision.pre_transformer_layer.0.weight",
        "modality_trunks.vision.blocks.0.attn.in_proj_weight",
        "modality_heads.vision.0.bias",
    ],
)
def test_one_other_tensor_gives_other_features(name: str, tmp_path: Path) -> None:
    path = changed(tmp_path, **{name: lambda tensor: tensor.flip(-1)})
    assert max(differences(encoder_of(name.split(".")[1], path))) > OTHER


def test_heads_extra_key_and_pooling_matter(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = encoder_of("audio", whole)
    for block in encoder.network.trunk.blocks:
        block.attn.bias_k = block.attn.bias_v = None
    assert differences(encoder)[0] > OTHER
    encoder = encoder_of("vision", whole)
    encoder.network.preprocessor.register_forward_hook(lambda *given: given[-1].flip(1))
    assert differences(encoder)[0] > OTHER  # another token is the first
    monkeypatch.setitem(shared.HEAD_SIZE, "vision", 40)
    assert differences(encoder_of("vision", whole))[0] > OTHER


def test_mean_is_of_unit_vectors(whole: Path) -> None:
    encoder = encoder_of("audio", whole)
    views = torch.from_numpy(random_array(1, 3, 128, 204, seed=5))
    with torch.inference_mode():
        singles = encoder.encode(views[0][:, None])
        mean = torch.nn.functional.normalize(singles.mean(0), dim=0)
        assert torch.allclose(encoder.encode(views)[0], mean, atol=TOLERANCE)


# --- checkpoints ------------------------------------------------------------------------------


@pytest.mark.parametrize("tower", TOWERS)
def test_safetensors_hold_the_same(tower: str, tmp_path: Path) -> None:
    save_file(published_state(), tmp_path / "model.safetensors")
    assert max(differences(encoder_of(tower, tmp_path))) <= TOLERANCE


@pytest.mark.parametrize("tower", TOWERS)
def test_wrong_checkpoints_are_refused(tower: str, tmp_path: Path) -> None:
    own = f"modality_trunks.{tower}.blocks.0.norm_1.bias"
    with pytest.raises(ValueError, match=r"missing: trunk\.blocks\.0\.norm_1\.bias"):
        encoder_of(tower, changed(tmp_path, **{own: None}))
    with pytest.raises(ValueError, match="of another shape: trunk"):
        encoder_of(tower, changed(tmp_path, **{own: lambda tensor: tensor[:-1]}))
    state = published_state() | {f"modality_trunks.{tower}.blocks.0.gamma": torch.ones(3)}
    torch.save(state, tmp_path / "more.pth")
    with pytest.raises(ValueError, match=r"unexpected: trunk\.blocks\.0\.gamma"):
        encoder_of(tower, tmp_path / "more.pth")
    torch.save({"conv1.weight": torch.ones(3)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="not a checkpoint of ImageBind"):
        encoder_of(tower, tmp_path / "other.pth")


def test_sizes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    places = "modality_preprocessors.vision.pos_embedding_helper.pos_embed"
    with pytest.raises(ValueError, match="positions do not fit"):
        encoder_of("vision", changed(tmp_path, **{places: lambda tensor: tensor[:, 1:]}))
    head = "modality_heads.audio.2.weight"
    with pytest.raises(ValueError, match="no multiple"):
        encoder_of("audio", changed(tmp_path, **{head: lambda tensor: tensor[:, :100]}))


@pytest.mark.parametrize(
    ("tower", "count"), [("vision", 632_829_440), ("audio", 86_235_648), ("text", 354_032_640)]
)
def test_published_sizes_have_the_published_parameters(tower: str, count: int) -> None:
    encoder: Any = encoders.get(f"imagebind-{tower}").from_dict({"weights": "random"})
    assert encoder.dim == 1024 and encoder.untrained
    with torch.device("meta"):
        network = encoder.build(encoder.sizes)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_bfloat16_stays_near(whole: Path) -> None:
    for tower in TOWERS:
        off = differences(encoder_of(tower, whole, precision="bfloat16"))
        assert TOLERANCE < max(off) < 0.05


def test_merges_beside_a_checkpoint_do_not_matter(whole: Path, tmp_path: Path) -> None:
    (tmp_path / whole.name).write_bytes(whole.read_bytes())
    write_merges(tmp_path / "bpe_simple_vocab_16e6.txt.gz")
    assert encoder_of("audio", tmp_path).weights_id == encoder_of("audio", whole).weights_id


# --- preprocessing of sound -------------------------------------------------------------------


def load_sound(name: str, request: pytest.FixtureRequest) -> Waveform:
    if name == MADE_UP:
        samples = random_array(2, 20_800, seed=3, scale=0.1)
        return Waveform(samples=samples, sample_rate=16_000)
    return read_audio(str(request.getfixturevalue("media") / name))


def off_sound(encoder: Any, name: str, waveform: Waveform) -> NDArray[Any]:
    windows = encoder.preprocess(waveform, encoder.windows.spans(waveform.duration_seconds))
    with np.load(GOLDEN / "imagebind-audio-preprocess.npz") as golden:
        bands, steps = golden["steps"]
        assert windows.shape == (1, 3, 128, 204)
        off: NDArray[Any] = np.abs(windows[0, :, ::bands, ::steps].numpy() - golden[name])
    return off


@pytest.mark.parametrize("name", SOUNDS)
def test_spectrograms_are_those_of_the_reference(
    name: str, whole: Path, request: pytest.FixtureRequest
) -> None:
    encoder = encoder_of("audio", whole, views="reference", channel="first")
    off = off_sound(encoder, name, load_sound(name, request))
    if name == MADE_UP:  # at 16 kHz already
        assert off.max() < 2e-5
    else:
        # torchaudio has its filter in float32; the log of next to nothing magnifies that.
        assert off.max() < 0.05 and np.quantile(off, 0.98) < 1e-4


@pytest.mark.parametrize("name", SOUNDS)
def test_other_preprocessing_gives_other_spectrograms(
    name: str, whole: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    waveform = load_sound(name, request)
    encoder = encoder_of("audio", whole, views="reference", channel="first")
    for what, value in (("LOG_MEL_MEAN", -4.2), ("LOG_MEL_STD", 9.0)):
        with monkeypatch.context() as patch:
            patch.setattr(frontend, what, value)
            assert np.quantile(off_sound(encoder, name, waveform), 0.98) > 1e-3
    if name == MADE_UP:  # whose channels differ
        mixed = encoder_of("audio", whole, views="reference", channel="mean")
        assert np.quantile(off_sound(mixed, name, waveform), 0.98) > 1e-3
    if waveform.duration_seconds > 2:
        monkeypatch.setattr(sound, "reference_begins", lambda samples: [80, samples // 3, 240])
        assert np.quantile(off_sound(encoder, name, waveform), 0.98) > 1e-3


@pytest.mark.parametrize(
    ("seconds", "count"),
    [(0.01, 1), (0.3, 1), (2, 1), (2.4, 1), (2.5, 2), (3.9, 2), (10, 5), (10.4, 5), (10.6, 6)],
)
def test_windows_of_sound(seconds: float, count: int, whole: Path) -> None:
    encoder = encoder_of("audio", whole)
    samples = random_array(2, round(seconds * 16_000), seed=1)
    waveform = Waveform(samples=samples, sample_rate=16_000)
    spans = encoder.windows.spans(waveform.duration_seconds)
    assert len(spans) == count and np.allclose(spans[:, 0], 2.0 * np.arange(count))
    windows = encoder.preprocess(waveform, spans)
    assert windows.shape == (count, 1, 128, 204) and torch.isfinite(windows).all()
    # Each window is what its own stretch of sound gives alone.
    for window, (begin, end) in zip(windows, spans, strict=True):
        cut = samples[:, round(begin * 16_000) : round(end * 16_000)]
        alone = encoder.preprocess(Waveform(samples=cut, sample_rate=16_000), np.array([[0, 2.0]]))
        assert torch.allclose(window, alone[0], atol=1e-5)


def test_reference_spreads_stretches_of_sound() -> None:
    assert sound.reference_begins(160_000) == [0, 64_000, 128_000]
    assert sound.reference_begins(32_000) == sound.reference_begins(5) == [0, 0, 0]
    for samples in range(40_000, 41_000, 37):
        exact = [0, (samples - 32_000) / 2, samples - 32_000]
        assert np.abs(np.subtract(sound.reference_begins(samples), exact)).max() <= 1
