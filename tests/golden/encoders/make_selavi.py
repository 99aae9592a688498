"""Make ``selavi-*.npz`` with its authors' code, as AVCA and TCaF changed it.

Reference: https://github.com/ExplainableML/AVCA-GZSL, commit 2711aeb, and
https://github.com/ExplainableML/TCAF-GZSL, commit 0ca2059, folder ``selavi_feature_extraction`` of
both; torch 2.13, torchvision 0.28, python_speech_features 0.6. The network and the loader are those
of https://github.com/facebookresearch/selavi, commit 33d2b2d. Run in the folder of this project,
with an environment that has these:

    PYTHONPATH=src:tests python tests/golden/encoders/make_selavi.py SELAVI AVCA TCAF MEDIA

The last argument is the folder of real clips. Modules that the reference imports and that do no
arithmetic (ffmpeg, joblib) are replaced; sound and pictures are decoded by our code.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
import types
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from random_states import layout_of, random_array, random_bytes, random_state
from selavi_videos import Container
from torchvision.models.video import resnet as video_resnet

from avzsl.decode.audio import read_audio
from avzsl.encoders.resample import resample

HERE = Path(__file__).parent
CLIPS = {
    "vggsound/1aDnyPubxdY_000118.mp4": "avca",
    "ucf_like/clip.avi": "tcaf",
    "vas/dog_video_02677.mp4": "avca",
    "activitynet/v_GGSY1Qvo990.mp4": "tcaf",
}
"""With the script that places its windows: rates 30, 25, 29.97 and 19.62 frames a second."""
VIDEOS = (
    (Fraction(25), 250),
    (Fraction(30), 95),
    (Fraction(30_000, 1001), 300),
    (Fraction(24_000, 1001), 555),
    (Fraction(60), 150),
    (Fraction(25, 2), 40),
)
"""Rate and number of frames."""
SIZES = ((240, 320), (112, 185), (300, 151), (64, 64))
"""Height and width."""
NARROW = 16
"""Channels are divided by this, but for those of the audio stem, which the reference sets."""
RATE = 44_100


class NarrowVideo(video_resnet.VideoResNet):
    """torchvision's class with fewer channels."""

    def _make_layer(self, block: Any, conv: Any, planes: int, blocks: int, stride: int = 1) -> Any:
        if planes == 64:
            self.inplanes = 64 // NARROW
        return super()._make_layer(block, conv, planes // NARROW, blocks, stride)


class NarrowAudio(torchvision.models.resnet.ResNet):
    """torchvision's class with fewer channels."""

    def _make_layer(self, block: Any, planes: int, blocks: int, **kw: Any) -> Any:
        return super()._make_layer(block, planes // NARROW, blocks, **kw)


def narrow_stem() -> torch.nn.Sequential:
    stem = video_resnet.R2Plus1dStem()
    stem[0] = torch.nn.Conv3d(3, 5, (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bias=False)
    stem[1] = torch.nn.BatchNorm3d(5)
    stem[3] = torch.nn.Conv3d(5, 64 // NARROW, (3, 1, 1), padding=(1, 0, 0), bias=False)
    stem[4] = torch.nn.BatchNorm3d(64 // NARROW)
    return stem


def network(reference: Any, *, narrow: bool) -> tuple[torch.nn.Module, dict[str, list]]:
    """The authors' model with random tensors, and its layout."""
    parts = [video_resnet.BasicBlock, [video_resnet.Conv2Plus1D] * 4, [2, 2, 2, 2]]
    classes = (NarrowVideo, NarrowAudio) if narrow else (None, torchvision.models.resnet.ResNet)
    if narrow:
        make = functools.partial(NarrowVideo, *parts, narrow_stem)
        torchvision.models.video.__dict__["r2plus1d_18"] = lambda pretrained: make()
    torchvision.models.resnet._resnet = lambda _, block, layers, pretrained, progress: classes[1](
        block, layers
    )
    model = reference.load_model(use_mlp=True, norm_feat=False, headcount=2, num_classes=7)
    layout = layout_of(model.state_dict())
    model.load_state_dict(random_state(layout))
    model.return_features = True
    return model.eval(), layout


def features(reference: Any) -> dict[str, dict[str, np.ndarray]]:
    _, whole = network(reference, narrow=False)
    model, layout = network(reference, narrow=True)
    windows_B3THW = torch.from_numpy(random_array(2, 3, 30, 112, 112, seed=1))
    spectra_B1HW = torch.from_numpy(random_array(2, 1, 257, 99, seed=2))
    video, audio = model(windows_B3THW, spectra_B1HW)
    shared = {
        "layout": np.array(json.dumps(layout)),
        "published layout": np.array(json.dumps(whole)),
    }
    return {
        "selavi-video": shared | {"features": video.numpy()},
        "selavi-audio": shared | {"features": audio.numpy()},
    }


def replace_imports() -> None:
    for name, members in {"ffmpeg": {}, "joblib": {"Parallel": None, "delayed": None}}.items():
        sys.modules[name] = types.SimpleNamespace(**members)  # type: ignore[assignment]


def samples(path: str) -> np.ndarray:
    """Sound as the reference has it from ffmpeg: mono, 44.1 kHz, 16 bits."""
    waveform = read_audio(path)
    mono_1S = torch.from_numpy(waveform.samples.mean(0, keepdims=True))
    sound_S = resample(mono_1S, from_rate=waveform.sample_rate, to_rate=RATE)[0].numpy()
    return np.clip(np.rint(sound_S * 32768.0), -32768, 32767).astype(np.int16)


def load(folder: str) -> tuple[Any, Any, Any]:
    """The modules of the reference's loader: data set, decoder, sound."""
    for name in [name for name in sys.modules if name.split(".")[0] == "datasets"]:
        del sys.modules[name]
    sys.path.insert(0, f"{folder}/selavi_feature_extraction")
    data = importlib.import_module("datasets.AVideoDataset")
    sys.path.pop(0)
    assert folder in str(data.__file__)
    decoder = sys.modules[data.decode.__module__]
    return data, decoder, sys.modules[decoder.load_audio.__module__]


def run_loader(
    folder: str, container: Container, wav: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor, list[float]]:
    """Pictures and spectra of a video, as the reference's data set makes them, and begins."""
    data, decoder, audio = load(folder)
    begins: list[float] = []

    def load_audio(_: str, begin: float, **kw: Any) -> torch.Tensor:
        begins.append(begin)
        return audio.get_spec(wav, begin, **kw)

    decoder.load_audio = load_audio
    data.get_video_container = lambda *_: container
    made = object.__new__(data.AVideoDataset)
    vars(made).update(
        mode="train", num_frames=30, sample_rate=1, train_crop_size=112, target_fps=30,
        train_jitter_scles=(128, 160), decode_audio=True, aug_audio=[], num_sec=1,
        aud_sample_rate=RATE, aud_spec_type=2, use_volume_jittering=False, dual_data=False,
        use_temporal_jittering=False, z_normalize=True, center_crop=True, temp_jitter=False,
        colorjitter=False, use_grayscale=False, use_gaussian=False, valid_indices=[0],
        num_ensemble_views=10, num_spatial_crops=3, _path_to_videos=[""], _video_meta=[{}],
        _labels=[0], _vid_indices=[0],
    )  # fmt: skip
    video, spectra, *_ = made[0]
    return video, spectra, begins


def chosen(folders: dict[str, str]) -> dict[str, np.ndarray]:
    """Which frames make up the windows of videos of many rates."""
    made: dict[str, np.ndarray] = {}
    for script, folder in folders.items():
        for rate, count in VIDEOS:
            silence = np.zeros(round(count / rate * RATE), np.int16)
            windows, _, _ = run_loader(folder, Container.of_numbers(rate, count), silence)
            bytes_N3T = (windows[..., 0, 0] * 0.225 + 0.45) * 255
            numbers_NT = (bytes_N3T[:, 0] * 256).round() + bytes_N3T[:, 1].round()
            made[f"{script} {rate} {count}"] = numbers_NT.numpy().astype(np.int64)
    return made


def frontends(folder: str) -> dict[str, dict[str, np.ndarray]]:
    """Spectra and pictures of random input."""
    data, _, audio = load(folder)
    wav_S = np.rint(3000 * random_array(RATE, seed=3)).astype(np.int16)
    wav_S[20_000:23_000] = 0
    spectrum = audio.get_spec(wav_S, 0.0, sample_rate=RATE, aud_spec_type=2, z_normalize=True)
    scales = {"min_scale": 112, "max_scale": 112, "crop_size": 112, "spatial_idx": 1}
    video = {}
    for height, width in SIZES:
        bytes_2HW3 = torch.from_numpy(random_bytes(2, height, width, 3, seed=height))
        squares_3THW = data.clip_augmentation(bytes_2HW3, **scales)
        video[f"pictures {height} {width}"] = squares_3THW[:, :, ::10, ::10].numpy()
    return {"selavi-audio": {"spectrum": spectrum.numpy()}, "selavi-video": video}


def preprocessed(
    model: torch.nn.Module, folders: dict[str, str], media: Path
) -> dict[str, dict[str, np.ndarray]]:
    """Windows of each clip, every so many-th value, and their features."""
    video: dict[str, np.ndarray] = {}
    audio: dict[str, np.ndarray] = {}
    for clip, script in CLIPS.items():
        path = str(media / clip)
        windows_N3THW, spectra_N1HW, begins = run_loader(
            folders[script], Container.of_file(path), samples(path)
        )
        key = f"{script} {clip}"
        video[f"{key} begins"] = audio[f"{key} begins"] = np.array(begins)
        video[f"{key} pictures"] = windows_N3THW[:, :, :, 10::40, 7::40].numpy()
        audio[f"{key} spectra"] = spectra_N1HW[:, :, ::16, ::10].numpy()
        video[f"{key} features"], audio[f"{key} features"] = (
            half.numpy() for half in model(windows_N3THW[:2], spectra_N1HW[:2])
        )
    return {"selavi-video-preprocess": video, "selavi-audio-preprocess": audio}


def main(selavi: str, avca: str, tcaf: str, media: str) -> None:
    replace_imports()
    sys.path.insert(0, selavi)
    reference = importlib.import_module("model")
    sys.path.pop(0)
    torch.set_num_threads(1)
    with torch.inference_mode():
        files = features(reference)
        folders = {"avca": avca, "tcaf": tcaf}
        for name, arrays in frontends(avca).items():
            files[name] |= arrays
        files["selavi-video"] |= chosen(folders)
        model, _ = network(reference, narrow=True)
        files |= preprocessed(model, folders, Path(media))
    for name, arrays in files.items():
        np.savez_compressed(HERE / f"{name}.npz", **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
