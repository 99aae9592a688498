"""Make ``vggish*.npz`` with torchvggish and with AVCA's code.

References: https://github.com/harritaylor/torchvggish, commit f3f9096, and
https://github.com/ExplainableML/AVCA-GZSL, commit 2711aeb; torch 2.13, numpy 2.4, resampy 0.4.3,
and the unpacked source of resampy 0.2.2 with ``six``. Run in the folder of this project, with an
environment that has these:

    PYTHONPATH=src:tests python tests/golden/encoders/make_vggish.py TORCHVGGISH AVCA RESAMPY MEDIA

RESAMPY is the folder of version 0.2.2, MEDIA that of real clips.
"""

from __future__ import annotations

import copy
import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from random_states import layout_of, random_array, random_state
from tiny.vggish_c3d import VGGISH_CHANNELS, VGGISH_WIDTHS, write_pca
from torch import nn

from avzsl.decode.audio import read_audio

HERE = Path(__file__).parent
CLIPS = (
    "vggsound/54bz5yqN2IA_000004.mp4",
    "vas/baby_video_01951.mp4",
    "activitynet/v_GGSY1Qvo990.mp4",
    "odd/nasa_13013.mp4",
)
"""At 44,100 Hz, 22,050 Hz with one channel, 44,100 Hz, and 16,000 Hz, which is not resampled."""
NOISE_RATES = (8_000, 11_025, 32_000, 48_000)
"""Rates that no clip has: 2.1 s of noise of each."""
KEPT = (slice(None), slice(None, None, 11), slice(3, None, 5))
"""Windows, frames and bands; the last of 64 bands is where resampling tells."""
RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


def shrunk(layers: nn.Sequential, widths: tuple[int, ...], inputs: int) -> nn.Sequential:
    """The reference's layers in their order, those with weights made smaller."""
    made, left = nn.Sequential(), list(widths)
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            made.append(nn.Conv2d(inputs, inputs := left.pop(0), 3, padding=layer.padding))
        elif isinstance(layer, nn.Linear):
            made.append(nn.Linear(inputs, inputs := left.pop(0)))
        else:
            made.append(copy.deepcopy(layer))
    assert not left
    return made


def network(model: nn.Module, dense: str) -> tuple[nn.Module, dict[str, list]]:
    model.features = shrunk(model.features, VGGISH_CHANNELS, 1)
    small = shrunk(getattr(model, dense), VGGISH_WIDTHS, VGGISH_CHANNELS[-1] * 24)
    setattr(model, dense, small)
    layout = layout_of(model.state_dict())
    model.load_state_dict(random_state(layout))
    return model.eval(), layout


def features() -> dict[str, np.ndarray]:
    from audioset_vggish_tensorflow_to_pytorch.audioset import vggish_params, vggish_postprocess
    from audioset_vggish_tensorflow_to_pytorch.vggish import VGGish as Port
    from torchvggish import vggish

    whole = vggish.VGG(vggish.make_layers())
    made = {"parameters": np.array(sum(weight.numel() for weight in whole.parameters()))}
    windows = torch.from_numpy(random_array(4, 1, 96, 64, seed=1, scale=2.0)) - 1
    for dense, model in (("embeddings", whole), ("fc", Port())):
        small, layout = network(model, dense)
        made[f"{dense} layout"] = np.array(json.dumps(layout))
        made[f"{dense} raw"] = small(windows).numpy()
    vggish.vggish_params.EMBEDDING_SIZE = vggish_params.EMBEDDING_SIZE = VGGISH_WIDTHS[-1]
    with tempfile.TemporaryDirectory() as folder:
        path = write_pca(Path(folder), width=VGGISH_WIDTHS[-1])
        raw = made["embeddings raw"]
        made["floor"] = vggish_postprocess.Postprocessor(path).postprocess(raw)
        rounding, arrays = vggish.Postprocessor(), np.load(path)
        rounding.load_state_dict({key: torch.from_numpy(arrays[key]) for key in arrays})
        made["round"] = rounding(torch.from_numpy(raw)).numpy()
    return made


def examples(samples_CS: np.ndarray, sample_rate: int) -> np.ndarray:
    from torchvggish import vggish_input

    return vggish_input.waveform_to_examples(samples_CS.T, sample_rate, return_tensor=False)


def window_counts() -> np.ndarray:
    """Samples, rate and number of windows of silence, around every length where it changes."""
    rows = []
    for rate in RATES:
        for count in (1, 2, 3, 11):
            needed = int((0.975 + 0.96 * (count - 1)) * rate)
            for samples in (needed - 1, needed, needed + 1, needed + rate // 3):
                try:
                    found = len(examples(np.zeros((1, samples)), rate))
                except ValueError:  # fewer than one window: a negative dimension
                    found = 0
                rows.append((samples, rate, found))
    return np.array(rows)


def preprocessed(media: Path, version: str) -> dict[str, np.ndarray]:
    """Log-mel windows of each clip; the sound is decoded by our code."""
    made: dict[str, np.ndarray] = {}
    for rate in NOISE_RATES:
        noise = examples(random_array(1, rate * 21 // 10, seed=rate, scale=0.1), rate)
        made[f"noise {rate} {version}"] = noise[KEPT].astype(np.float32)
    for clip in CLIPS:
        sound = read_audio(str(media / clip))
        windows = examples(sound.samples, sound.sample_rate)
        made[f"{clip} {version}"] = windows[KEPT].astype(np.float32)
        bytes_CS = np.rint(sound.samples * 32_768).clip(-32_768, 32_767) / 32_768
        apart = np.abs(windows - examples(bytes_CS, sound.sample_rate))
        print(f"{clip}: rounded to 16 bits first, {apart.mean():.1e} mean, {apart.max():.1e} max")
    return made


def older_resampy(folder: str) -> ModuleType:
    for name in [name for name in sys.modules if name.split(".")[0] == "resampy"]:
        del sys.modules[name]
    sys.path.insert(0, folder)
    import resampy

    assert resampy.__version__ == "0.2.2"
    return resampy


def main(torchvggish: str, avca: str, resampy: str, media: str) -> None:
    sys.path += [torchvggish, avca]
    torch.set_num_threads(1)
    with torch.inference_mode():
        np.savez_compressed(HERE / "vggish.npz", **features(), counts=window_counts())
        made = preprocessed(Path(media), "resampy-0.4")
        from torchvggish import vggish_input

        vggish_input.resampy = older_resampy(resampy)
        made |= preprocessed(Path(media), "resampy-0.2")
        np.savez_compressed(HERE / "vggish-preprocess.npz", **made)


if __name__ == "__main__":
    main(*sys.argv[1:])
