"""The documents tell the truth: links lead somewhere, commands exist, configurations are valid."""

import re

import pytest
import yaml

from avzsl.cli.main import COMMANDS
from avzsl.config import load_config

PAGES = [
    "README.md",
    "CHANGELOG.md",
    *(
        f"docs/{name}.md"
        for name in (
            "configuration",
            "decisions",
            "extending",
            "features",
            "methods",
            "output",
            "performance",
            "results",
            "studies",
        )
    ),
]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(root, page):
    text = (root / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!http)([^)#\s]+)", text)
    broken = [link for link in links if not ((root / page).parent / link).exists()]
    assert not broken


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_files_exist(root, page):
    text = (root / page).read_text(encoding="utf-8")
    assert set(re.findall(r"`avzsl ([a-z]+)", text)) <= set(COMMANDS)
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.M)) <= targets
    for path in re.findall(r"`((?:methods|losses|metrics|classes|training)/\w+\.py)`", text):
        assert (root / "src" / "avzsl" / path).is_file(), path
    for path in re.findall(r"benchmarks/\w+\.py", text):
        assert (root / path).is_file(), path


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/methods.md",
        "docs/encoders.md",
        "docs/parity.md",
        "docs/features.md",
        "docs/studies.md",
    ],
)
def test_configurations_in_the_documents_are_valid(root, page):
    shipped = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    schema = root / "workflow" / "schemas" / "config.schema.json"
    blocks = re.findall(r"```yaml\n(.*?)```", (root / page).read_text(encoding="utf-8"), re.S)
    assert blocks
    for block in blocks:
        own = yaml.safe_load(block)
        load_config({**shipped, "tables": None, "studies_on": None, **own}, schema)


def test_every_benchmark_has_a_figure_and_a_command(root):
    text = (root / "docs/performance.md").read_text(encoding="utf-8")
    for script in (root / "benchmarks").glob("*.py"):
        assert f"benchmarks/{script.name}" in text


def test_the_lock_holds_pins_and_no_addresses(root):
    lines = (root / "envs/lock.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.]+", line) for line in pins)
    assert any(line.startswith("torch==") for line in pins)
