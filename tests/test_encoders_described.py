"""Class names with their descriptions through CLIP: what is averaged, and whose text it is."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import tiny_options
from tiny.text_sets import NAMES, description, write_benchmark, write_csv, write_descriptions

from avzsl.datasets.kinds.benchmark import BenchmarkDataset
from avzsl.encoders import encoders
from avzsl.encoders.descriptions import COLUMNS, read_descriptions, read_rows
from avzsl.sources.checkpoint import MissingWeightsError

READABLE = list(NAMES.values())
WRONG_BY_ROW = {"UCF": (0, 101), "ActivityNet": (8, 200), "VGGSound": (205, 309)}
"""Classes that get another class's description by row, of how many."""
BENCHMARKS = {"UCF": "ucf", "ActivityNet": "activitynet", "VGGSound": "vggsound"}


def make(**options: Any) -> Any:
    encoder = encoders.get("described-clip").from_dict(tiny_options("described-clip") | options)
    encoder.load(torch.device("cpu"))
    return encoder


def clip_text() -> Any:
    weights = tiny_options("described-clip")["weights"]
    encoder = encoders.get("clip-text").from_dict({"weights": weights})
    encoder.load(torch.device("cpu"))
    return encoder


def unit(rows: np.ndarray) -> np.ndarray:
    found: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


@pytest.fixture()
def file(tmp_path: Path) -> Path:
    return write_descriptions(tmp_path / "d.csv", {n: description(n, "people") for n in READABLE})


# --- what is averaged ---------------------------------------------------------------------------


def test_the_mean_of_name_and_descriptions_not_normalised(file: Path) -> None:
    one = clip_text()
    names = one.encode(READABLE)
    texts = [one.embed([description(n, "people")[i] for n in READABLE]) for i in range(3)]
    expected = (names + texts[0] + texts[1] + texts[2]) / 4
    found = make(descriptions=str(file)).encode(READABLE)
    assert np.abs(found - expected).max() < 1e-6
    assert np.abs(np.linalg.norm(found, axis=1) - 1).min() > 1e-2
    # a mutation of each part moves the mean
    for part in ("name", "d1", "d2", "d3"):
        others = [other for other in ("name", "d1", "d2", "d3") if other != part]
        fewer = make(descriptions=str(file), parts=others).encode(READABLE)
        assert np.abs(fewer - expected).max() > 1e-3


def test_parts_choose_what_enters(file: Path) -> None:
    one = clip_text()
    alone = make(descriptions=str(file), parts=["d3"]).encode(READABLE)
    assert np.abs(alone - one.embed([description(n, "people")[2] for n in READABLE])).max() < 1e-6
    name = make(descriptions=str(file), parts=["name"]).encode(READABLE)
    assert np.abs(name - one.encode(READABLE)).max() < 1e-6
    with pytest.raises(ValueError, match="each part once"):
        make(parts=["d1", "d1"])
    with pytest.raises(ValueError, match="parts"):
        make(parts=[])


def test_parts_may_weigh_the_same(file: Path) -> None:
    one = clip_text()
    first, second = one.encode(READABLE), one.embed([description(n, "people")[0] for n in READABLE])
    chosen = {"descriptions": str(file), "parts": ["name", "d1"]}
    expected = (unit(first) + unit(second)) / 2
    assert np.abs(make(normalise_parts=True, **chosen).encode(READABLE) - expected).max() < 1e-6
    assert np.abs(make(**chosen).encode(READABLE) - expected).max() > 1e-3


def test_the_prompt_is_for_the_name_alone(file: Path) -> None:
    chosen = {"descriptions": str(file), "prompt": "a video of {}"}
    one = clip_text()
    names = make(parts=["name"], **chosen).encode(READABLE)
    assert np.abs(names - one.embed([f"a video of {n}" for n in READABLE])).max() < 1e-6
    plain = make(parts=["d1"], descriptions=str(file)).encode(READABLE)
    assert np.array_equal(make(parts=["d1"], **chosen).encode(READABLE), plain)


def test_long_descriptions_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    texts = {"dog": ("dog " * 75, "dog", "dog"), "bee": ("dog " * 76, "dog", "dog")}
    encoder = make(descriptions=str(write_descriptions(tmp_path / "d.csv", texts)))
    encoder.encode(["dog"])
    assert "tokens" not in caplog.text
    encoder.encode(["dog", "bee"])
    assert "1 of 4 texts have more than 77 tokens" in caplog.text


def test_as_the_released_code_embeds(file: Path) -> None:
    """Through the library's own model, tokenizer and padding; each aspect by itself."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

    folder = Path(tiny_options("described-clip")["weights"])
    sizes = json.loads((folder / "config.json").read_text())
    config = CLIPTextConfig(**sizes["text_config"], projection_dim=sizes["projection_dim"])
    model = CLIPTextModelWithProjection.from_pretrained(folder, config=config).eval()
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    columns = list(zip(*[(n, *description(n, "people")) for n in READABLE], strict=True))
    with torch.inference_mode():
        parts = [
            model(**tokenizer(list(texts), padding=True, return_tensors="pt")).text_embeds
            for texts in columns
        ]
    expected = torch.stack(parts).mean(dim=0).numpy()
    found = make(descriptions=str(file)).encode(READABLE)
    assert np.abs(found - expected).max() < 2e-6 < np.abs(found[::-1] - expected).max()


# --- whose text it is ---------------------------------------------------------------------------


@pytest.mark.parametrize("spelled", ["dog barking", "Dog Barking", "dog_barking", "DogBarking"])
def test_names_are_joined_however_they_are_spelled(file: Path, spelled: str) -> None:
    row = read_descriptions(file).by_name(spelled)
    assert row is not None and row[0] == "dog barking"


def test_original_names_lead_to_the_readable_ones(tmp_path: Path) -> None:
    described = {n: description(n, "people") for n in READABLE}
    path = write_benchmark(tmp_path / "splits", described)
    encoder = make(descriptions=str(tmp_path / "splits"), parts=["d1"])
    assert encoder.texts(list(NAMES)) == encoder.texts(READABLE)
    assert make(descriptions=str(path), parts=["d1"]).texts(["beebuzzing"]) == [
        (described["bee, wasp, etc. buzzing"][0],)
    ]


def test_classes_without_a_description_are_all_named(file: Path) -> None:
    encoder = make(descriptions=str(file))
    with pytest.raises(ValueError, match="no description of 2 class") as error:
        encoder.encode(["dog barking", "dog barkin", "zzz"])
    assert "'dog barkin' (near: 'dog barking')" in str(error.value) and "'zzz'" in str(error.value)
    assert "\n  'dog barking'" not in str(error.value)


def test_an_empty_cell_counts_where_it_is_needed(tmp_path: Path) -> None:
    texts = {"dog": ("a dog", "", "woof")}
    path = str(write_descriptions(tmp_path / "d.csv", texts))
    with pytest.raises(ValueError, match="'dog' \\(a cell of its row is empty\\)"):
        make(descriptions=path).encode(["dog"])
    assert make(descriptions=path, parts=["d1", "d3"]).texts(["dog"]) == [("a dog", "woof")]


def test_rows_that_contradict_are_refused(tmp_path: Path) -> None:
    texts = {"Dog barking": ("a", "b", "c"), "dog barking": ("d", "e", "f")}
    file = read_descriptions(write_descriptions(tmp_path / "d.csv", texts))
    assert file.by_name("dog barking") == ("dog barking", "d", "e", "f")
    with pytest.raises(ValueError, match="in 2 rows, and they differ"):
        file.by_name("DOG BARKING")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("name", "description_1")], "no column description_2, description_3"),
        ([], "an empty file"),
        ([COLUMNS, ("", "a", "b", "c")], "line 2: a row without a name"),
    ],
)
def test_files_of_another_form_are_refused(tmp_path: Path, rows: list, message: str) -> None:
    write_csv(tmp_path / "d.csv", rows)
    with pytest.raises(ValueError, match=message):
        read_rows(tmp_path / "d.csv")


def test_without_files_the_command_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="avzsl fetch splits ucf"):
        make(descriptions=str(tmp_path)).encode(READABLE)


def test_the_file_that_describes_all_classes_is_taken(tmp_path: Path) -> None:
    for stem, words, names in (
        ("UCF", "people", READABLE),
        ("VGGSound", "video", [*READABLE[:2], "owl"]),
    ):
        write_benchmark(tmp_path, {n: description(n, words) for n in names}, stem)
    encoder = make(descriptions=str(tmp_path), parts=["d1"])
    assert encoder.texts(READABLE) == [(description(n, "people")[0],) for n in READABLE]
    assert encoder.texts(["owl", READABLE[0]])[1] == (description(READABLE[0], "video")[0],)
    with pytest.raises(ValueError, match=r"UCF\.csv and .*VGGSound\.csv describe all"):
        encoder.texts(READABLE[:2])
    with pytest.raises(ValueError, match=r"UCF\.csv has no description of 1 class"):
        encoder.texts([*READABLE, "owl"])


# --- by row, as published -----------------------------------------------------------------------


def test_by_row_needs_a_benchmark(file: Path) -> None:
    with pytest.raises(ValueError, match="alignment 'row' needs a benchmark's own descriptions"):
        make(descriptions=str(file), alignment="row").encode(READABLE)


def test_by_row_the_name_is_that_of_the_row(tmp_path: Path) -> None:
    write_benchmark(tmp_path, {n: description(n, "people") for n in sorted(READABLE)})
    encoder = make(descriptions=str(tmp_path), alignment="row", parts=["name", "d3"])
    order = dict(zip(sorted(NAMES), sorted(READABLE), strict=True))
    expected = [(order[n], description(order[n], "people")[2]) for n in NAMES]
    assert encoder.texts(list(NAMES)) == encoder.texts(READABLE) == expected
    assert sum(order[n] != NAMES[n] for n in NAMES) == 2


@pytest.mark.parametrize("stem", sorted(WRONG_BY_ROW))
def test_published_files_by_name_and_by_row(shared: Path, stem: str) -> None:
    path = shared / "benchmark" / "descriptions" / f"{stem}.csv"
    if not path.is_file():
        pytest.skip(f"the published descriptions are not at {path}")
    with path.open(newline="", encoding="utf-8") as opened:
        truth = {row["name"]: row["description_2"].strip() for row in csv.DictReader(opened)}
    options = {"benchmark": BENCHMARKS[stem], "videos": "v", "splits": str(shared / "benchmark")}
    dataset = BenchmarkDataset("b", options, Path())
    originals = sorted(dataset.readable_names())
    chosen = {"descriptions": str(shared / "benchmark"), "parts": ["d2"]}
    expected = [truth[dataset.readable_names()[name]] for name in originals]
    for names in (originals, dataset.texts(originals)):
        assert [text for (text,) in make(**chosen).texts(names)] == expected
        by_row = [text for (text,) in make(alignment="row", **chosen).texts(names)]
        wrong = sum(a != b for a, b in zip(by_row, expected, strict=True))
        assert (wrong, len(names)) == WRONG_BY_ROW[stem]
        assert sorted(by_row) == sorted(expected)
