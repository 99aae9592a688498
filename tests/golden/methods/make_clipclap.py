"""Write clipclap.npz from the released code of ClipClap, in double precision, on the CPU.

python tests/golden/methods/make_clipclap.py PATH_OF_THE_CLONE

The clone is https://github.com/dkurzend/ClipClap-GZSL at 56b8e1b; needs torch, numpy and einops.
"""

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TESTS), sys.argv[1]]
sys.modules["opt_einsum"] = ModuleType("opt_einsum")  # imported there, not used
from random_states import layout_of, random_array, random_state  # noqa: E402
from src.clipclap_model import ClipClap_model  # noqa: E402

CLASSES, CLIPS, LABELS = 5, 6, (3, 0, 3, 1, 4, 4)
OPTIONS = {
    "dim_out": 64,
    "decoder_hidden_size": 512,
    "dropout_decoder": 0.0,
    "additional_dropout": 0.0,
    "reg_loss": True,
    "cross_entropy_loss": True,
    "rec_loss": True,
    "encoder_hidden_size": 512,
    "dropout_encoder": 0.0,
    "lr_scheduler": False,
    "modality": "both",
    "word_embeddings": "both",
    "embeddings_batch_norm": True,
    "lr": 7e-5,
    "optimizer": "adam",
}


def main():
    torch.set_num_threads(1)
    model = ClipClap_model(OPTIONS, 1024, 512)
    count = sum(parameter.numel() for parameter in model.parameters())
    layout = layout_of(model.state_dict())
    model.load_state_dict(random_state(layout))
    model.double()
    # The encoders' dropout is written into the code, and so is their single precision.
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    audio = torch.tensor(random_array(CLIPS, 1024, seed=1)).double()
    visual = torch.tensor(random_array(CLIPS, 512, seed=2))
    visual.type = lambda _: visual.double()
    classes = torch.tensor(random_array(CLASSES, 1536, seed=3)).double()
    labels = torch.tensor(LABELS)
    own = classes[labels]

    stored = {}
    model.eval()
    with torch.no_grad():
        clips, _, projected = model.get_embeddings(audio, visual, classes, None, None)
        stored["distances"] = torch.cdist(clips, projected)
    model.train()
    outputs = model(audio, visual, own, None, None)
    loss, terms = model.compute_loss(outputs, classes, labels)
    loss.backward()
    stored["loss.classification"] = terms["Loss/cross_entropy"]
    stored["loss.alignment"] = terms["Loss/loss_reg"]
    stored["loss.reconstruction"] = terms["Loss/loss_cmd_rec"]
    for name, parameter in model.named_parameters():
        gradient = parameter.grad
        stored[f"norm.{name}"] = gradient.norm()
        stored[f"slice.{name}"] = gradient.flatten()[:: max(1, gradient.numel() // 6)][:6]
    with torch.no_grad():
        model.get_embeddings(audio, visual, own, None, None)
    for name, value in model.state_dict().items():
        if "running" in name:
            stored[f"after.{name}"] = value[:8]
    arrays = {name: np.asarray(value.numpy(), np.float64) for name, value in stored.items()}
    arrays["layout"] = np.array(json.dumps(layout))
    arrays["counts"] = np.array(json.dumps({"all": count}))
    np.savez_compressed(Path(__file__).with_name("clipclap.npz"), **arrays)


main()
