"""Text encoders side by side: order, weight, ids, and what is said where a part is missing."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tiny import tiny_options

from avzsl.cli.main import main
from avzsl.config import load_config
from avzsl.encoders import encoders
from avzsl.encoders.about import describe, with_sizes
from avzsl.planning import Plan
from avzsl.sources.checkpoint import MissingWeightsError

NAMES = ["dog barking", "playing violin", "bee buzzing"]


def make(*parts: tuple[str, dict[str, Any]], load: bool = True, **options: Any) -> Any:
    chosen = [{"kind": kind, "options": values} for kind, values in parts]
    encoder = encoders.get("joined").from_dict({"encoders": chosen, **options})
    if load:
        encoder.load(torch.device("cpu"))
    return encoder


def part(kind: str) -> tuple[str, dict[str, Any]]:
    return kind, tiny_options(kind)


def alone(kind: str) -> Any:
    encoder = encoders.get(kind).from_dict(tiny_options(kind))
    encoder.load(torch.device("cpu"))
    return encoder


def test_vectors_stand_side_by_side_in_order() -> None:
    clip, clap = alone("clip-text").encode(NAMES), alone("clap-text").encode(NAMES)
    joined = make(part("clip-text"), part("clap-text"), normalise_parts=False)
    assert np.array_equal(joined.encode(NAMES), np.concatenate([clip, clap], axis=1))
    assert joined.dim == clip.shape[1] + clap.shape[1]
    turned = make(part("clap-text"), part("clip-text"), normalise_parts=False)
    assert np.array_equal(turned.encode(NAMES), np.concatenate([clap, clip], axis=1))


def test_by_default_all_encoders_weigh_the_same() -> None:
    clip, clap = alone("clip-text"), alone("clap-text")
    found = make(part("clip-text"), part("clap-text")).encode(NAMES)
    halves = [found[:, : clip.dim], found[:, clip.dim :]]
    for half, encoder in zip(halves, (clip, clap), strict=True):
        assert np.abs(np.linalg.norm(half, axis=1) - 1).max() < 1e-6
        vectors = encoder.encode(NAMES)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        assert np.abs(half - unit).max() < 1e-6
    assert np.abs(np.linalg.norm(clip.encode(NAMES), axis=1) - 1).min() > 0.1


def test_each_encoder_has_its_own_options() -> None:
    kind, values = part("clip-text")
    first = make((kind, values), (kind, values | {"prompt": "a video of {}"}))
    vectors = first.encode(NAMES)
    assert np.abs(vectors[:, :32] - vectors[:, 32:]).max() > 1e-3


def test_the_id_holds_those_of_the_encoders_in_order() -> None:
    ids = {
        make(part("clip-text"), part("clap-text"), load=False).fingerprint,
        make(part("clap-text"), part("clip-text"), load=False).fingerprint,
        make(part("clip-text"), load=False).fingerprint,
        make(part("clip-text"), part("clap-text"), load=False, normalise_parts=False).fingerprint,
        make(part("xclip-text"), part("clap-text"), load=False).fingerprint,
        make(("clip-text", {"weights": "random"}), part("clap-text"), load=False).fingerprint,
    }
    assert len(ids) == 6
    again = make(part("clip-text"), part("clap-text"), load=False)
    assert again.fingerprint in ids


def test_what_a_part_looks_up_is_in_the_id(tmp_path: Path) -> None:
    from tiny.text_sets import description, write_descriptions

    def joined(words: str, bees: str) -> str:
        texts = {n: description(n, bees if "bee" in n else words) for n in NAMES}
        path = write_descriptions(tmp_path / f"{words}{bees}.csv", texts)
        described = tiny_options("described-clip") | {"descriptions": str(path)}
        encoder = make(("described-clip", described), ("signal-text", {}), load=False)
        found: str = encoder.fingerprint_of(NAMES[:2])
        return found

    assert joined("people", "sing") == joined("people", "dog") != joined("drum", "sing")


def test_missing_weights_are_those_of_a_part(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AVZSL_WEIGHTS", str(tmp_path))
    encoder = make(part("clip-text"), ("clap-text", {}), load=False)
    message = r"joined, clap-text: .*avzsl fetch weights clap-htsat-unfused"
    for question in (
        lambda: encoder.fingerprint,
        lambda: encoder.fingerprint_of(NAMES),
        lambda: encoder.load(torch.device("cpu")),
    ):
        with pytest.raises(MissingWeightsError, match=message):
            question()


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ([("no-such", {})], LookupError, r"encoders\[0\] \(no-such\): There is no encoder"),
        ([("signal-text", {}), ("vggish", {})], ValueError, r"encoders\[1\] .*it is of audio"),
        ([("signal-text", {"dims": 3})], ValueError, r"encoders\[0\] \(signal-text\): .*dims"),
        ([("clip-text", {"weights": "clap"})], LookupError, r"\(clip-text\): No weights 'clap'"),
        ([], ValueError, "encoders"),
    ],
)
def test_wrong_parts_are_named(parts: list, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"(?s){message}"):
        make(*parts, load=False)


def test_untrained_parts_make_an_untrained_encoder() -> None:
    assert not make(part("clip-text"), part("clap-text"), load=False).untrained
    assert make(part("clip-text"), ("clap-text", {"weights": "random"}), load=False).untrained
    assert make(part("clip-text"), part("clap-text"), load=False).weights_bytes == sum(
        alone(kind).weights_bytes for kind in ("clip-text", "clap-text")
    )


def test_sizes_and_terms_are_known_without_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AVZSL_WEIGHTS", str(tmp_path))
    encoder = encoders.get("joined").from_dict({})
    assert with_sizes(encoder).dim == 512 + 512
    text = describe("joined")
    assert "clip-vit-base-patch32" in text and "avzsl fetch weights clap-htsat-unfused" in text
    assert main(["list", "encoders"]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("joined "))
    assert "as its parts" in line


def test_fetch_gets_the_weights_of_the_parts() -> None:
    from avzsl.cli.fetch import _sources_of

    assert _sources_of("joined", None) == ["clip-vit-base-patch32", "clap-htsat-unfused"]


# --- in the workflow ----------------------------------------------------------------------------


@pytest.fixture()
def plan(root: Path, tmp_path: Path) -> Any:
    shipped = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    schema = root / "workflow" / "schemas" / "config.schema.json"

    def made(**own: Any) -> Plan:
        raw = copy.deepcopy(shipped)
        raw["encoders"] = {"both": {"kind": "joined", **own}}
        raw["features"]["signal"]["text"] = "both"
        return Plan(load_config(raw, schema), tmp_path)

    return made


def test_the_plan_knows_the_id_of_the_code(plan: Any) -> None:
    kind, values = part("clip-text")
    parts = [{"kind": kind, "options": values}, {"kind": "signal-text"}]
    found = plan(encoders=parts)
    assert found.fingerprint("both") == make((kind, values), ("signal-text", {})).fingerprint
    other = plan(encoders=parts[::-1])
    assert other.fingerprint("both") != found.fingerprint("both")
    ids = {p.classes_id("demo", "both", "original") for p in (found, other)}
    assert len(ids) == 2
    assert found.memory_mb("both", 100) == 100 + make((kind, values)).weights_bytes // 2**20


def test_the_plan_names_the_part_whose_weights_are_missing(
    plan: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AVZSL_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeightsError, match=r"encoders\.both: joined, clip-text: "):
        plan().fingerprint("both")
