"""What every registered method promises; a new one is found here without being named."""

import dataclasses
import re

import numpy as np
import pytest
import synthetic
import torch
from training_setup import CPU, small_options

from avzsl.config import NAME_PATTERN
from avzsl.datasets.batches import draw_negatives
from avzsl.methods.base import Batch, Dims, MethodOptions, methods
from avzsl.options import as_dict, from_dict, json_schema
from avzsl.training.feeding import Feeder, Preparation

KINDS = methods.names()
DIMS = Dims(audio=24, visual=40, text=32)
WITHOUT_GRADIENT: dict[str, set[str]] = {}
"""Parameters that a method has but never trains, with the reason where they are defined."""

pytestmark = pytest.mark.parametrize("kind", KINDS)


def make(kind, seed=0, **changes):
    cls = methods.get(kind)
    torch.manual_seed(seed)
    return cls(from_dict(cls.Options, small_options(kind) | changes), DIMS)


def make_batch(clips=18, extra=0):
    """Return clips of the training classes, and the embeddings of these classes."""
    features, classes = synthetic.make(synthetic.TINY)
    rows = features.rows_of("train")[:clips]
    names = features.classes_of("train")
    preparation = Preparation.fit(features, features.rows_of("train"))
    feeder = Feeder(features, names, preparation=preparation, device=CPU)
    labels = feeder.labels(features.rows_of("train"))
    others = draw_negatives(labels, np.arange(len(rows)), np.random.default_rng(0))
    batch = feeder.batch(rows, features.rows_of("train")[others])
    return padded(batch, extra), torch.from_numpy(classes.vectors[: len(names)])


def padded(batch, extra):
    """Append empty time steps to every sequence of a batch."""
    if batch is None:
        return None
    tensors = {
        field.name: pad(getattr(batch, field.name), extra)
        for field in dataclasses.fields(batch)
        if field.name != "negatives"
    }
    return Batch(**tensors, negatives=padded(batch.negatives, extra))


def pad(tensor, extra):
    """Append empty time steps."""
    if tensor.ndim == 1:
        return tensor
    return torch.cat([tensor, tensor.new_zeros(len(tensor), extra, *tensor.shape[2:])], dim=1)


def test_scores_have_a_column_per_class(kind):
    batch, classes = make_batch()
    for training in (True, False):
        scores = make(kind).train(training)(batch, classes)
        assert scores.shape == (18, 6)
        assert scores.isfinite().all()


def test_training_raises_the_true_class(kind):
    batch, classes = make_batch()
    method = make(kind).train()
    optimiser = torch.optim.Adam(method.parameters(), lr=1e-2)
    before = lead(method, batch, classes)
    for _ in range(30):
        loss = sum(method.losses(batch, classes).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert lead(method, batch, classes) > before


def lead(method, batch, classes):
    """Return by how much the true class leads the mean class."""
    with torch.no_grad():
        scores = method.eval()(batch, classes)
    method.train()
    return (scores.gather(1, batch.labels_B[:, None])[:, 0] - scores.mean(1)).mean().item()


def test_losses_are_finite_scalars_and_reach_every_parameter(kind):
    batch, classes = make_batch()
    method = make(kind).train()
    terms = method.losses(batch, classes)
    assert terms
    assert all(term.ndim == 0 and term.isfinite() for term in terms.values())
    assert not {"stage", "epoch", "loss", "bias"} & set(terms), "names that the history uses"
    sum(terms.values()).backward()
    unreached = {
        name
        for name, parameter in method.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    }
    assert unreached == WITHOUT_GRADIENT.get(kind, set())


def test_losses_bear_a_batch_of_one_class(kind):
    batch, classes = make_batch(clips=4)
    assert len(batch.labels_B.unique()) == 1
    for term in make(kind).train().losses(batch, classes).values():
        assert term.isfinite()


def test_the_seed_decides(kind):
    batch, classes = make_batch()

    def loss(seed):
        return sum(make(kind, seed).train().losses(batch, classes).values()).item()

    assert loss(0) == loss(0)
    assert loss(0) != loss(1)


def test_padding_changes_no_score(kind):
    method = make(kind).eval()
    (batch, classes), (longer, _) = make_batch(), make_batch(extra=5)
    assert longer.audio_BTA.shape[1] == batch.audio_BTA.shape[1] + 5
    torch.testing.assert_close(method(longer, classes), method(batch, classes), atol=1e-6, rtol=0)


def test_other_clips_of_the_batch_change_no_score(kind):
    method = make(kind).eval()
    batch, classes = make_batch()
    names = [f.name for f in dataclasses.fields(batch) if f.name != "negatives"]
    few = Batch(**{name: getattr(batch, name)[:3] for name in names})
    wanted = method(batch, classes)[:3]
    torch.testing.assert_close(method(few, classes), wanted, atol=1e-6, rtol=1e-6)


def test_labels_are_not_looked_at(kind):
    method = make(kind).eval()
    batch, classes = make_batch()
    other = dataclasses.replace(batch, labels_B=batch.labels_B.flip(0))
    assert torch.equal(method(batch, classes), method(other, classes))


def test_permuted_classes_permute_the_scores(kind):
    method = make(kind).eval()
    batch, classes = make_batch()
    order = torch.randperm(len(classes))
    wanted = method(batch, classes)[:, order]
    torch.testing.assert_close(method(batch, classes[order]), wanted, atol=1e-6, rtol=1e-6)


def test_the_score_of_a_class_depends_on_its_embedding(kind):
    method = make(kind).eval()
    batch, classes = make_batch()
    scores = method(batch, classes)
    spread = scores - scores.mean(dim=1, keepdim=True)
    # Not only on the class: another clip must be able to prefer another class.
    assert (spread - spread.mean(dim=0)).abs().max() > 1e-6


def test_weights_round_trip(kind):
    batch, classes = make_batch()
    method, other = make(kind).eval(), make(kind, seed=1).eval()
    other.load_state_dict(method.state_dict())
    assert torch.equal(method(batch, classes), other(batch, classes))


def test_options_round_trip_and_refuse_unknown_keys(kind):
    cls = methods.get(kind)
    assert issubclass(cls.Options, MethodOptions)
    options = from_dict(cls.Options, small_options(kind))
    assert from_dict(cls.Options, as_dict(options)) == options
    assert as_dict(from_dict(cls.Options, {})) == as_dict(cls.Options())
    with pytest.raises(ValueError, match="no_such_option"):
        from_dict(cls.Options, {"no_such_option": 1})


def test_every_option_is_described(kind):
    schema = json_schema(methods.get(kind).Options)
    for part in [schema, *schema.get("$defs", {}).values()]:
        for name, option in part["properties"].items():
            assert option.get("description"), f"{kind}: {name} needs a docstring"


def test_it_says_what_it_is(kind, root):
    cls = methods.get(kind)
    assert cls.kind == kind
    assert re.fullmatch(NAME_PATTERN, kind)
    assert cls.summary
    assert cls.revision >= 1
    bibliography = (root / "src" / "avzsl" / "references.bib").read_text(encoding="utf-8")
    assert f"{{{cls.paper}," in bibliography
