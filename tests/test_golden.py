"""Twenty steps on fixed features give the stored losses: a refactoring must leave them as they are.

In double precision and without dropout, so that they are the same on every machine. After a change
that is meant, write them anew with AVZSL_UPDATE=1 and say so in the change log.
"""

import dataclasses
import json
import os
from pathlib import Path

import pytest
import synthetic
import torch
from training_setup import CPU, small_options

from avzsl.methods.base import Batch, Dims, methods
from avzsl.options import as_dict, from_dict
from avzsl.seeding import seed_torch
from avzsl.training.feeding import Feeder, Preparation
from avzsl.training.loop import Fit

STEPS = 20
VARIANTS = {
    "ez-avgzl": {
        "cosine": {"similarity": "cosine"},
        "linear": {"similarity": "linear", "candidates": "all"},
        "mlp": {"similarity": "mlp", "candidates": "samples"},
        "product": {"readout": "product"},
        "residual": {"readout": "residual"},
    },
    "tcaf": {
        "released": {
            "times": "start",
            "evaluation_times": "index",
            "visual_norm": "time",
            "padding_in_statistics": True,
            "bn_extra_forward": True,
        }
    },
    "kda": {"released": {"mode": "released"}},
}
"""Options besides the defaults that take another path through the code."""

CASES = [(kind, "default", {}) for kind in methods.names()] + [
    (kind, name, options) for kind, own in VARIANTS.items() for name, options in own.items()
]


class DoubleFeeder(Feeder):
    def batch(self, rows, negative_rows=None, places=None):
        batch = super().batch(rows, negative_rows, places)
        values = {f.name: getattr(batch, f.name) for f in dataclasses.fields(batch)}
        is_float = {k for k, v in values.items() if torch.is_tensor(v) and v.is_floating_point()}
        return Batch(**{k: v.double() if k in is_float else v for k, v in values.items()})


def golden_losses(kind, changes):
    features, classes = synthetic.make(synthetic.TINY)
    cls = methods.get(kind)
    options = small_options(kind) | changes
    dropouts = {name: 0.0 for name in as_dict(cls.Options()) if name.endswith("dropout")}
    options = from_dict(cls.Options, options | dropouts)
    # One step an epoch, so that the means of an epoch are the losses of a step.
    training = dataclasses.replace(options.training, steps_per_epoch=1)
    names, rows = features.classes_of("train"), features.rows_of("train")
    preparation = Preparation.fit(features, rows)
    seed_torch(0)
    method = cls(options, Dims(audio=24, visual=40, text=32)).double()
    vectors = torch.from_numpy(classes.vectors[: len(names)]).double()
    feeder = DoubleFeeder(features, names, preparation=preparation, device=CPU)
    fit = Fit(method, feeder, rows, vectors, training, seed=0, stage=1)
    return [fit.run_epoch(lambda: None)["loss"] for _ in range(STEPS)]


@pytest.mark.parametrize(("kind", "name", "changes"), CASES)
def test_losses_are_the_stored_ones(kind, name, changes):
    losses = golden_losses(kind, changes)
    path = Path(__file__).parent / "golden" / f"{kind}-{name}.json"
    if os.environ.get("AVZSL_UPDATE") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(losses, indent=1) + "\n")
    assert losses == pytest.approx(json.loads(path.read_text()), abs=1e-5)
    assert losses[-1] < losses[0]
