"""What a dataset says of methods and features: published settings, training, shared features."""

import copy

import pytest

from avzsl.study_plan import StudyPlan

BENCHMARK = {
    "kind": "benchmark",
    "benchmark": "vggsound",
    "videos": None,
    "split": "cls",
    "hyperparameters": "published",
}
STUDY = {"dataset": "demo", "features": "signal", "variants": ["devise"]}


@pytest.fixture()
def raw(shipped):
    return shipped | {"studies": {"one": copy.deepcopy(STUDY)}, "studies_on": None}


def rows(plan, study="one", table=None):
    return {row.label: row for row in StudyPlan(plan).rows(study, table)}


def test_published_hyper_parameters_of_a_benchmark_reach_methods_and_variants(raw, make_plan):
    raw["datasets"]["vggsound"] = dict(BENCHMARK)
    raw["studies"]["one"]["variants"] = {
        "tcaf": {"method": "tcaf"},
        "wide": {"method": "tcaf", "options": {"encoder_hidden": 64}},
    }
    plan = make_plan(raw)
    assert plan.method("demo", "tcaf").options["training"]["learning_rate"] != 6e-5
    found = rows(plan, table="vggsound_signal")
    options = plan.method("vggsound", found["tcaf"].run).options
    assert options["training"]["learning_rate"] == 6e-5
    assert (options["depth"], options["encoder_hidden"]) == (8, 512)
    wide = plan.method("vggsound", found["wide"].run).options
    assert (wide["depth"], wide["encoder_hidden"]) == (8, 64)


def test_what_the_page_says_wins_over_published_hyper_parameters(raw, make_plan):
    raw["datasets"]["vggsound"] = BENCHMARK | {
        "training": {"epochs": 3},
        "methods": {"tcaf": {"heads": 2}},
    }
    raw["methods"] |= {"tcaf": {"dropout": 0.05}, "small": {"kind": "tcaf", "depth": 1}}
    plan = make_plan(raw)
    tcaf, small = (plan.method("vggsound", name).options for name in ("tcaf", "small"))
    assert (tcaf["depth"], tcaf["heads"], tcaf["dropout"]) == (8, 2, 0.05)
    assert (small["depth"], small["training"]["epochs"]) == (1, 3)
    assert tcaf["training"]["learning_rate"] == small["training"]["learning_rate"] == 6e-5


def test_training_of_a_dataset_reaches_every_method_and_yields_to_one(raw, make_plan):
    raw["datasets"]["demo"] |= {
        "training": {"epochs": 7, "batch_size": 32},
        "methods": {"avca": {"training": {"epochs": 3}}},
    }
    plan = make_plan(raw)
    for method, epochs in (("ez-avgzl", 7), ("kda", 7), ("avca", 3)):
        training = plan.method("demo", method).options["training"]
        assert (training["epochs"], training["batch_size"]) == (epochs, 32)
    raw["datasets"]["demo"]["training"] = {"epoch": 7}
    with pytest.raises(ValueError, match=r"datasets\.demo\.methods\..*no key 'epoch'"):
        make_plan(raw)


@pytest.fixture()
def two(raw, tmp_path):
    """Two datasets of the same three clips."""
    clips = [("1", "a.mp4"), ("2", "b.mp4"), ("3", "c.mp4")]
    for name in ("one", "two"):
        lines = [f"{id},{path},dog,train" for id, path in clips]
        (tmp_path / f"{name}.csv").write_text("\n".join(["id,path,class,subset", *lines]))
        raw["datasets"][name] = {"kind": "table", "path": f"{name}.csv"}
    raw["datasets"]["two"]["features_of"] = "one"
    return raw


def test_a_dataset_may_use_the_features_of_another(two, make_plan):
    plan = make_plan(two)
    assert plan.store("two") == "one"
    assert plan.features_id("two", "signal-audio") == plan.features_id("one", "signal-audio")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("4,d.mp4,dog,train", "one has no clip '4'"),
        ("3,other.mp4,dog,train", "one has another clip '3'"),
    ],
)
def test_other_clips_have_other_features(two, make_plan, tmp_path, line, message):
    (tmp_path / "two.csv").write_text(f"id,path,class,subset\n1,a.mp4,dog,train\n{line}\n")
    with pytest.raises(ValueError, match=rf"datasets\.two\.features_of: {message}"):
        make_plan(two).store("two")


def test_features_of_names_a_dataset_with_features_of_its_own(two, make_plan):
    two["datasets"]["three"] = two["datasets"]["one"] | {"features_of": "two"}
    with pytest.raises(ValueError, match=r"no other dataset 'two' with features of its own"):
        make_plan(two)
    two["datasets"]["three"]["features_of"] = "oen"
    with pytest.raises(ValueError, match=r"'oen'.*Did you mean 'one'"):
        make_plan(two)
