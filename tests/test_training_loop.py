"""The loop against plain Adam, and a state from which every next step is the same."""

import synthetic
import torch
from training_setup import CPU, small_options

from avzsl.methods.base import Dims, methods
from avzsl.options import from_dict
from avzsl.seeding import seed_torch, stream
from avzsl.training.feeding import Feeder
from avzsl.training.loop import Fit


def make_fit(kind="ez-avgzl", **training):
    features, classes = synthetic.make(synthetic.TINY)
    cls = methods.get(kind)
    options = small_options(kind)
    options["training"] = options["training"] | training
    options = from_dict(cls.Options, options)
    names = features.classes_of("train")
    seed_torch(3)
    dims = Dims(audio=features.audio.dim, visual=features.visual.dim, text=32)
    method = cls(options, dims)
    vectors = torch.from_numpy(classes.vectors[: len(names)])
    feeder = Feeder(features, names, preparation=None, device=CPU)
    rows = features.rows_of("train")
    return Fit(method, feeder, rows, vectors, options.training, seed=3, stage=1), feeder, rows


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_an_epoch_equals_plain_adam():
    fit, feeder, rows = make_fit("devise", weight_decay=1e-3)
    means = fit.run_epoch(lambda: None)

    twin, _, _ = make_fit("devise")
    method, vectors = twin.method.train(), twin._classes_KW
    optimiser = torch.optim.Adam(method.parameters(), lr=0.01, weight_decay=1e-3)
    order = stream(3, "batches", 1, 1).permutation(len(rows))
    losses = []
    for positions in torch.from_numpy(order).tensor_split(3):
        loss = method.losses(feeder.batch(rows[positions.numpy()]), vectors)["ranking"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    torch.testing.assert_close(fit.method.project.weight, method.project.weight)
    assert means["loss"] == means["ranking"]
    assert abs(means["loss"] - sum(losses) / len(losses)) < 1e-6
    assert fit.epoch == 1


def test_any_step_can_be_resumed_bit_for_bit(tmp_path):
    undisturbed, _, _ = make_fit()
    wanted = [undisturbed.run_epoch(lambda: None) for _ in range(3)]

    def save(fit):
        path = tmp_path / f"{len(states)}.pt"
        torch.save(fit.state_dict(), path)
        return path

    states = []
    fit, _, _ = make_fit()
    for _ in range(3):
        fit.run_epoch(lambda: states.append(save(fit)))
        states.append(save(fit))
    assert len(states) == 9  # three steps an epoch, the last one counted after the epoch

    for path in states:
        resumed, _, _ = make_fit()
        torch.rand(7)  # another state of the generator, as in a new process
        resumed.load_state_dict(torch.load(path, weights_only=True))
        got = [resumed.run_epoch(lambda: None) for _ in range(3 - resumed.epoch)]
        assert got == wanted[len(wanted) - len(got) :]
        assert same(resumed.method.state_dict(), undisturbed.method.state_dict())


def test_every_parameter_is_trained():
    fit, _, _ = make_fit()
    before = {name: value.clone() for name, value in fit.method.named_parameters()}
    for _ in range(2):
        fit.run_epoch(lambda: None)
    still = [name for name, value in fit.method.named_parameters() if value.equal(before[name])]
    assert not still
