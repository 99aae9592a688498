"""``llama-text``: class names as a large language model represents them.

Touvron et al., "Llama 2: Open Foundation and Fine-Tuned Chat Models", 2023. Weights:
https://huggingface.co/meta-llama/Llama-2-7b-hf, under the Llama 2 Community License, which asks for
consent on that page before the download.

*Preprocessing*: the name's words (``prompts.py``) within the prompt, the checkpoint's tokenizer,
with the begin-of-text token first. Every name runs alone: no padding, and no vector depends on the
other names.

*Output*: the hidden states of one layer (the last one, behind the final norm), averaged over all
tokens but the begin-of-text, or of the last token; 4096 values for 7B. The begin-of-text token is
left out because it sees no word of the name: its states are the same for all names, and large, and
would draw their means together.

*Checkpoint*: a folder with ``config.json``, ``tokenizer.json`` and the weights as ``.safetensors``,
of the whole model or of its trunk; other sizes and versions of LLaMA work by their path.

*Memory*: 7B takes 26 GB as float32 and 13 GB as bfloat16. float32 is the default although the file
holds 16 bits a value: a few hundred short names are encoded once, and without rounding to 8 bits in
every layer the vectors hardly depend on the machine.

Shapes: K names, T tokens of a name, D features.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from avzsl.encoders.base import EncoderSpec, TextEncoder, encoders
from avzsl.encoders.pretrained import Pretrained, PretrainedOptions
from avzsl.encoders.prompts import check_prompt, prompted
from avzsl.options import options
from avzsl.sources.checkpoint import Checkpoint

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from avzsl.encoders.frontends.tokens import Tokenise

WEIGHTS = "model*.safetensors|pytorch_model*.bin|*.safetensors"
CONFIG = "config.json"
TOKENIZER = "tokenizer.json"

LLAMA_2_7B: dict[str, Any] = {
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "head_dim": None,
    "hidden_act": "silu",
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "rope_scaling": None,
    "rope_parameters": None,
    "attention_bias": False,
    "mlp_bias": False,
    "bos_token_id": 1,
}
"""The published configuration; of another ``config.json``, these entries are read."""
REQUIRED = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "rms_norm_eps",
    "bos_token_id",
)
"""Entries without which a ``config.json`` says too little."""

DROPPED = (r"lm_head\.weight", r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq")
"""The prediction of the next word; constants that old files hold."""


@options
class LlamaTextOptions(PretrainedOptions):
    """Options of ``llama-text``."""

    weights: str = "llama-2-7b"
    """Published weights by name (llama-2-7b), the path of a folder of your own, or ``random``:
    untrained, to try the workflow (as large as the published ones)."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Type of weights and arithmetic. bfloat16 halves the memory (13 GB for 7B) and moves features
    by about 1 %."""
    prompt: str = "{}"
    """Text around the class name, which stands at ``{}``."""
    pooling: Literal["mean", "last"] = "mean"
    """``mean`` of all tokens but the begin-of-text, or the ``last`` token."""
    layer: int = -1
    """Whose hidden states: -1 the last, behind the final norm; 0 the word embeddings, 1 the first
    layer's output, and so on; -2 the output of the last layer but one."""


@encoders.register("llama-text")
class LlamaText(Pretrained[dict[str, Any]], TextEncoder):
    """Pooled hidden states of LLaMA."""

    kind = "llama-text"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="class names in a large language model (Llama 2)",
        paper="touvron2023llama2",
        licence="Llama 2 Community License",
        preprocessing="words of the name within a prompt; SentencePiece BPE with begin-of-text",
        output="mean hidden state of the last layer without begin-of-text; 4096-d (7B)",
    )
    sources = ("llama-2-7b",)
    files: ClassVar[tuple[str, ...]] = (WEIGHTS, CONFIG, TOKENIZER)
    published: ClassVar[dict[str, dict[str, Any]]] = {"llama-2-7b": LLAMA_2_7B}
    Options = LlamaTextOptions
    options: LlamaTextOptions

    def __init__(self, options: LlamaTextOptions) -> None:
        super().__init__(options)
        check_prompt(options.prompt)
        self._tokenise: Tokenise

    @property
    def dim(self) -> int:
        """Length D of one feature vector."""
        return int(self.sizes["hidden_size"])

    def read_sizes(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Return the entries of ``config.json`` that make the network.

        Raises:
            ValueError: If it is another model's.
        """
        config = json.loads(checkpoint.file(CONFIG).read_text(encoding="utf-8"))
        missing = [name for name in REQUIRED if name not in config]
        if config.get("model_type") != "llama" or missing:
            raise ValueError(
                f"{checkpoint.label}: expected the config.json of a LLaMA (model_type 'llama'), "
                f"got model_type {config.get('model_type')!r}"
                + (f", without {', '.join(missing)}." if missing else ".")
            )
        return {name: config[name] for name in LLAMA_2_7B if config.get(name) is not None}

    def build(self, sizes: dict[str, Any]) -> torch.nn.Module:
        """Return the trunk: embeddings, layers, final norm."""
        from transformers import LlamaConfig, LlamaModel

        entries = {name: value for name, value in sizes.items() if value is not None}
        network: torch.nn.Module = LlamaModel(LlamaConfig(**entries))
        return network

    def read_state(self, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
        """Return the tensors of the trunk, in the type of the file."""
        from avzsl.encoders.states import read_tensors, renamed

        tensors = read_tensors(checkpoint.files[WEIGHTS])
        return renamed(tensors, [(r"^model\.", "")], dropped=DROPPED)

    def load(self, device: torch.device) -> None:
        """Put the network onto ``device`` and read the tokenizer.

        Raises:
            MissingWeightsError: If the weights or the tokenizer are not on disk.
            ValueError: If a file holds anything else than this network or a tokenizer, or the
                network has no such layer as the options ask for.
        """
        from avzsl.encoders.frontends.tokens import byte_tokenizer, read_tokenizer

        depth, layer = self.sizes["num_hidden_layers"], self.options.layer
        if not -depth - 1 <= layer <= depth:
            raise ValueError(
                f"{self.options.weights} has {depth} layers: expected a 'layer' from {-depth - 1} "
                f"to {depth}, got {layer}."
            )
        super().load(device)
        if self.checkpoint is None:
            self._tokenise = byte_tokenizer(self.sizes["bos_token_id"])
        else:
            self._tokenise = read_tokenizer(self.checkpoint.file(TOKENIZER))

    def trained_network(self) -> torch.nn.Module:
        """Return the network of the checkpoint, every tensor accounted for."""
        import torch

        from avzsl.encoders.states import check_state

        assert self.checkpoint is not None
        state = self.read_state(self.checkpoint)
        with torch.device("meta"):
            network = self.build(self.sizes)
        what = f"{self.kind} from {self.checkpoint.label}"
        check_state(network.state_dict(), state, what=what)
        # Tensor by tensor: the file's and the network's values are never all in memory together.
        whole = {name: state.pop(name).to(self._dtype) for name in list(state)}
        network.load_state_dict(whole, strict=True, assign=True)
        return _with_rotations(network)

    def random_network(self) -> torch.nn.Module:
        """Return an untrained network, the same each time."""
        return _with_rotations(super().random_network().to(self._dtype))

    def encode(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Return [K, D].

        Raises:
            ValueError: If names hold no letter or digit (the message names them), or the tokenizer
                puts no begin-of-text token first.
        """
        import torch

        ids = self._tokenise(prompted(names, self.options.prompt))
        self._check_begin(ids)
        vectors_KD = np.zeros((len(names), self.dim), np.float32)
        for place, tokens in enumerate(ids):
            with torch.inference_mode():
                states_TD = self._hidden(torch.tensor([tokens], device=self.device))[0]
                pooled_D = (
                    states_TD[-1] if self.options.pooling == "last" else states_TD[1:].mean(0)
                )
            vectors_KD[place] = pooled_D.cpu().numpy()
        return vectors_KD

    @property
    def _dtype(self) -> torch.dtype:
        import torch

        dtype: torch.dtype = getattr(torch, self.options.precision)
        return dtype

    def _hidden(self, ids_1T: Tensor) -> Tensor:
        """Return the hidden states [1, T, D] of the chosen layer, float32."""
        found = self.network(input_ids=ids_1T, use_cache=False, output_hidden_states=True)
        states_1TD: Tensor = found.hidden_states[self.options.layer]
        return states_1TD.float()

    def _check_begin(self, ids: Sequence[Sequence[int]]) -> None:
        begin = self.sizes["bos_token_id"]
        first = {tokens[0] if tokens else None for tokens in ids} - {begin}
        if first:
            raise ValueError(
                f"The tokenizer of {self.options.weights} begins a text with token {first.pop()}, "
                f"expected the begin-of-text token {begin}. Take the checkpoint's own "
                "tokenizer.json, which puts it there."
            )


def _with_rotations(network: torch.nn.Module) -> torch.nn.Module:
    """Return the network with its rotary angles, which no file holds, made anew in float32."""
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    config: Any = network.config
    network.rotary_emb = LlamaRotaryEmbedding(config=config)
    return network
