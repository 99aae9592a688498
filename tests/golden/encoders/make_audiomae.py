"""Make ``audiomae*.npz`` with the authors' code.

Reference: https://github.com/facebookresearch/AudioMAE, commit bd60e29, with timm 0.3.2 into whose
``models`` the two files of its ``timm_patch`` are copied, as its read-me says; torch 2.13,
torchaudio 2.11. Run in the folder of this project, with an environment that has these:

    pip install --no-deps --target TIMM timm==0.3.2
    cp AUDIOMAE/timm_patch/swin_transformer.py TIMM/timm/models/
    cp AUDIOMAE/timm_patch/helpers.py TIMM/timm/models/layers/
    PYTHONPATH=src:tests python tests/golden/encoders/make_audiomae.py AUDIOMAE TIMM MEDIA

MEDIA is the folder of real clips.
"""

from __future__ import annotations

import functools
import json
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import torch
from random_states import layout_of, random_array, random_state

from avzsl.decode.audio import read_audio
from avzsl.encoders.resample import resample

HERE = Path(__file__).parent
SMALL = {"embed_dim": 128, "depth": 2, "num_heads": 2, "mlp_ratio": 4}
NORM = functools.partial(torch.nn.LayerNorm, eps=1e-6)
CLIPS = (
    "vggsound/-1pRmoJIGQc_000010.mp4",
    "vas/baby_video_01951.mp4",
    "odd/nasa_13013.mp4",
    "activitynet/v_GGSY1Qvo990.mp4",
)
STRIDE = (11, 4)
"""Every so many-th frame and band is kept, the last frame among them."""


def filled(model: torch.nn.Module) -> tuple[torch.nn.Module, dict[str, list]]:
    layout = layout_of(model.state_dict())
    model.load_state_dict(random_state(layout))
    return model.eval(), layout


def pretrained() -> dict[str, np.ndarray]:
    import models_mae

    model, layout = filled(
        models_mae.MaskedAutoencoderViT(
            **SMALL,
            img_size=(1024, 128),
            in_chans=1,
            decoder_embed_dim=32,
            decoder_mode=1,
            no_shift=True,
            norm_layer=NORM,
            audio_exp=True,
        )
    )
    pictures = torch.from_numpy(random_array(2, 1, 1024, 128, seed=1))
    tokens, _, restore, _ = model.forward_encoder(pictures, mask_ratio=0.0)
    order = restore[..., None].expand(-1, -1, tokens.shape[2])
    patches = tokens[:, 1:].gather(1, order)  # the masking shuffles even where it hides nothing
    return {
        "layout": np.array(json.dumps(layout)),
        "cls": tokens[:, 0].numpy(),
        "mean": patches.mean(1).numpy(),
        "temporal": patches.reshape(2, 64, 8, -1).mean(2).numpy(),
    }


def fine_tuned() -> dict[str, np.ndarray]:
    import models_vit
    from util.patch_embed import PatchEmbed_new

    model = models_vit.VisionTransformer(
        **SMALL, patch_size=16, qkv_bias=True, norm_layer=NORM, num_classes=5, global_pool=True
    )
    model.patch_embed = PatchEmbed_new(
        img_size=(1024, 128), patch_size=(16, 16), in_chans=1, embed_dim=128, stride=16
    )
    model.pos_embed = torch.nn.Parameter(torch.zeros(1, model.patch_embed.num_patches + 1, 128))
    model, layout = filled(model)
    pictures = torch.from_numpy(random_array(2, 1, 1024, 128, seed=1))
    return {
        "tuned_layout": np.array(json.dumps(layout)),
        "tuned_mean": model.forward_features(pictures).numpy(),
    }


def preprocessed(media: Path) -> dict[str, np.ndarray]:
    """The first picture of each clip; sound is decoded and brought to 16 kHz by our code."""
    import dataset

    sounds: dict[str, torch.Tensor] = {}
    dataset.torchaudio.load = lambda name: (sounds[name], 16_000)
    made: dict[str, np.ndarray] = {}
    for clip in CLIPS:
        heard = read_audio(str(media / clip))
        samples = torch.from_numpy(heard.samples)
        for channel, sound in {"mean": samples.mean(0, keepdim=True), "first": samples}.items():
            sounds[clip] = resample(sound, from_rate=heard.sample_rate, to_rate=16_000)
            picture, _, _ = data_set(dataset, clip)[0]
            assert picture.shape == (1, 1024, 128)
            made[f"{clip} {channel}"] = picture[0, :: STRIDE[0], :: STRIDE[1]].numpy()
    return made


def data_set(dataset: types.ModuleType, name: str) -> torch.utils.data.Dataset:
    settings = {
        "num_mel_bins": 128,
        "target_length": 1024,
        "freqm": 0,
        "timem": 0,
        "mixup": 0.0,
        "dataset": "audioset",
        "mode": "eval",
        "mean": -4.2677393,
        "std": 4.5689974,
        "noise": False,
    }
    with tempfile.TemporaryDirectory() as folder:
        clips, labels = Path(folder, "clips.json"), Path(folder, "labels.csv")
        clips.write_text(json.dumps({"data": [{"wav": name, "labels": "a"}]}))
        labels.write_text("index,mid,display_name\n0,a,a\n")
        return dataset.AudiosetDataset(str(clips), settings, label_csv=str(labels))


def main(audiomae: str, timm: str, media: str) -> None:
    # What the reference needs of the torch and numpy of its time.
    np.float = float  # type: ignore[attr-defined]
    sys.modules["torch._six"] = types.ModuleType("torch._six")
    sys.modules["torch._six"].inf = float("inf")  # type: ignore[attr-defined]
    sys.path[:0] = [audiomae, timm]
    torch.set_num_threads(1)
    with torch.inference_mode():
        np.savez_compressed(HERE / "audiomae.npz", **pretrained(), **fine_tuned())
        np.savez_compressed(HERE / "audiomae-preprocess.npz", **preprocessed(Path(media)))


if __name__ == "__main__":
    main(*sys.argv[1:])
