"""Descriptions by a language model: a tiny one on disk, and what becomes of what it says."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from random_states import random_state
from tiny.clap_llama import LLAMA_CONFIG, WORDS, golden, llama_tokenizer

from avzsl.classes.describe import (
    DescribeOptions,
    describe_classes,
    fill_in,
    is_complete,
    tidy,
    undescribed,
)
from avzsl.classes.language_model import LanguageModel
from avzsl.cli.main import main
from avzsl.encoders.descriptions import COLUMNS, read_rows
from avzsl.options import from_dict

NAMES = ["dog barking", "bee, wasp, etc. buzzing", "PlayingViolin"]


class Parrot:
    """A model that repeats what it was told, and remembers it."""

    def __init__(self, fails_after: int = 10**6) -> None:
        self.heard: list[tuple[str, int]] = []
        self.fails_after = fails_after

    def __call__(self, prompt: str, seed: int) -> str:
        if len(self.heard) >= self.fails_after:
            raise KeyboardInterrupt
        self.heard.append((prompt, seed))
        return f"  {prompt} ({seed}). "


def options(**values: Any) -> DescribeOptions:
    prompts = {"what_it_is": "A {}", "how_it_looks": "See {}", "how_it_sounds": "Hear {}"}
    return from_dict(DescribeOptions, prompts | values)


def write(path: Path, *rows: tuple[str, ...], head: tuple[str, ...] = COLUMNS) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])
    return path


# --- the file -----------------------------------------------------------------------------------


def test_each_class_gets_three_texts_in_its_own_row(tmp_path: Path) -> None:
    parrot, path = Parrot(), tmp_path / "new" / "d.csv"
    written = describe_classes(NAMES, path, parrot, options())
    assert (written.cells, written.kept, written.empty) == (9, 0, ())
    rows = read_rows(path)
    assert [row[0] for row in rows] == NAMES
    assert [prompt for prompt, _ in parrot.heard[6:]] == [
        "A playing violin",
        "See playing violin",
        "Hear playing violin",
    ]
    assert rows[1][3] == f"Hear bee, wasp, etc. buzzing ({parrot.heard[5][1]})."
    assert len({seed for _, seed in parrot.heard}) == 9


def test_a_killed_run_goes_on_and_ends_as_one_run(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.csv", tmp_path / "parts.csv"
    describe_classes(NAMES, whole, Parrot(), options())
    with pytest.raises(KeyboardInterrupt):
        describe_classes(NAMES, parts, Parrot(fails_after=7), options())
    assert [row[0] for row in read_rows(parts)] == NAMES[:2]
    assert undescribed(NAMES, parts) == NAMES[2:]
    second = Parrot()
    written = describe_classes(NAMES, parts, second, options())
    assert len(second.heard) == 3 and (written.cells, written.kept) == (3, 6)
    assert parts.read_bytes() == whole.read_bytes()
    assert undescribed(NAMES, parts) == []


def test_what_a_person_wrote_stays(tmp_path: Path) -> None:
    path = write(
        tmp_path / "d.csv",
        ("mine", "Dog Barking", "", "it runs, “fast”", " "),
        ("", "another class", "one", "two", "three"),
        head=("note", "name", "description_1", "description_2", "description_3"),
    )
    parrot = Parrot()
    describe_classes(["dog barking"], path, parrot, options())
    assert [prompt for prompt, _ in parrot.heard] == ["A dog barking", "Hear dog barking"]
    with path.open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert (first["note"], first["name"], first["description_2"]) == (
        "mine",
        "Dog Barking",
        "it runs, “fast”",
    )
    assert first["description_1"].startswith("A dog barking")
    assert list(second.values()) == ["", "another class", "one", "two", "three"]


def test_text_that_appears_while_the_model_writes_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"

    def person_and_model(prompt: str, seed: int) -> str:
        if prompt.startswith("Hear"):
            fill_in(path, "dog barking", {"description_1": "by hand"})
        return "by the model"

    describe_classes(["dog barking"], path, person_and_model, options())
    assert read_rows(path) == [("dog barking", "by hand", "by the model", "by the model")]


def test_nothing_said_leaves_the_cell_empty(tmp_path: Path) -> None:
    silent = lambda prompt, seed: "" if prompt.startswith("See") else "Yes."  # noqa: E731
    written = describe_classes(["dog barking"], tmp_path / "d.csv", silent, options())
    assert (written.cells, written.empty) == (2, ("dog barking",))
    assert undescribed(["dog barking"], tmp_path / "d.csv") == ["dog barking"]


def test_wrong_files_and_prompts_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "d.csv", head=("name", "text"))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="no column description_1"):
        describe_classes(NAMES, path, Parrot(), options())
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match=r"holds '\{\}' once"):
        describe_classes(NAMES, tmp_path / "e.csv", Parrot(), options(how_it_looks="no place"))


# --- the text -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("  A dog\n barks.  It  is loud. It goes on.", "A dog barks. It is loud."),
        ("A dog barks. It is lou", "A dog barks."),
        ("a dog that bar", "a dog that bar"),
        ("Bees, wasps etc. buzz around. They sting!", "Bees, wasps etc. buzz around. They sting!"),
        ("One.\n\nTwo.", "One."),
        ('"A dog barks."', "A dog barks."),
        ('A "dog" barks "loud".', 'A "dog" barks "loud".'),
        ("Answer: A dog barks? Yes! Always.", "A dog barks? Yes!"),
        ('He says "stop." Then he stops. Done.', 'He says "stop." Then he stops.'),
        ("\n\n", ""),
    ],
)
def test_whole_sentences_are_kept(said: str, kept: str) -> None:
    assert tidy(said, 2) == kept


@pytest.mark.parametrize(
    ("said", "done"),
    [
        ("A dog barks. It is loud.", False),
        ("A dog barks. It is loud. I", True),
        ("A dog barks", False),
        ("\n\nA dog", False),
        ("A dog barks.\n\n", True),
        ("A dog barks.\n\nN", True),
    ],
)
def test_the_model_stops_where_the_rest_would_be_cut(said: str, done: bool) -> None:
    assert is_complete(said, 2) is done
    if done:
        assert tidy(said, 2) == tidy(said + " And more. And more.", 2)


# --- the model ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random LLaMA with its head, as a hub folder."""
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("llama")
    layout = golden("llama-text")["layout"]
    head = {"lm_head.weight": [400, 32, "torch.float32"]}
    state = random_state(layout | head)
    save_file({k: v.float().contiguous() for k, v in state.items()}, folder / "model.safetensors")
    config = LLAMA_CONFIG | {"torch_dtype": "float32", "tie_word_embeddings": False}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "tokenizer.json").write_text(llama_tokenizer(), encoding="utf-8")
    special = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(special), encoding="utf-8")
    return folder


def writer(model: Path, **values: Any) -> LanguageModel:
    return LanguageModel(model, options(**values), torch.device("cpu"))


def test_greedy_takes_the_likeliest_token_each_time(model: Path) -> None:
    found = writer(model, max_tokens=6)
    ids = found._tokens("A dog barking")
    for _ in range(6):
        with torch.inference_mode():
            likeliest = found.model(ids).logits[0, -1].argmax()
        ids = torch.cat([ids, likeliest[None, None]], dim=1)
    said = found.tokenizer.decode(ids[0, -6:], skip_special_tokens=True)
    assert said and found("A dog barking", 0) == said == found("A dog barking", 1)
    assert found("See a violin", 0) != said


def test_drawing_depends_on_the_seed_alone(model: Path) -> None:
    found = writer(model, sampling="sample", temperature=2.0, max_tokens=12)
    said = [found("A dog barking", seed) for seed in range(4)]
    torch.manual_seed(99)
    assert [writer(model, sampling="sample", temperature=2.0, max_tokens=12)(
        "A dog barking", seed) for seed in range(4)] == said  # fmt: skip
    assert len(set(said)) > 1


def test_no_more_tokens_than_asked_for(model: Path) -> None:
    found = writer(model, max_tokens=3)
    made = found.model.generate
    lengths: list[int] = []

    def spy(**how: Any) -> torch.Tensor:
        result: torch.Tensor = made(**how)
        lengths.append(result.shape[1] - how["input_ids"].shape[1])
        return result

    found.model.generate = spy
    found("A dog barking", 0)
    assert lengths and max(lengths) <= 3


def test_a_conversation_goes_through_the_models_template(model: Path) -> None:
    found = writer(model)
    plain = found._tokens("dog")
    found.tokenizer.chat_template = (
        "{% for m in messages %}playing {{ m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %} violin{% endif %}"
    )
    wanted = found.tokenizer("playing dog violin", add_special_tokens=False)["input_ids"]
    assert found._tokens("dog")[0].tolist() == wanted != plain[0].tolist()


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no config\.json"):
        writer(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_CONFIG), encoding="utf-8")
    with pytest.raises(ValueError, match="no causal language model can be read"):
        writer(tmp_path)


# --- the command --------------------------------------------------------------------------------


def test_the_command_writes_reviews_and_goes_on(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.txt").write_text("dog barking\n\nplaying violin\ndog barking\n")
    chosen = json.dumps({"sampling": "sample", "temperature": 3.0, "max_tokens": 12})
    command = ["describe", "--names", "names.txt", "--model", str(model), "--out", "d.csv"]
    assert main([*command, "--device", "cpu", "--options", chosen]) == 0
    rows = read_rows(tmp_path / "d.csv")
    assert [row[0] for row in rows] == ["dog barking", "playing violin"]
    assert all(all(row) for row in rows), WORDS
    record = json.loads((tmp_path / "d.jsonl").read_text())
    assert record["model"] == str(model) and record["temperature"] == 3.0
    assert record["classes"] == 2 and record["what_it_is"].count("{}") == 1
    before = (tmp_path / "d.csv").read_bytes()
    capsys.readouterr()
    assert main([*command, "--device", "cpu"]) == 0
    assert "all 2 classes are described" in capsys.readouterr().out
    assert (tmp_path / "d.csv").read_bytes() == before


def test_the_command_takes_the_classes_of_a_dataset(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [(f"{name} {i}.mp4", name) for name in ("dog", "bee", "wasp", "cat") for i in range(4)]
    for path, _ in rows:
        (tmp_path / path).write_bytes(b"x")
    write(tmp_path / "clips.csv", *rows, head=("path", "class"))
    dataset = ["mine", "--dataset-kind", "table", "--dataset-options", '{"path": "clips.csv"}']
    short = ["--options", '{"max_tokens": 2}', "--device", "cpu", "--model", str(model)]
    assert main(["describe", *dataset, *short, "--out", "d.csv"]) == 0
    assert [row[0] for row in read_rows(tmp_path / "d.csv")] == ["bee", "cat", "dog", "wasp"]
    assert main(["describe", *dataset, "--names", "x", *short, "--out", "d.csv"]) == 1
    assert main(["describe", *short, "--out", "d.csv"]) == 1
