"""Golden files of ``clap-audio`` and ``clap-text``, made by the authors' own code.

Reference: https://github.com/LAION-AI/CLAP, commit 1fd4c37df5ffbfcfbad5415c170bc66cf94c9994.
Versions: torch 2.13, torchvision 0.28, torchlibrosa 0.1.0, librosa 0.11, transformers 5.23,
tokenizers 0.23; the package itself on the path, with av 18 or later.

    PYTHONPATH=src:tests python tests/golden/encoders/make_clap.py CLAP/src/laion_clap MEDIA

MEDIA is the folder of real clips; they are decoded by the package, resampled by librosa.
"""

from __future__ import annotations

import importlib.machinery
import json
import sys
import types
from pathlib import Path
from unittest import mock

import librosa
import numpy as np
import torch
import transformers
from random_states import layout_of
from tiny.clap_llama import golden_mel, golden_sound, roberta_vocabulary, weights_of

from avzsl.decode.audio import read_audio
from avzsl.encoders.resample import resample

HERE = Path(__file__).parent
JOINT = 16
AUDIO = {"embed_dim": 8, "depths": [2, 2, 1, 1], "num_heads": [1, 2, 2, 4]}
TEXT = {
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 80,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
"""The sizes of roberta-base made small; its other values."""
NAMES = ["dog barking", "playing violin fiddle", "bee, wasp, etc. buzzing", "été à vélo"]
PROMPT = "This is a sound of {}."
CLIPS = ("vggsound/-1pRmoJIGQc_000010.mp4", "audio/dog.wav", "ucf_like/clip.avi")
STRIDE = (12, 3)
"""Every so many-th spectrum and band is kept."""


def import_reference(folder: Path) -> types.SimpleNamespace:
    """Import the authors' modules; what they import for training only is replaced by mocks."""
    sys.path[:0] = [str(folder), str(folder.parent)]
    for name in ("wget", "webdataset", "braceexpand", "pandas"):
        sys.modules[name] = mock.MagicMock(__spec__=importlib.machinery.ModuleSpec(name, None))
    for tokenizer in ("BertTokenizer", "RobertaTokenizer", "BartTokenizer"):
        getattr(transformers, tokenizer).from_pretrained = lambda *a, **k: None
    package = types.ModuleType("laion_clap")  # without its __init__, which builds everything
    package.__path__ = [str(folder)]
    sys.modules["laion_clap"] = package
    from clap_module import htsat, model
    from laion_clap.training import data

    return types.SimpleNamespace(htsat=htsat, model=model, data=data)


def build(reference: types.SimpleNamespace, words: int) -> torch.nn.Module:
    """A small CLAP of the authors' classes."""
    config = types.SimpleNamespace(
        model_type="HTSAT",
        sample_rate=48000,
        window_size=1024,
        hop_size=480,
        mel_bins=64,
        fmin=50,
        fmax=14000,
        class_num=5,
    )
    roberta = transformers.RobertaModel(transformers.RobertaConfig(vocab_size=words, **TEXT))

    def small_htsat(audio_cfg, enable_fusion, fusion_type):
        return reference.htsat.HTSAT_Swin_Transformer(
            num_classes=5,
            config=audio_cfg,
            enable_fusion=enable_fusion,
            fusion_type=fusion_type,
            **AUDIO,
        )

    with (
        mock.patch.object(reference.model, "create_htsat_model", small_htsat),
        mock.patch.object(reference.model.RobertaModel, "from_pretrained", lambda name: roberta),
    ):
        clap = reference.model.CLAP(
            embed_dim=8 * AUDIO["embed_dim"],
            audio_cfg=config,
            text_cfg=types.SimpleNamespace(model_type="roberta", context_length=77),
            joint_embed_shape=JOINT,
        )
    # Written for a width of 768 only.
    clap.text_projection[0] = torch.nn.Linear(TEXT["hidden_size"], JOINT)
    return clap.eval()


def preprocessed(reference, clap, media: Path) -> dict[str, np.ndarray]:
    """Log-mel spectra of real clips: the authors', and transformers' from our own samples."""
    extractor = transformers.ClapFeatureExtractor(frequency_min=50, truncation="rand_trunc")
    made = {}
    for number, clip in enumerate(CLIPS):
        waveform = read_audio(str(media / clip))
        mono = waveform.samples.mean(0)
        theirs = librosa.resample(mono, orig_sr=waveform.sample_rate, target_sr=48000)[:480000]
        rounded = reference.data.int16_to_float32(reference.data.float32_to_int16(theirs))
        sample = reference.data.get_audio_features(
            {}, torch.from_numpy(rounded), 480000, "rand_trunc", "repeatpad", {}
        )
        spectra = clap.audio_branch.logmel_extractor(
            clap.audio_branch.spectrogram_extractor(sample["waveform"][None])
        )[0, 0].numpy()
        ours = resample(
            torch.from_numpy(mono)[None], from_rate=waveform.sample_rate, to_rate=48000
        )[0, :480000].numpy()
        hub = extractor(ours, sampling_rate=48000, return_tensors="np")["input_features"][0, 0]
        made[f"authors_{number}"] = spectra[:: STRIDE[0], :: STRIDE[1]].astype(np.float32)
        made[f"hub_{number}"] = hub[:: STRIDE[0], :: STRIDE[1]].astype(np.float32)
    return {"json_clips": json.dumps(CLIPS), "stride": np.array(STRIDE), **made}


def hub_layout(words: int) -> dict[str, list]:
    """Names and shapes of transformers' class in the same sizes."""
    audio = transformers.ClapAudioConfig(
        patch_embeds_hidden_size=AUDIO["embed_dim"],
        hidden_size=8 * AUDIO["embed_dim"],
        depths=AUDIO["depths"],
        num_attention_heads=AUDIO["num_heads"],
    )
    text = transformers.ClapTextConfig(vocab_size=words, **TEXT)
    config = transformers.ClapConfig(
        audio_config=audio.to_dict(), text_config=text.to_dict(), projection_dim=JOINT
    )
    return layout_of(transformers.ClapModel(config).state_dict())


@torch.inference_mode()
def main(folder: Path, media: Path) -> None:
    reference = import_reference(folder)
    vocabulary, merges = roberta_vocabulary()
    clap = build(reference, len(vocabulary))
    layout = layout_of(clap.state_dict())
    clap.load_state_dict(clap.state_dict() | weights_of(layout))
    np.savez_compressed(HERE / "clap-audio-preprocess.npz", **preprocessed(reference, clap, media))

    from_sound = clap.get_audio_embedding([{"waveform": torch.from_numpy(golden_sound()[0])}])
    branch = clap.audio_branch
    branch.spectrogram_extractor = branch.logmel_extractor = torch.nn.Identity()
    from_mel = clap.get_audio_embedding([{"waveform": window} for window in golden_mel()])
    np.savez_compressed(
        HERE / "clap-audio.npz",
        layout=json.dumps(layout),
        layout_hub=json.dumps(hub_layout(len(vocabulary))),
        from_mel=from_mel.numpy(),
        from_sound=from_sound.numpy(),
    )

    tokenizer = transformers.RobertaTokenizer(vocab=vocabulary, merges=merges)
    texts = [*NAMES, *(PROMPT.replace("{}", name) for name in NAMES), "dog " * 100]
    found = tokenizer(
        texts, padding="max_length", truncation=True, max_length=77, return_tensors="pt"
    )
    vectors = clap.get_text_embedding(dict(found))
    np.savez_compressed(
        HERE / "clap-text.npz",
        layout=json.dumps(layout),
        json_names=json.dumps(NAMES),
        json_prompt=json.dumps(PROMPT),
        json_long=json.dumps(texts[-1]),
        bare=vectors[: len(NAMES)].numpy(),
        prompted=vectors[len(NAMES) : -1].numpy(),
        long=vectors[-1:].numpy(),
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} CLAP/src/laion_clap MEDIA")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
