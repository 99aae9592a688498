"""The published hyper-parameters of AVCA's repository and of Hyper are options as they stand."""

import tomllib

import pytest

from avzsl.methods.base import methods
from avzsl.options import from_dict

KINDS = (
    *("avca", "hyper-alignment", "hyper-single", "hyper-multiple"),
    *("avgzslnet", "cjme", "ale", "sje", "devise", "apn"),
)
TABLES = [(d, f) for d in ("ucf", "activitynet", "vggsound") for f in ("main", "cls")]


@pytest.fixture(scope="module")
def published(root):
    text = (root / "src/avzsl/methods/published.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@pytest.mark.parametrize("kind", KINDS)
def test_every_table_makes_options(published, kind):
    cls = methods.get(kind).Options
    for dataset, features in TABLES:
        options = from_dict(cls, published[kind][dataset][features])
        assert options.training.steps_per_epoch == 500
        assert options.training.sampling == "class-balanced"
        assert options.training.schedule == "plateau"
        released = published[kind].get("released", {})
        assert from_dict(cls, published[kind][dataset][features] | released) == options or released


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "devise"])
def test_defaults_are_those_of_vggish_and_c3d_features_of_ucf(published, kind):
    cls = methods.get(kind).Options
    assert from_dict(cls, published[kind]["ucf"]["cls"]) == cls()


@pytest.mark.parametrize("kind", KINDS)
def test_released_switches_are_not_the_defaults(published, kind):
    cls = methods.get(kind).Options
    for name, value in published[kind].get("released", {}).items():
        assert getattr(from_dict(cls, {name: value}), name) != getattr(cls(), name)


@pytest.mark.parametrize(
    ("kind", "features", "values"),
    [
        ("hyper-alignment", "main", (0.46, 0.15, 0.20)),
        ("hyper-alignment", "cls", (0.09, 0.19, 0.22)),
        ("hyper-single", "main", (0.03, 0.34, 0.37)),
        ("hyper-single", "cls", (0.05, 0.13, 0.11)),
        ("hyper-multiple", "main", (0.36, 0.50, 0.37)),
        ("hyper-multiple", "cls", (0.04, 0.43, 0.13)),
    ],
)
def test_curvatures_are_those_of_the_readme(published, kind, features, values):
    names = ("vggsound", "ucf", "activitynet")
    assert tuple(published[kind][name][features]["curvature"] for name in names) == values


def test_only_avca_on_selavi_features_of_vggsound_has_small_batches(published):
    small = {
        (kind, dataset, features)
        for kind in KINDS
        for dataset, features in TABLES
        if published[kind][dataset][features]["training"]["batch_size"] == 64
    }
    assert {kind for kind, *_ in small} == {kind for kind in KINDS if kind[:2] in ("av", "hy")} - {
        "avgzslnet"
    }
    assert {tuple(rest) for _, *rest in small} == {("vggsound", "main")}
