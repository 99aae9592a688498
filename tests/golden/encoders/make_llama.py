"""Golden file of ``llama-text``: hidden states of transformers' whole language model, pooled here.

Reference: ``transformers.LlamaForCausalLM``, transformers 5.23, torch 2.13, tokenizers 0.23.

    PYTHONPATH=tests python tests/golden/encoders/make_llama.py
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from random_states import layout_of, random_state
from tiny.clap_llama import LLAMA_CONFIG, llama_tokenizer

HERE = Path(__file__).parent
NAMES = ["dog barking", "playing violin fiddle", "bee, wasp, etc. buzzing", "été à vélo"]
PROMPT = "the sound of {} in the park"


@torch.inference_mode()
def main() -> None:
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig.from_dict(dict(LLAMA_CONFIG)))
    layout = layout_of(model.state_dict())
    model.load_state_dict(random_state(layout))
    model.eval()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tokenizer.json"
        file.write_text(llama_tokenizer(), encoding="utf-8")
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(file), bos_token="<s>")

    def states(name: str, layer: int) -> np.ndarray:
        ids = tokenizer(name, return_tensors="pt")["input_ids"]
        assert ids[0, 0] == 1
        return model(input_ids=ids, output_hidden_states=True).hidden_states[layer][0].numpy()

    made = {
        "mean": [states(name, -1)[1:].sum(0) / (len(states(name, -1)) - 1) for name in NAMES],
        "last": [states(name, -1)[-1] for name in NAMES],
        "first_layer": [states(name, 1)[1:].mean(0) for name in NAMES],
        "embeddings": [states(name, 0)[1:].mean(0) for name in NAMES],
        "prompted": [states(PROMPT.replace("{}", name), -1)[1:].mean(0) for name in NAMES],
    }
    np.savez_compressed(
        HERE / "llama-text.npz",
        layout=json.dumps(layout),
        json_names=json.dumps(NAMES),
        json_prompt=json.dumps(PROMPT),
        json_ids=json.dumps([tokenizer(name)["input_ids"] for name in NAMES]),
        **{name: np.stack(rows) for name, rows in made.items()},
    )


if __name__ == "__main__":
    main()
