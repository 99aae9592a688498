"""Studies: what a variant comes to, what it shares, and clear errors for what is wrong."""

import copy

import pytest

from avzsl.study_plan import StudyPlan

STUDY = {
    "title": "Objectives",
    "dataset": "demo",
    "features": "signal",
    "published": "EZ-AVGZL Table 5",
    "base": {"method": "ez-avgzl"},
    "variants": {
        "both": {},
        "proximity": {"classes": {"objective": "proximity"}},
        "none": {"options": {"classes": "original"}},
        "shallow": {"options": {"depth": 2}, "published": "other row"},
        "linear": {"method": "devise"},
    },
}


@pytest.fixture()
def raw(shipped):
    return shipped | {"studies": {"one": copy.deepcopy(STUDY)}, "studies_on": None}


def rows(plan, study="one", table=None):
    return {row.label: row for row in StudyPlan(plan).rows(study, table)}


def test_a_variant_without_settings_is_the_method_itself(raw, make_plan):
    found = rows(make_plan(raw))
    assert (found["both"].run, found["both"].classes) == ("ez-avgzl", "optimised")
    assert (found["linear"].run, found["linear"].classes) == ("devise", "original")


def test_settings_that_equal_what_the_dataset_says_are_no_settings(raw, make_plan):
    """The demo has depth 1: 1 is the method itself there, 6, the method's default, is not."""
    raw["studies"]["one"]["variants"] = {
        "one": {"options": {"depth": 1}},
        "six": {"options": {"depth": 6}},
        "alpha": {"classes": {"alpha": 0.5, "margin": 1}},
    }
    found = rows(make_plan(raw))
    assert found["one"].run == found["alpha"].run == "ez-avgzl"
    assert found["six"].run.startswith("ez-avgzl@")


def test_each_variant_has_runs_of_its_own_and_other_settings_only(raw, make_plan):
    plan = make_plan(raw)
    found = rows(plan)
    assert len({row.run for row in found.values()}) == len(found)
    proximity = plan.method("demo", found["proximity"].run)
    assert proximity.options == plan.method("demo", "ez-avgzl").options
    assert plan.class_options(found["proximity"].classes)["objective"] == "proximity"
    assert plan.class_options("optimised")["objective"] == "margin-ranking"
    assert plan.method("demo", found["shallow"].run).options["depth"] == 2
    ids = {plan.run_id("demo", "signal", row.run, 0) for row in found.values()}
    assert len(ids) == len(found)


def test_two_studies_share_the_runs_of_an_equal_variant(raw, make_plan):
    raw["studies"]["two"] = {
        "dataset": "demo",
        "features": "signal",
        "variants": {"p": {"method": "ez-avgzl", "classes": {"objective": "proximity"}}},
    }
    plan = make_plan(raw)
    assert rows(plan, "two")["p"].run == rows(plan)["proximity"].run


def test_class_settings_in_the_base_leave_original_embeddings_alone(raw, make_plan):
    raw["studies"]["one"]["base"] = {"classes": {"alpha": 0.1}}
    raw["studies"]["one"]["variants"] = {"a": {"method": "devise"}, "b": {"method": "ez-avgzl"}}
    found = rows(make_plan(raw))
    assert found["a"].run == "devise"
    assert found["b"].run.startswith("ez-avgzl@")


def test_files_of_a_row(raw, make_plan):
    row = rows(make_plan(raw))["proximity"]
    digits = row.classes.removeprefix("optimised@")
    assert row.evaluations[2] == f"results/evaluations/demo/signal/{row.run}/seed2.json"
    assert row.summary == f"results/classes/demo/signal-text/optimised@{digits}.json"
    assert row.neighbours == f"results/classes/demo/signal-text/neighbours@{digits}.csv"
    plain = rows(make_plan(raw))["both"]
    assert plain.neighbours == "results/classes/demo/signal-text/neighbours.csv"
    assert rows(make_plan(raw))["none"].summary is None


def test_published_numbers_stand_by_label_on_the_own_dataset_alone(raw, make_plan):
    plan = make_plan(raw)
    assert rows(plan)["proximity"].published == "EZ-AVGZL Table 5: proximity"
    assert rows(plan)["shallow"].published == "EZ-AVGZL Table 5: other row"
    assert rows(plan, table="demo_signal")["proximity"].published is None


def test_a_colon_in_a_label_names_no_table(raw, make_plan):
    raw["studies"]["one"]["variants"] = {"loss: l1": {}}
    assert rows(make_plan(raw))["loss: l1"].published == "EZ-AVGZL Table 5: loss: l1"
    raw["studies"]["one"]["published"] = None
    assert rows(make_plan(raw))["loss: l1"].published is None


def test_the_class_tables_need_no_weights_of_sound_and_pictures(raw, make_plan):
    raw["features"]["mixed"] = {"audio": "vggish", "visual": "c3d", "text": "signal-text"}
    raw["studies"]["one"]["features"] = "mixed"
    studies = StudyPlan(make_plan(raw))
    before = studies.classes_table_id("one")
    with pytest.raises(OSError, match="vggish"):
        studies.table_id("one")
    raw["protocol"]["seeds"] = [4]
    assert StudyPlan(make_plan(raw)).classes_table_id("one") == before
    raw["classes"]["alpha"] = 0.7
    assert StudyPlan(make_plan(raw)).classes_table_id("one") != before


def test_labels_say_where_there_are_several_places(raw, make_plan):
    raw["studies"]["one"]["features"] = ["signal", "imagebind"]
    labels = StudyPlan(make_plan(raw)).labels("one")
    assert labels[0] == "both, signal"
    assert labels[5] == "both, imagebind"


def test_studies_on_what_is_not_configured_are_left_out(raw, make_plan):
    raw["studies"]["one"]["variants"]["as released"] = {"dataset": "demo-legacy"}
    studies = StudyPlan(make_plan(raw))
    assert (studies.wanted(), studies.lacks("one")) == ([], ["demo-legacy"])


def test_a_study_crosses_datasets_feature_sets_and_variants(raw, make_plan):
    raw["datasets"]["other"] = {"kind": "demo", "seed": 5}
    raw["studies"]["one"] |= {"dataset": ["demo", "other"], "features": ["signal", "imagebind"]}
    found = StudyPlan(make_plan(raw)).rows("one")
    assert len(found) == 4 * 5
    assert [(row.dataset, row.features) for row in found[::5]] == [
        ("demo", "signal"),
        ("demo", "imagebind"),
        ("other", "signal"),
        ("other", "imagebind"),
    ]
    assert found[5].text == "imagebind-text"


def test_elsewhere_rows_with_a_place_of_their_own_are_left_out(raw, make_plan):
    raw["studies"]["one"]["variants"]["as released"] = {"features": "imagebind"}
    plan = make_plan(raw)
    assert "as released" in rows(plan)
    assert "as released" not in rows(plan, table="demo_signal")


def test_a_study_on_a_dataset_that_is_not_there_runs_elsewhere_only(raw, make_plan):
    raw["studies"]["one"]["dataset"] = "vggsound"
    plan = make_plan(raw)
    studies = StudyPlan(plan)
    with pytest.raises(
        ValueError, match=r"studies\.one needs 'vggsound'.*results/tables/\{dataset\}"
    ):
        studies.rows("one")
    assert studies.wanted() == []
    assert len(studies.rows("one", "demo_signal")) == 5
    raw["studies_on"] = ["demo_signal"]
    assert StudyPlan(make_plan(raw)).wanted() == [("one", "demo_signal")]


def test_the_id_of_a_table_follows_its_runs_and_labels(raw, make_plan):
    before = StudyPlan(make_plan(raw)).table_id("one")
    raw["methods"]["devise"] = {"margin": 0.3}
    assert StudyPlan(make_plan(raw)).table_id("one") != before
    raw["methods"]["devise"] = {}
    assert StudyPlan(make_plan(raw)).table_id("one") == before
    raw["studies"]["one"]["title"] = "Other"
    assert StudyPlan(make_plan(raw)).table_id("one") != before


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: s.update(variants={}), "studies.one.variants is empty"),
        (lambda s: s.update(variants=["devis"]), "no method 'devis'. Did you mean 'devise'"),
        (lambda s: s["variants"].update(x={"optons": {}}), "no key 'optons'. Did you mean"),
        (
            lambda s: s["variants"].update(x={"options": {"dept": 3}}),
            "studies.one.variants.x.options has no key 'dept'. Did you mean 'depth'",
        ),
        (lambda s: s["variants"].update(x={"classes": {"alpha": 2}}), "x.classes.alpha: 2 is"),
        (lambda s: s["variants"].update(x=3), "expected keys with values, got 3"),
        (lambda s: s.update(base={}, variants={"x": {}}), "names no method"),
        (lambda s: s["variants"].update(x={"method": None}), "x.method: expected text, got None"),
        (lambda s: s["variants"].update(x={"options": "deep"}), "x.options: expected keys with"),
        (lambda s: s["variants"].update(x={"published": 5}), "x.published: expected text, got 5"),
        (
            lambda s: s["variants"].update(x={"method": "avca", "classes": {"alpha": 0.1}}),
            "x.classes has no effect: avca uses original class embeddings",
        ),
        (
            lambda s: s.update(variants={1: {"method": "avca"}, "1": {"method": "tcaf"}}),
            "same label",
        ),
        (lambda s: s.update(seeds=[]), "studies.one.seeds"),
        (lambda s: s.update(seeds=[1, 1]), "studies.one.seeds"),
        (lambda s: s.update(dataset=["demo", "demo"]), "studies.one.dataset"),
        (
            lambda s: s.update(shows="neighbours", variants=["avca"]),
            "no variant of it uses optimised",
        ),
        (
            lambda s: s.update(dataset=["demo", "other"], figures=["confusion"]),
            "confusion show the classes of one dataset",
        ),
        (
            lambda s: s.update(published=None, variants={"x": {"published": "sep only"}}),
            "'sep only' is a row, but the study names no published table",
        ),
        (lambda s: s.update(shows="accurcy"), "Did you mean 'accuracy'"),
        (lambda s: s.pop("dataset"), "studies.one needs the key 'dataset'"),
    ],
)
def test_what_is_wrong_is_said_clearly(raw, make_plan, edit, message):
    edit(raw["studies"]["one"])
    with pytest.raises(ValueError) as caught:
        make_plan(raw)
    assert message in str(caught.value)
