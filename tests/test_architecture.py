"""The house rules: imports point down, files and functions stay short, Snakemake needs no torch."""

import ast
import subprocess
import sys

import pytest

LAYERS = [
    {"cli"},
    {"study_plan"},
    {"planning", "predict", "report"},
    {"evaluation"},
    {"training"},
    {"methods"},
    {"losses", "metrics"},
    {"datasets_plan"},
    {"classes"},
    {"datasets"},
    {"extraction"},
    {"shards", "encoders"},
    {"decode"},
    {
        "config",
        "device",
        "locks",
        "logs",
        "options",
        "presets",
        "provenance",
        "registry",
        "seeding",
        "sources",
        "studies",
        "types",
    },
]
"""From the top down. A module may import from its own layer's package and from layers below;
the lowest layer's modules may import each other."""

RANK = {name: i for i, layer in enumerate(LAYERS) for name in layer}


def sources(root):
    return sorted((root / "src" / "avzsl").rglob("*.py"))


def part_of(root, path):
    parts = path.relative_to(root / "src" / "avzsl").with_suffix("").parts
    return parts[0]


def imported_parts(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("avzsl."):
            yield node.module.split(".")[1], node.lineno
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("avzsl."):
                    yield alias.name.split(".")[1], node.lineno


def test_imports_point_down(root):
    wrong = []
    for path in sources(root):
        part = part_of(root, path)
        if part in ("__init__", "__main__"):
            continue
        assert part in RANK, f"{path.name}: give {part!r} a layer"
        for other, line in imported_parts(ast.parse(path.read_text(encoding="utf-8"))):
            lowest = RANK[part] == len(LAYERS) - 1
            if other != part and (
                RANK[other] < RANK[part] or (RANK[other] == RANK[part] and not lowest)
            ):
                wrong.append(f"{path.relative_to(root)}:{line} imports {other}")
    assert not wrong, "\n".join(wrong)


def test_no_file_is_long(root):
    long = {
        str(path.relative_to(root)): lines
        for path in [*sources(root), *sorted((root / "tests").glob("*.py"))]
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 320
    }
    assert not long


def test_no_function_is_long(root):
    long = []
    for path in sources(root):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno > 55:
                body = node.end_lineno - node.body[0].end_lineno
                if body > 40:
                    long.append(f"{path.relative_to(root)}:{node.lineno} {node.name}: {body} lines")
    assert not long, "\n".join(long)


@pytest.mark.parametrize(
    "module",
    [
        "avzsl.planning",
        "avzsl.config",
        "avzsl.encoders",
        "avzsl.datasets.kinds",
        "avzsl.decode.worker",
    ],
)
def test_snakemake_and_workers_import_no_torch(module):
    code = (
        f"import sys, {module}\n"
        "from avzsl.encoders import encoders; encoders.names()\n"
        "from avzsl.datasets.kinds import dataset_kinds; dataset_kinds.names()\n"
        "from avzsl.cli.main import build_parser; build_parser()\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_plugin_names_its_paper(root):
    from avzsl.encoders import encoders
    from avzsl.methods import methods

    bibliography = (root / "src" / "avzsl" / "references.bib").read_text(encoding="utf-8")
    papers = {name: encoders.get(name).spec.paper for name in encoders.names()}
    papers |= {name: methods.get(name).paper for name in methods.names()}
    assert papers
    missing = {name: key for name, key in papers.items() if f"{{{key}," not in bibliography}
    assert not missing
