"""Make ``frontends.npz``: filter banks of torchaudio, pictures of Pillow and torchvision.

References: torch 2.13, torchaudio 2.11, torchvision 0.28, Pillow 13. Run in the folder of this
project, with an environment that has these:

    PYTHONPATH=src:tests python tests/golden/encoders/make_frontends.py MEDIA

MEDIA is the folder of real clips.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import torchaudio
from PIL import Image
from random_states import random_array, random_bytes
from torchvision.transforms import v2

from avzsl.decode.audio import read_audio
from avzsl.decode.choice import DecoderChoice
from avzsl.decode.sampling import VideoWindows
from avzsl.decode.video import read_frames
from avzsl.encoders.resample import resample

HERE = Path(__file__).parent
SOUND = "audio/dog.wav"
CLIPS = ("vggsound/1aDnyPubxdY_000118.mp4", "vas/dog_video_02677.mp4")
NOISE = ((48, 64), (90, 51), (17, 33))
"""Heights and widths of noise pictures."""
RESIZES = {
    "bicubic 32": (32, v2.InterpolationMode.BICUBIC),
    "bilinear 32": (32, v2.InterpolationMode.BILINEAR),
    "bilinear 40x53": ((40, 53), v2.InterpolationMode.BILINEAR),
}


def sounds(media: Path) -> dict[str, torch.Tensor]:
    heard = read_audio(str(media / SOUND))
    samples = torch.from_numpy(heard.samples)
    seconds = torch.arange(16_000) / 16_000
    return {
        "noise": torch.from_numpy(random_array(1, 8_000, scale=0.1)),
        "chirp": 0.5 * torch.sin(2 * torch.pi * 3_000 * seconds.square())[None],
        "silence": torch.zeros(1, 2_000),
        "real": resample(
            samples.mean(0, keepdim=True), from_rate=heard.sample_rate, to_rate=16_000
        ),
    }


def filter_banks(media: Path) -> dict[str, np.ndarray]:
    made = {}
    for name, sound in sounds(media).items():
        energy = torchaudio.compliance.kaldi.fbank(
            sound,
            htk_compat=True,
            sample_frequency=16_000,
            use_energy=False,
            window_type="hanning",
            num_mel_bins=128,
            dither=0.0,
            frame_shift=10,
        )
        made[f"fbank {name}"] = energy[::4, ::4].numpy()
    return made


def pictures(media: Path) -> dict[str, np.ndarray]:
    made = {f"noise {size}": random_bytes(*size, 3) for size in NOISE}
    windows = VideoWindows(count=2, frames=1)
    for clip in CLIPS:
        made[clip] = read_frames(
            str(media / clip), windows, decoder=DecoderChoice(name="pyav")
        ).rgb[1]
    return made


def resized(media: Path) -> dict[str, np.ndarray]:
    made = {}
    for name, shown in pictures(media).items():
        for how, (size, mode) in RESIZES.items():
            by_pillow = v2.Resize(size, interpolation=mode)(Image.fromarray(shown))
            made[f"pillow {how} {name}"] = np.asarray(by_pillow)
            if name == CLIPS[0]:
                bare = torch.from_numpy(shown).permute(2, 0, 1).float()
                by_v2 = v2.functional.resize(bare, size, mode, antialias=False)
                made[f"v2 {how} {name}"] = by_v2[:, ::3, ::3].numpy()
    return made


def cropped() -> dict[str, np.ndarray]:
    made = {}
    for size in NOISE:
        for side in (16, 17):
            shown = Image.fromarray(random_bytes(*size, 3))
            made[f"crop {side} noise {size}"] = np.asarray(v2.CenterCrop(side)(shown))[::3, ::3]
    return made


def main(media: str) -> None:
    torch.set_num_threads(1)
    folder = Path(media)
    made = filter_banks(folder) | resized(folder) | cropped()
    np.savez_compressed(HERE / "frontends.npz", **made)


if __name__ == "__main__":
    main(*sys.argv[1:])
