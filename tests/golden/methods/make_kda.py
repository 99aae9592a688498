"""Write kda.npz from the released code of KDA, in double precision, on the CPU.

python tests/golden/methods/make_kda.py PATH_OF_THE_CLONE

The clone is https://github.com/chenhaoxing/KDA at 05157a5; needs torch, torchvision, numpy and
einops. What it reads from files is replaced: the text encoder by a table of random vectors, the
descriptions by their numbers.
"""

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import torch

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TESTS), sys.argv[1]]
from random_states import layout_of, random_array, random_state  # noqa: E402

CLASSES, LABELS = 5, (3, 0, 3, 1, 4, 4)
COLUMNS = ("name", "description_1", "description_2", "description_3")


class Texts(torch.nn.Module):
    """Stands for the text encoder: text ``column class`` has a random vector of its own."""

    @classmethod
    def from_pretrained(cls, _):
        return cls()

    def forward(self, ids):
        vectors = random_array(len(COLUMNS), CLASSES, 512, seed=3)
        return SimpleNamespace(text_embeds=torch.tensor(vectors).double()[ids[:, 0], ids[:, 1]])


class Tokenizer:
    """Stands for its tokenizer."""

    @classmethod
    def from_pretrained(cls, _):
        def numbers(texts, **_):
            return {"ids": torch.tensor([[int(n) for n in text.split()] for text in texts])}

        return numbers


def table(_):
    """Stand for the file of descriptions."""
    texts = {name: [f"{i} {k}" for k in range(CLASSES)] for i, name in enumerate(COLUMNS)}
    return {name: SimpleNamespace(tolist=lambda own=own: own) for name, own in texts.items()}


def stub(name, **attributes):
    sys.modules[name] = module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)  # torch looks at it
    vars(module).update(attributes)


def released_module(name):
    """Import the released code without what it imports and does not use."""
    nothing = {}.fromkeys(("BertTokenizer", "BertModel", "BartTokenizer", "BartModel"))
    stub("pandas", read_csv=table)
    stub("transformers", AutoTokenizer=Tokenizer, CLIPTextModelWithProjection=Texts, **nothing)
    stub("InstructorEmbedding", INSTRUCTOR=None)
    stub("src.utils_improvements")
    torch.Tensor.cuda = lambda self: self
    return __import__(f"src.{name}", fromlist=["KDA"])


def build(audio, visual):
    sizes = {"input_size": None, "input_size_audio": audio, "input_size_video": visual}
    return released_module("model").KDA(SimpleNamespace(norm_inputs=True, **sizes))


def main():
    torch.set_num_threads(1)
    counts = {}
    for name, sizes in {"main": (512, 512), "cls": (128, 4096)}.items():
        counts[name] = sum(parameter.numel() for parameter in build(*sizes).parameters())
    torch.set_default_dtype(torch.float64)
    model = build(12, 20).float()
    layout = layout_of(model.state_dict())
    state = random_state(layout)
    state |= {"margin_generator.a": torch.tensor(1.0), "margin_generator.b": torch.tensor(0.0)}
    model.load_state_dict(state)
    model.double()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    audio = torch.tensor(random_array(len(LABELS), 12, seed=1)).double()
    visual = torch.tensor(random_array(len(LABELS), 20, seed=2)).double()
    labels = torch.tensor(LABELS)
    criterion = __import__("src.loss", fromlist=["KDA_Loss"]).KDA_Loss(lamda=5)

    stored = {}
    model.eval()
    with torch.no_grad():  # in the mode of training, since that of evaluation stops in a debugger
        with_margin, mapped, classes, _ = model(visual, audio, LABELS, range(CLASSES))
        stored["distances"] = torch.cdist(mapped["final"], classes)
        stored["classes"] = classes
        stored["margins"] = with_margin - (mapped["final"] @ classes.t()).softmax(1)
    model.train()
    with_margin, mapped, _, own = model(visual, audio, LABELS, range(CLASSES))
    loss, _ = criterion(model, with_margin, mapped, own, labels)
    loss.backward()
    stored["loss.alignment"] = loss.detach()
    for name, parameter in model.named_parameters():
        gradient = torch.zeros(1) if parameter.grad is None else parameter.grad
        stored[f"norm.{name}"] = gradient.norm()
        stored[f"slice.{name}"] = gradient.flatten()[:: max(1, gradient.numel() // 6)][:6]
    for name, value in model.state_dict().items():
        if "running" in name and "2com" not in name:
            stored[f"after.{name}"] = value[:8]
    arrays = {name: np.asarray(value.numpy(), np.float64) for name, value in stored.items()}
    arrays["layout"] = np.array(json.dumps(layout))
    arrays["counts"] = np.array(json.dumps(counts))
    np.savez_compressed(Path(__file__).with_name("kda.npz"), **arrays)


main()
