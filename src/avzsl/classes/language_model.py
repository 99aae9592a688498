"""A causal language model of ``transformers`` from a folder on disk, as a writer of descriptions.

The folder holds what ``save_pretrained`` writes: ``config.json``, the weights, the tokenizer.
Nothing is downloaded, and no code of the folder is run. A model that was trained to follow
instructions brings a template for conversations; its prompts go through that.

Shapes: B texts of a batch, L tokens.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from avzsl.classes.describe import DescribeOptions, is_complete

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class LanguageModel:
    """A writer: goes on from a prompt.

    Args:
        folder: Of the model.
        options: How it goes on.
        device: Where it runs.
        dtype: ``auto`` for that of the weights, or ``float32``, ``bfloat16``.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no such model.
    """

    def __init__(
        self, folder: Path, options: DescribeOptions, device: torch.device, *, dtype: str = "auto"
    ) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        if not (folder / "config.json").is_file():
            raise FileNotFoundError(
                f"{folder} is no folder of a language model: it holds no config.json. Expected "
                "config.json, the weights, and the tokenizer, as Hugging Face publishes them."
            )
        self.options = options
        self.device = device
        own: Any = {"local_files_only": True, "trust_remote_code": False}
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, **own)
            model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **own)
        except (OSError, LookupError, ImportError, RuntimeError, ValueError) as error:
            raise ValueError(f"{folder}: no causal language model can be read: {error}") from None
        self.model = model.to(device).eval()

    def __call__(self, prompt: str, seed: int) -> str:
        """Return what follows the prompt; the same for the same seed, on the same machine."""
        import torch

        ids_1L = self._tokens(prompt).to(self.device)
        torch.manual_seed(seed)
        with torch.inference_mode():
            made_1L = self.model.generate(
                input_ids=ids_1L, attention_mask=torch.ones_like(ids_1L), **self._how(ids_1L)
            )
        text: str = self.tokenizer.decode(made_1L[0, ids_1L.shape[1] :], skip_special_tokens=True)
        return text

    def _tokens(self, prompt: str) -> Tensor:
        """Return the ids [1, L] of a prompt, within the template for conversations if there is."""
        if getattr(self.tokenizer, "chat_template", None):
            talk = [{"role": "user", "content": prompt}]
            text = self.tokenizer.apply_chat_template(
                talk, tokenize=False, add_generation_prompt=True
            )
            found = self.tokenizer(text, return_tensors="pt", add_special_tokens=False)
        else:
            found = self.tokenizer(prompt, return_tensors="pt")
        ids_1L: Tensor = found["input_ids"]
        return ids_1L

    def _how(self, ids_1L: Tensor) -> dict[str, Any]:
        """Return the arguments of ``generate``."""
        from transformers import StoppingCriteriaList

        begin = ids_1L.shape[1]

        def enough(ids_BL: Tensor, scores: Any, **_: Any) -> Tensor:
            import torch

            said = self.tokenizer.decode(ids_BL[0, begin:], skip_special_tokens=True)
            done = is_complete(said, self.options.sentences)
            return torch.full((len(ids_BL),), done, device=ids_BL.device)

        options = self.options
        how: dict[str, Any] = {
            "max_new_tokens": options.max_tokens,
            "do_sample": options.sampling == "sample",
            "stopping_criteria": StoppingCriteriaList([enough]),
        }
        if options.sampling == "sample":
            how |= {"temperature": options.temperature, "top_p": options.top_p, "top_k": 0}
        if self.tokenizer.pad_token_id is None:
            how["pad_token_id"] = self.model.config.eos_token_id
        return how
