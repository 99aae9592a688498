"""``clap-text``: class names in the space that LAION-CLAP shares between sounds and texts.

Wu et al., "Large-scale Contrastive Language-Audio Pretraining with Feature Fusion and
Keyword-to-Caption Augmentation", ICASSP 2023. Code: https://github.com/LAION-AI/CLAP, CC0; weights
on Hugging Face: Apache-2.0. ``clap-audio`` is the other half of the same checkpoint.

*Preprocessing*: the name's words (``prompts.py``) within the prompt, RoBERTa's byte-level BPE, 77
tokens at most. Names run in batches of one length, so that none is padded; the published code pads
to 77 tokens, which moves features by 4e-8.

*Output*: RoBERTa's pooled first token, projected into the shared space and of unit length; 512
values.

*Checkpoints*: the folder ``laion/clap-htsat-unfused`` of Hugging Face, or the authors' own
``630k-audioset-best.pt`` with RoBERTa's ``tokenizer.json`` in the same folder.

Shapes: B names of a batch, K names, T tokens, D features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from avzsl.encoders.base import EncoderSpec, TextEncoder, encoders
from avzsl.encoders.networks import clap
from avzsl.encoders.pretrained import Pretrained, PretrainedOptions
from avzsl.encoders.prompts import check_prompt, prompted
from avzsl.options import options
from avzsl.sources.checkpoint import Checkpoint

if TYPE_CHECKING:
    import torch

    from avzsl.encoders.frontends.tokens import Tokenise

MAX_TOKENS = 77
"""Of a text, begin and end included; in training, longer ones were cut."""
BEGIN, END = 0, 2
"""RoBERTa's ``<s>`` and ``</s>``."""
NAMES_AT_ONCE = 64


@options
class ClapTextOptions(PretrainedOptions):
    """Options of ``clap-text``."""

    weights: str = "clap-htsat-unfused"
    """Published weights by name (clap-htsat-unfused, clap-630k-audioset-best), the path of a file
    or folder of your own, or ``random``: untrained, to try the workflow."""
    prompt: str = "{}"
    """Text around the class name, which stands at ``{}``, such as ``This is a sound of {}.``"""


@encoders.register("clap-text")
class ClapText(Pretrained[dict[str, Any]], TextEncoder):
    """The text half of LAION-CLAP."""

    kind = "clap-text"
    spec: ClassVar[EncoderSpec] = EncoderSpec(
        revision=1,
        summary="class names in a space shared with sound (LAION-CLAP, RoBERTa)",
        paper="wu2023clap",
        licence="Apache-2.0",
        preprocessing="words of the name within a prompt; byte-level BPE, at most 77 tokens",
        output="projected first token of the text encoder, unit length; 512-d",
    )
    sources = ("clap-htsat-unfused", "clap-630k-audioset-best")
    files: ClassVar[tuple[str, ...]] = (clap.WEIGHTS, clap.TOKENIZER, clap.CONFIG)
    published: ClassVar[dict[str, dict[str, Any]]] = dict.fromkeys(sources, clap.TEXT)
    Options = ClapTextOptions
    options: ClapTextOptions

    def __init__(self, options: ClapTextOptions) -> None:
        super().__init__(options)
        check_prompt(options.prompt)
        self._tokenise: Tokenise

    @property
    def dim(self) -> int:
        """Length D of one feature vector."""
        return int(self.sizes["projection_dim"])

    def read_sizes(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Return the configuration of the text half."""
        return clap.read_sizes(checkpoint, "text")

    def build(self, sizes: dict[str, Any]) -> torch.nn.Module:
        """Return the text half with its projection."""
        return clap.build("text", sizes)

    def read_state(self, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
        """Return the tensors of the text half; those of the audio half are left out."""
        return clap.state_of(checkpoint, "text", self.sizes)

    def load(self, device: torch.device) -> None:
        """Put the network onto ``device`` and read the tokenizer.

        Raises:
            MissingWeightsError: If the weights or the tokenizer are not on disk.
            ValueError: If a file holds anything else than this network or a tokenizer.
        """
        from avzsl.encoders.frontends.tokens import byte_tokenizer, read_tokenizer

        super().load(device)
        if self.checkpoint is None:
            self._tokenise = byte_tokenizer(BEGIN, END)
        else:
            file = self.checkpoint.file(clap.TOKENIZER)
            self._tokenise = read_tokenizer(file, max_length=MAX_TOKENS)

    def encode(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Return [K, D], rows of unit length.

        Raises:
            ValueError: If names hold no letter or digit; the message names them.
        """
        import torch

        from avzsl.encoders.frontends.tokens import of_one_length

        ids = self._tokenise(prompted(names, self.options.prompt))
        vectors_KD = np.zeros((len(names), self.dim), np.float32)
        for places in of_one_length(ids, NAMES_AT_ONCE):
            ids_BT = torch.tensor([ids[place] for place in places], device=self.device)
            with torch.inference_mode(), self.arithmetic():
                embeds_BD = self.network(input_ids=ids_BT).text_embeds
            unit_BD = torch.nn.functional.normalize(embeds_BD.float(), dim=-1)
            vectors_KD[places] = unit_BD.cpu().numpy()
        return vectors_KD
