"""Ids: each changes with what it depends on, and with nothing else."""

import copy
import shutil

import pytest
from tiny import tiny_options

from avzsl import planning
from avzsl.config import load_config
from avzsl.planning import Plan


@pytest.fixture()
def raw(shipped):
    return shipped | {"encoders": shipped["encoders"] or {}}


@pytest.fixture()
def make(make_plan):
    return make_plan


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
    for name in ("signal-audio", "signal-visual", "signal-text"):
        plugin = plan.config.encoders[name]
        encoder = encoders.get(plugin.kind).from_dict(plugin.options)
        assert encoder.fingerprint == plan.fingerprint(name)


def test_weights_are_part_of_the_fingerprint_by_content_not_by_place(raw, make, tmp_path):
    first, other = tiny_options("dino"), tiny_options("audiomae")
    copy = tmp_path / "copy.pth"
    shutil.copyfile(first["weights"], copy)

    def fingerprint(weights):
        raw["encoders"]["mine"] = first | {"kind": "dino", "weights": str(weights)}
        return make(raw).fingerprint("mine")

    assert fingerprint(first["weights"]) == fingerprint(copy) != fingerprint(other["weights"])
    assert fingerprint("random") != fingerprint("random:dino-vits16") != fingerprint(copy)


def test_missing_weights_name_the_entry_of_the_configuration(raw, make, monkeypatch, tmp_path):
    monkeypatch.setenv("AVZSL_WEIGHTS", str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=r"encoders\.dino: .*avzsl fetch weights dino-vitb16"
    ):
        make(raw).fingerprint("dino")


def test_a_job_plans_with_the_listing_of_the_run_that_started_it(raw, root, tmp_path):
    schema = root / "workflow" / "schemas" / "config.schema.json"
    clips = tmp_path / "clips.csv"
    lines = [f"{i}.mp4,class {i % 5},train" for i in range(20)]
    clips.write_text("path,class,subset\n" + "\n".join(lines))
    raw["datasets"] = {"mine": {"kind": "table", "path": "clips.csv"}}
    raw["tables"] = raw["studies_on"] = None

    def plan(**more):
        return Plan(load_config(copy.deepcopy(raw), schema), tmp_path, **more)

    kept = tmp_path / "kept"
    before = plan(snapshots=kept).shards("mine")
    clips.write_text(clips.read_text() + "\nnew.mp4,class 1,train")
    assert plan(snapshots=kept, is_job=True).shards("mine") == before
    after = plan(snapshots=kept).shards("mine")
    assert after != before and after == plan().shards("mine")
    assert plan(snapshots=kept, is_job=True).shards("mine") == after
    for file in kept.iterdir():
        file.write_text("{")
    assert plan(snapshots=kept, is_job=True).shards("mine") == after, "listed anew"
    raw["datasets"]["mine"]["buckets"] = 8
    assert len(plan(snapshots=kept, is_job=True).shards("mine")) <= 8, "other options"


def test_a_dataset_that_is_not_asked_for_is_not_listed(raw, make):
    raw["datasets"]["absent"] = {"kind": "folder", "path": "no/such/folder"}
    plan = make(raw)
    assert plan.table_id("demo", "signal")
    with pytest.raises(OSError, match="no/such/folder"):
        plan.shards("absent")


def test_gpus_are_asked_for_where_they_were_named(raw, make):
    assert make({**raw, "device": "cpu"}).gpus_per_job == 0
    assert make({**raw, "device": "cuda:1"}).gpus_per_job == 1
