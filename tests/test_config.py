"""config.yaml: the shipped page, defaults, and clear errors for what is wrong."""

import copy
import subprocess
import sys

import pytest
import yaml

from avzsl.config import load_config, merge


@pytest.fixture(scope="module")
def schema(root):
    return root / "workflow" / "schemas" / "config.schema.json"


@pytest.fixture()
def raw(root):
    return yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))


def test_the_shipped_page_is_valid_and_filled(raw, schema):
    config = load_config(raw, schema)
    assert config.methods["ez-avgzl"].options["training"]["learning_rate"] == 1e-4
    assert config.sections["protocol"]["seeds"] == [0, 1, 2]
    assert config.encoders["signal-audio"].modality == "audio"


def test_the_schema_is_what_the_code_says(root):
    subprocess.run([sys.executable, "-m", "avzsl", "schema", "--check"], cwd=root, check=True)


def test_the_shipped_page_satisfies_the_schema_as_an_editor_sees_it(raw, schema):
    import json

    from jsonschema import Draft202012Validator

    whole = json.loads(schema.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(whole)
    validator = Draft202012Validator(whole)
    assert list(validator.iter_errors(raw)) == []
    raw["datasets"]["demo"]["bukkets"] = 4
    assert list(validator.iter_errors(raw))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c.update(methds={}), "config.yaml has no key 'methds'. Did you mean 'methods'"),
        (
            lambda c: c["methods"]["ez-avgzl"].update(depht=2),
            "config.yaml: methods.ez-avgzl has no key 'depht'. Did you mean 'depth'",
        ),
        (
            lambda c: c["methods"]["ez-avgzl"].update(training={"epoch": 3}),
            "methods.ez-avgzl.training has no key 'epoch'. Did you mean 'epochs'",
        ),
        (
            lambda c: c["methods"].update(devize={}),
            "methods.devize: there is no kind 'devize'. Did you mean 'devise'",
        ),
        (
            lambda c: c["features"]["signal"].update(audio="signal-audoi"),
            "signal.audio: there is no encoder 'signal-audoi'. Did you mean 'signal-audio'",
        ),
        (
            lambda c: c["features"]["signal"].update(audio="signal-text"),
            "'signal-text' is an encoder of text, not audio",
        ),
        (lambda c: c["features"]["signal"].pop("text"), "features.signal needs the key 'text'"),
        (lambda c: c["classes"].update(alpha="half"), "classes.alpha"),
        (lambda c: c["classes"].update(alpha=1.5), "classes.alpha"),
        (lambda c: c["datasets"]["demo"].update(buckets=3), "datasets.demo.buckets"),
        (lambda c: c["datasets"].update(my_clips={"kind": "demo"}), "lower-case letters, digits"),
        (
            lambda c: c["datasets"]["demo"].update(methods={"ez-avgzl": {"depht": 1}}),
            "datasets.demo.methods.ez-avgzl has no key 'depht'",
        ),
        (
            lambda c: c["extraction"].update(decoder="torchcodek"),
            "got 'torchcodek'. Did you mean 'torchcodec'",
        ),
        (lambda c: c.update(device="gpu"), "device"),
    ],
)
def test_what_is_wrong_is_named(raw, schema, edit, message):
    edit(raw)
    with pytest.raises(ValueError, match=r"^config\.yaml") as caught:
        load_config(raw, schema)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_partly_given_section_keeps_the_methods_own_defaults(raw, schema):
    raw["methods"]["ez-avgzl"] = {"training": {"epochs": 3}}
    training = load_config(raw, schema).methods["ez-avgzl"].options["training"]
    assert training["epochs"] == 3
    assert training["learning_rate"] == 1e-4


def test_a_dataset_overrides_a_method(raw, schema):
    raw["datasets"]["demo"]["methods"] = {"ez-avgzl": {"training": {"epochs": 3}}}
    config = load_config(raw, schema)
    assert config.method_on("demo", "ez-avgzl").options["training"]["epochs"] == 3
    assert config.methods["ez-avgzl"].options["training"]["epochs"] == 50


def test_an_int_and_the_same_float_are_one_value(raw, schema):
    other = copy.deepcopy(raw)
    raw["classes"]["margin"], other["classes"]["margin"] = 1, 1.0
    value, same = (load_config(c, schema).sections["classes"]["margin"] for c in (raw, other))
    assert repr(value) == repr(same) == "1.0"


def test_kinds_may_be_used_under_other_names(raw, schema):
    raw["methods"]["cosine"] = {"kind": "ez-avgzl", "similarity": "cosine"}
    assert load_config(raw, schema).methods["cosine"].options["similarity"] == "cosine"


def test_merge_goes_to_every_depth():
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 4}}) == {
        "a": {"b": 4, "c": 2},
        "d": 3,
    }
