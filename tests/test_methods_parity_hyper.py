"""What the curvature of Hyper does in the released code, and in the Poincaré ball.

That the released losses and gradients are met is in test_methods_parity_avca.py.
"""

import pytest
import torch
from avca_parities import PARITIES
from method_parity import CLASSES_KW, batch


@pytest.mark.parametrize("kind", ["hyper-single", "hyper-multiple"])
@pytest.mark.parametrize("space", ["released", "poincare"])
def test_curvature_is_learnt_unless_released(kind, space):
    method = PARITIES[kind].make(space=space)
    sum(method.losses(batch(), CLASSES_KW).values()).backward()
    largest = max(p.grad.abs().max() for p in method.curvature_map.parameters())
    assert largest < 1e-15 if space == "released" else largest > 1e-9


def test_the_released_variants_of_hyper_are_one():
    """The curvature changes no term; without it there is nothing that tells the variants apart."""
    terms = [
        PARITIES[kind].make(curvature=curvature).losses(batch(), CLASSES_KW)
        for kind in ("hyper-alignment", "hyper-single", "hyper-multiple")
        for curvature in (0.01, 0.5)
    ]
    for name, value in terms[0].items():
        for other in terms[1:]:
            torch.testing.assert_close(other[name], value, atol=1e-12, rtol=0)


def test_poincare_tells_curvatures_apart():
    values = {
        PARITIES["hyper-alignment"]
        .make(space="poincare", curvature=curvature)
        .losses(batch(), CLASSES_KW)["alignment"]
        .item()
        for curvature in (0.01, 0.1, 0.5)
    }
    assert min(abs(a - b) / a for a in values for b in values if a != b) > 0.05
