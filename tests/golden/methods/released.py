"""What the scripts that run released code of AVCA's family have in common."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from avca_golden import summaries, write
from random_states import layout_of, random_state


def filled(model):
    """Return the model with random weights, in training mode, and its layout."""
    layout = layout_of(model.state_dict())
    model.load_state_dict(random_state(layout))
    return model.train(), layout


def dropouts_of(model):
    """Return the rate of every dropout by its name."""
    rates = {n: m.p for n, m in model.named_modules() if isinstance(m, torch.nn.Dropout)}
    assert any(rates.values()), "the model is to be made with its dropouts"
    return rates


def gradients_of(model, total):
    """Return the gradient of every parameter that gets one."""
    total.backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def save(name, *, layout, dropouts, terms, total, scores, gradients, buffers=None, **more):
    """Write a golden file: gradients and running statistics as summaries, the rest as it is."""
    buffers = {n: b for n, b in (buffers or {}).items() if "running" in n}
    meta = {
        "layout": layout,
        "dropouts": dropouts,
        "parameters": list(gradients),
        "buffers": list(buffers),
        "terms": {key: value.item() for key, value in terms.items()},
        "total": total.item(),
    }
    arrays = {"scores": scores.detach().numpy(), "gradients": summaries(gradients)}
    write(name, meta, arrays | more | ({"statistics": summaries(buffers)} if buffers else {}))


class Recorder(torch.nn.Module):
    """Calls a loss and keeps what it gave: copies, since some are added to in place."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.values = inner, []

    def forward(self, *args, **kwargs):
        value = self.inner(*args, **kwargs)
        self.values.append(value.clone())
        return value
