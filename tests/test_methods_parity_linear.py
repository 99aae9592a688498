"""ALE, SJE, DeViSE and APN give the numbers of the code released with AVCA.

The golden files are written by tests/golden/methods/make_avca.py.
"""

import numpy as np
import pytest
import torch
from avca_golden import AUDIO, VISUAL
from method_parity import (
    CLASSES_KW,
    DIMS,
    Parity,
    assert_parity,
    batch,
    parameter_counts,
)
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.methods.base import methods
from avzsl.methods.linear import LinearOptions

RULES = (
    (r"bilinear\.", "project."),
    ("ALE_vector", "global_head.weight"),
    (r"prototype_vectors\.layer4", "local_head.weight"),
)
RELEASED = {"dropout": 0.0, "class_dropout": 0.0, "score": "distance"}


def audio_first(name, weight):
    """Return a released matrix [W, V + A] or kernel [W, V + A, 1, 1] as ours, [W, A + V]."""
    matrix = weight.flatten(1)
    return torch.cat([matrix[:, VISUAL:], matrix[:, :VISUAL]], dim=1)


def visual_first(name, weight):
    """Return a matrix of ours, [W, A + V], with the columns of a released one."""
    return torch.cat([weight[:, AUDIO:], weight[:, :AUDIO]], dim=1)


def parity_of(kind, golden, **options):
    return Parity(
        kind=kind,
        golden=golden,
        rules=RULES,
        options=options,
        ours=audio_first,
        theirs=visual_first,
    )


PARITIES = {
    "ale": parity_of("ale", "ale", **RELEASED),
    "sje": parity_of("sje", "sje", **RELEASED),
    "devise": parity_of("devise", "devise", **RELEASED),
    "devise-raw": parity_of("devise", "devise-raw", **RELEASED, normalise=False),
    "apn": parity_of("apn", "apn", score="distance", softmax_twice=True),
}
every_method = pytest.mark.parametrize("parity", PARITIES.values(), ids=PARITIES.keys())


@every_method
def test_scores_losses_and_gradients_are_the_released_ones(parity):
    # The released ALE divides by the rank plus 1e-8.
    assert_parity(parity, parity.make(), tolerance=1e-7 if parity.kind == "ale" else 1e-9)


@every_method
def test_a_changed_weight_shows(parity):
    for name in parity.make().state_dict():
        for column in (0, -1):
            method = parity.make()
            with torch.no_grad():
                method.state_dict()[name][0, column] += 0.1
            with pytest.raises(AssertionError):
                assert_parity(parity, method, tolerance=1e-5)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("ale", {"margin": 0.11}),
        ("sje", {"margin": 0.11}),
        ("devise", {"margin": 0.11}),
        ("devise", {"normalise": False}),
        ("devise", {"score": "product"}),
        ("apn", {"softmax_twice": False}),
        ("apn", {"normalise": False}),
        ("apn", {"score": "product"}),
    ],
    ids=str,
)
def test_a_changed_option_shows(name, changes):
    with pytest.raises(AssertionError):
        assert_parity(PARITIES[name], PARITIES[name].make(**changes), tolerance=1e-5)


@pytest.mark.parametrize("name", ["ale", "sje", "devise"])
@pytest.mark.parametrize("other", ["ale", "sje", "devise"])
def test_the_ranking_losses_are_told_apart(name, other):
    ours = PARITIES[name].make().losses(batch(), CLASSES_KW)["ranking"].item()
    released = PARITIES[other].stored[0]["total"]
    assert (abs(ours - released) < 1e-7) == (name == other)


@pytest.mark.parametrize("kind", ["ale", "sje"])
def test_features_and_classes_are_dropped_at_the_published_rate(kind):
    """The one dropout of the released code acts on the features, then on the classes."""
    method = PARITIES[kind].make(dropout=0.2, class_dropout=0.2)
    stored = PARITIES[kind].stored[0]["dropouts"]
    assert stored == {"dropout": method.dropout.p}
    assert methods.get(kind).Options().class_dropout == stored["dropout"]
    seen = []
    for part in (method.dropout, method.class_dropout):
        part.register_forward_hook(lambda _, x, y: seen.append((x[0], y)))
    method.losses(batch(), CLASSES_KW)
    (features, dropped), (classes, dropped_classes) = seen
    assert features.norm(dim=1).allclose(torch.ones(len(features)).double())
    assert torch.equal(classes, CLASSES_KW)
    assert (dropped == 0).any()
    kept = dropped_classes != 0
    assert 0.1 < 1 - kept.double().mean() < 0.3
    torch.testing.assert_close(dropped_classes[kept], classes[kept] / 0.8)


def test_evaluation_drops_nothing():
    method = PARITIES["ale"].make(dropout=0.5, class_dropout=0.5)
    wanted = PARITIES["ale"].make()
    np.testing.assert_array_equal(PARITIES["ale"].scores(method), PARITIES["ale"].scores(wanted))


def test_distance_ranks_classes_of_length_1_as_the_product_does():
    units = F.normalize(CLASSES_KW, dim=1)
    product, distance = (
        PARITIES["devise"].make(score=score).eval()(batch(), units)
        for score in ("product", "distance")
    )
    assert torch.equal(product.argsort(dim=1), distance.argsort(dim=1))
    assert not torch.equal(
        PARITIES["devise"].make(score="product").eval()(batch(), CLASSES_KW).argsort(dim=1),
        PARITIES["devise"].make(score="distance").eval()(batch(), CLASSES_KW).argsort(dim=1),
    ), "the class embeddings of the golden file differ in length"


def test_local_head_of_apn_never_scores():
    method = PARITIES["apn"].make()
    before = PARITIES["apn"].scores(method)
    torch.nn.init.zeros_(method.local_head.weight)
    np.testing.assert_array_equal(PARITIES["apn"].scores(method), before)


def test_heads_of_apn_begin_as_released():
    method = methods.get("apn")(methods.get("apn").Options(), DIMS)
    for head in (method.global_head, method.local_head):
        assert 0 <= head.weight.min() < 1e-6
        assert 1.99e-4 < head.weight.max() <= 2e-4


def test_options_of_devise_are_those_of_all_linear_methods():
    assert methods.get("devise").Options().__dict__ == LinearOptions().__dict__


@pytest.mark.parametrize("kind", ["ale", "sje", "devise"])
def test_as_many_parameters_as_released(kind):
    assert parameter_counts(kind) == (307_200, 1_267_200)


def test_apn_has_as_many_parameters_as_released():
    assert parameter_counts("apn") == (614_400, 2_534_400)
