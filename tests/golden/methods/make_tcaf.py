"""Write tcaf.npz from the released code of TCaF, in double precision, on the CPU.

python tests/golden/methods/make_tcaf.py PATH_OF_THE_CLONE

The clone is https://github.com/ExplainableML/TCAF-GZSL at 0ca2059; needs torch, numpy and einops.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TESTS), sys.argv[1]]
from random_states import layout_of, random_array, random_state  # noqa: E402
from src.model_sequence import Multimodal_Sequence_Transformer  # noqa: E402

AUDIO, VISUAL, TEXT, CLASSES, CLIPS = 12, 20, 300, 5, 4
AUDIO_LENGTHS, VISUAL_LENGTHS, LABELS = (3, 5, 1, 2), (4, 7, 2, 7), (3, 0, 3, 1)
SMALL = {
    "dim_out": 64,
    "encoder_hidden_size": 16,
    "decoder_hidden_size": 24,
    "transformer_dim": 300,
    "transformer_depth": 2,
    "transformer_heads": 2,
    "transformer_dim_head": 8,
    "transformer_mlp_dim": 16,
    "transformer_embedding_dim": 8,
    "transformer_dropout": 0.0,
    "transformer_embedding_dropout": 0.0,
    "dropout_encoder": 0.0,
    "dropout_decoder": 0.0,
    "additional_dropout": 0.0,
    "reg_loss": True,
    "cross_entropy_loss": True,
    "rec_loss": True,
    "transformer_attention_use_self_attention": False,
    "transformer_attention_use_cross_attention": True,
    "lr_scheduler": False,
    "transformer_average_features": False,
    "transformer_use_embedding_net": True,
    "audio_only": False,
    "video_only": False,
    "embeddings_batch_norm": True,
    "transformer_use_class_token": True,
    "transformer_embedding_time_len": 120,
    "transformer_embedding_modality": True,
    "transformer_embedding_time_embed_type": "sinusoid",
    "transformer_embedding_fourier_scale": 10.0,
    "transformer_embedding_embed_augment_position": False,
    "lr": 7e-5,
    "optimizer": "adam",
}
FULL = {
    "transformer_mlp_dim": 128,
    "transformer_embedding_dim": 64,
    "decoder_hidden_size": 512,
}
# encoder_hidden_size, depth, heads, dim_head of the configurations in config/best
CONFIGS = {
    "ucf.cls": (512, 6, 8, 64),
    "activitynet.cls": (512, 6, 8, 64),
    "vggsound.cls": (512, 8, 8, 64),
    "ucf.main": (256, 5, 8, 64),
    "activitynet.main": (128, 8, 3, 128),
    "vggsound.main": (128, 8, 6, 128),
}


def padded(lengths, size, seed, scale):
    """Return random sequences, padded with zeros, and their mask, as the collator does."""
    longest = max(lengths)
    mask = np.arange(longest) < np.array(lengths)[:, None]
    values = random_array(len(lengths), longest, size, seed=seed, scale=scale)
    return torch.tensor(values * mask[..., None]).double(), torch.tensor(mask).double()


def inputs():
    audio, audio_mask = padded(AUDIO_LENGTHS, AUDIO, 1, 100.0)
    visual, visual_mask = padded(VISUAL_LENGTHS, VISUAL, 2, 1.0)
    classes = torch.tensor(random_array(CLASSES, TEXT, seed=3)).double()
    masks = {"audio": audio_mask, "video": visual_mask}
    times = {
        "audio": np.repeat(np.arange(max(AUDIO_LENGTHS))[None] * 0.96, CLIPS, axis=0),
        "video": np.repeat(np.arange(max(VISUAL_LENGTHS))[None] * 0.64, CLIPS, axis=0),
    }
    return audio, visual, classes, masks, times


def once(name):
    """Return one name for a part that the released model holds under two."""
    return name.replace("position_encoder_block.", "audiovisual_embeddings.")


def parameters_of_configurations():
    counts = {}
    for name, (hidden, depth, heads, dim_head) in CONFIGS.items():
        sizes = {
            "encoder_hidden_size": hidden,
            "transformer_depth": depth,
            "transformer_heads": heads,
            "transformer_dim_head": dim_head,
        }
        main = name.endswith("main")
        model = Multimodal_Sequence_Transformer(
            SMALL | FULL | sizes, 512 if main else 128, 512 if main else 4096
        )
        counts[name] = sum(p.numel() for p in model.parameters())
    return counts


def main():
    torch.set_num_threads(1)
    counts = parameters_of_configurations()
    model = Multimodal_Sequence_Transformer(SMALL, AUDIO, VISUAL)
    layout = layout_of({once(name): value for name, value in model.state_dict().items()})
    state = random_state(layout)
    model.load_state_dict({name: state[once(name)] for name in model.state_dict()})
    model.double()
    embeddings = model.position_encoder_block
    single = embeddings.get_fourier_embeddings
    embeddings.get_fourier_embeddings = lambda times: single(times.double())
    audio, visual, classes, masks, times = inputs()
    labels = torch.tensor(LABELS)
    own = classes[labels]

    stored = {}
    model.eval()
    with torch.no_grad():
        clips, _, projected = model.get_embeddings(audio, visual, classes, masks, times)
        stored["distances"] = torch.cdist(clips, projected)
    model.train()
    outputs = model(audio, visual, own, masks, times)
    loss, terms = model.compute_loss(outputs, classes, labels)
    loss.backward()
    stored["loss.classification"] = terms["Loss/cross_entropy"]
    stored["loss.alignment"] = terms["Loss/loss_reg"]
    stored["loss.reconstruction"] = terms["Loss/loss_cmd_rec"]
    for name, parameter in model.named_parameters():
        gradient = torch.zeros(1) if parameter.grad is None else parameter.grad
        stored[f"norm.{once(name)}"] = gradient.norm()
        stored[f"slice.{once(name)}"] = gradient.flatten()[:: max(1, gradient.numel() // 6)][:6]
    with torch.no_grad():
        model.get_embeddings(audio, visual, own, masks, times)
    for name, value in model.state_dict().items():
        if "running" in name:
            stored[f"after.{once(name)}"] = value[:8]
    arrays = {name: np.asarray(value.numpy(), np.float64) for name, value in stored.items()}
    arrays["layout"] = np.array(json.dumps(layout))
    arrays["counts"] = np.array(json.dumps(counts))
    np.savez_compressed(Path(__file__).with_name("tcaf.npz"), **arrays)


main()
