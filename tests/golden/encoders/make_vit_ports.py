"""Make ``vit-ports.npz``: AudioMAE and DINO as timm and transformers hold them.

References: timm 1.0.31, transformers 5.23, torch 2.13. Run in the folder of this project, with an
environment that has these:

    PYTHONPATH=src:tests python tests/golden/encoders/make_vit_ports.py
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import timm
import torch
from random_states import layout_of, random_array, random_bytes, random_state
from safetensors.torch import load_file, save_file
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from transformers import ViTConfig, ViTModel

HERE = Path(__file__).parent
SMALL = {"embed_dim": 128, "depth": 2, "num_heads": 2}
MELS = {"img_size": (1024, 128), "in_chans": 1, "global_pool": "avg"}


def in_timm(name: str, pictures: torch.Tensor, **settings: object) -> dict[str, np.ndarray]:
    model = timm.create_model("vit_base_patch16_224", **SMALL, **settings)
    layout = layout_of(model.state_dict())
    model.load_state_dict(random_state(layout))
    features = model.eval().forward_head(model.forward_features(pictures), pre_logits=True)
    return {f"layout {name}": np.array(json.dumps(layout)), name: features.numpy()}


def in_transformers(pictures: torch.Tensor) -> dict[str, np.ndarray]:
    """DINO with the epsilon that it was trained with; names as the library writes them to disk."""
    config = ViTConfig(
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=512,
        layer_norm_eps=1e-6,
    )
    with tempfile.TemporaryDirectory() as folder:
        ViTModel(config).save_pretrained(folder)
        file = Path(folder, "model.safetensors")
        layout = layout_of(load_file(file))
        save_file(random_state(layout), file, metadata={"format": "pt"})
        model, loading = ViTModel.from_pretrained(folder, output_loading_info=True)
    assert not loading["missing_keys"] and not loading["unexpected_keys"]
    cls = model.eval()(pictures).last_hidden_state[:, 0]
    return {"layout dino hub": np.array(json.dumps(layout)), "dino hub": cls.numpy()}


def main() -> None:
    torch.set_num_threads(1)
    mels = torch.from_numpy(random_array(2, 1, 1024, 128, seed=1))
    shown = torch.from_numpy(random_bytes(2, 224, 224, 3, seed=1)) / 255
    shown = (shown - torch.tensor(IMAGENET_DEFAULT_MEAN)) / torch.tensor(IMAGENET_DEFAULT_STD)
    pictures = shown.permute(0, 3, 1, 2)
    with torch.inference_mode():
        np.savez_compressed(
            HERE / "vit-ports.npz",
            **in_timm("audiomae pretrained", mels, num_classes=0, fc_norm=False, **MELS),
            **in_timm("audiomae fine-tuned", mels, num_classes=527, fc_norm=True, **MELS),
            **in_timm("dino timm", pictures, num_classes=0),
            **in_transformers(pictures),
        )


if __name__ == "__main__":
    main()
