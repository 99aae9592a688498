"""Tiny checkpoints of CLAP, in its authors' layout, and of LLaMA, in the hub's.

The layouts are those of the golden files. What a reference computes itself (transforms of the
sound, masks, indices) stands in the files as one zero: it must not be read.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from random_states import random_array, random_state
from torch import Tensor

GOLDEN = Path(__file__).parents[1] / "golden" / "encoders"
COMPUTED = re.compile(
    r".*(spectrogram_extractor|logmel_extractor)\..+|.*attn_mask|.*relative_position_index"
    r"|.*position_ids|.*token_type_ids"
)
"""Tensors of a state that are no weights."""

WORDS = ("dog", "barking", "playing", "violin", "bee", "wasp", "saxophone", "sound", "of", "this")
LLAMA_CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "float16",
}


def golden(name: str) -> dict[str, Any]:
    """The arrays of a golden file; those named ``layout*`` and ``json*`` as Python objects."""
    with np.load(GOLDEN / f"{name}.npz") as held:
        arrays = {key: held[key] for key in held.files}
    return {
        key: json.loads(str(value)) if key.startswith(("layout", "json")) else value
        for key, value in arrays.items()
    }


def golden_mel() -> Tensor:
    """Made-up log-mel spectra [3, 1, 1001, 64] of three windows, in dB."""
    return torch.from_numpy(random_array(3, 1, 1001, 64, seed=0, scale=10.0) - 30.0)


def golden_sound() -> np.ndarray:
    """10 s of noise at 48 kHz, [1, 480000]."""
    return random_array(1, 480_000, seed=1, scale=0.1)


def weights_of(layout: dict[str, list]) -> dict[str, Tensor]:
    """Random weights of a layout, without what is computed."""
    return random_state({k: v for k, v in layout.items() if not COMPUTED.fullmatch(k)})


def laion_state(layout: dict[str, list]) -> dict[str, Tensor]:
    """A state in the layout of CLAP's authors."""
    computed = {name: torch.zeros(1) for name in layout if COMPUTED.fullmatch(name)}
    return weights_of(layout) | computed


def merges_of(words: tuple[str, ...], space: str) -> list[tuple[str, str]]:
    """Merges that build each word behind a space from its letters, left to right."""
    pairs: list[tuple[str, str]] = []
    for word in words:
        made = space
        for letter in word:
            if (made, letter) not in pairs:
                pairs.append((made, letter))
            made += letter
    return pairs


def roberta_vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Tokens and merges of a small byte-level BPE in RoBERTa's order."""
    from tokenizers.pre_tokenizers import ByteLevel

    merges = merges_of(WORDS, "Ġ")
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet())]
    tokens += ["".join(pair) for pair in merges] + ["<mask>"]
    return {token: number for number, token in enumerate(tokens)}, merges


def roberta_tokenizer() -> str:
    """A ``tokenizer.json`` like RoBERTa's."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    vocabulary, merges = roberta_vocabulary()
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), add_prefix_space=False
    )
    tokenizer.enable_padding(pad_id=1, pad_token="<pad>", length=20)  # as saved by a careless user
    return str(tokenizer.to_str())


def llama_tokenizer(*, begin: bool = True) -> str:
    """A ``tokenizer.json`` like Llama 2's: SentencePiece's BPE, bytes for what it does not know."""
    from tokenizers import Tokenizer, models, normalizers, processors

    merges = merges_of(WORDS, "▁")
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokens += ["▁", *"abcdefghijklmnopqrstuvwxyz", *("".join(pair) for pair in merges)]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    if begin:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 1)]
        )
    return str(tokenizer.to_str())


def write_clap(folder: Path, layout: dict[str, list]) -> Path:
    """Write the authors' file with a tokenizer beside it, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {f"module.{name}": tensor for name, tensor in laion_state(layout).items()}
    optimiser = {"param_groups": [{"lr": np.float64(1e-4)}]}
    torch.save({"epoch": 1, "state_dict": state, "optimizer": optimiser}, folder / "clap.pt")
    (folder / "tokenizer.json").write_text(roberta_tokenizer(), encoding="utf-8")
    return folder / "clap.pt"


def write_llama(folder: Path, layout: dict[str, list]) -> Path:
    """Write a hub folder in two parts, and return its path."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = random_state(layout)
    names = list(state)
    for part, chosen in enumerate((names[::2], names[1::2]), start=1):
        file = folder / f"model-0000{part}-of-00002.safetensors"
        save_file({name: state[name].contiguous() for name in chosen}, file)
    (folder / "config.json").write_text(json.dumps(LLAMA_CONFIG), encoding="utf-8")
    (folder / "tokenizer.json").write_text(llama_tokenizer(), encoding="utf-8")
    return folder


def write(folder: Path) -> dict[str, dict[str, Any]]:
    """Write tiny checkpoints and return the options that use them."""
    clap = write_clap(folder / "clap", golden("clap-audio")["layout"])
    llama = write_llama(folder / "llama", golden("llama-text")["layout"])
    return {
        "clap-audio": {"weights": str(clap)},
        "clap-text": {"weights": str(clap)},
        "llama-text": {"weights": str(llama)},
    }
