"""Ids: each changes with what it depends on, and with nothing else."""

import copy

import pytest
import yaml

from avzsl import planning
from avzsl.config import load_config
from avzsl.planning import Plan


@pytest.fixture()
def raw(root):
    return yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))


@pytest.fixture()
def make(root, tmp_path):
    schema = root / "workflow" / "schemas" / "config.schema.json"
    return lambda raw: Plan(load_config(copy.deepcopy(raw), schema), tmp_path)


def ids(plan):
    return {
        "audio": plan.features_id("demo", "signal-audio"),
        "visual": plan.features_id("demo", "signal-visual"),
        "original": plan.classes_id("demo", "signal-text", "original"),
        "optimised": plan.classes_id("demo", "signal-text", "optimised"),
        "ez-avgzl": plan.run_id("demo", "signal", "ez-avgzl", 0),
        "devise": plan.run_id("demo", "signal", "devise", 0),
        "table": plan.table_id("demo", "signal"),
    }


RUNS = {"ez-avgzl", "devise", "table"}


@pytest.mark.parametrize(
    ("edit", "changed"),
    [
        (lambda c: None, set()),
        (lambda c: c["extraction"].update(timeout_seconds=5, max_failure_rate=0.5), set()),
        (lambda c: c.update(device="cpu"), set()),
        (lambda c: c["encoders"].update({"signal-audio": {"mel_bands": 48}}), {"audio", *RUNS}),
        (lambda c: c["encoders"].update({"signal-visual": {"size": 48}}), {"visual", *RUNS}),
        (
            lambda c: c["encoders"].update({"signal-text": {"dim": 128}}),
            {"original", "optimised", *RUNS},
        ),
        (lambda c: c["classes"].update(alpha=0.1), {"optimised", "ez-avgzl", "table"}),
        (lambda c: c["methods"].update({"devise": {"margin": 0.2}}), {"devise", "table"}),
        (lambda c: c["protocol"].update(seeds=[0, 1]), {"table"}),
        (lambda c: c["protocol"].update(standardise=False), RUNS),
        (lambda c: c["datasets"]["demo"].update(methods={}), {"ez-avgzl", "table"}),
        (lambda c: c["datasets"]["demo"].update(buckets=8), {"audio", "visual", *RUNS}),
        (lambda c: c["datasets"]["demo"].update(seed=1), {"audio", "visual", *RUNS}),
    ],
)
def test_a_change_reaches_what_depends_on_it_and_nothing_else(raw, make, edit, changed):
    before = ids(make(raw))
    edit(raw)
    after = ids(make(raw))
    assert {name for name in before if before[name] != after[name]} == changed


def test_new_training_code_trains_again(raw, make, monkeypatch):
    before = ids(make(raw))
    monkeypatch.setattr(planning, "TRAINING_REVISION", planning.TRAINING_REVISION + 1)
    after = ids(make(raw))
    assert {name for name in before if before[name] != after[name]} == RUNS


def test_the_fingerprint_planned_is_that_of_the_code(raw, make):
    from avzsl.encoders import encoders

    plan = make(raw)
    for name, plugin in plan.config.encoders.items():
        encoder = encoders.get(plugin.kind).from_dict(plugin.options)
        assert encoder.fingerprint == plan.fingerprint(name)


def test_gpus_are_asked_for_where_they_were_named(raw, make):
    assert make({**raw, "device": "cpu"}).gpus_per_job == 0
    assert make({**raw, "device": "cuda:1"}).gpus_per_job == 1
