"""Write the JSON schema of config.yaml from the options classes in the code.

Editors complete and check config.yaml with it, and Snakemake checks with it without importing
any plug-in. Run it after changing options, or after installing a package with plug-ins.

example: avzsl schema --out workflow/schemas/config.schema.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from avzsl.cli.configuration import configuration_page
from avzsl.cli.studies_schema import studies_schema
from avzsl.config import NAME_PATTERN, PLUGIN_SECTIONS
from avzsl.provenance import write_text

DEFAULT_OUT = Path("workflow/schemas/config.schema.json")
PUBLISHED = {
    "description": "Published hyper-parameters to begin with, such as ucf.cls; several are laid "
    "over one another (avzsl/methods/published.toml).",
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
}
DEFAULT_DOCS = Path("docs/configuration.md")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, metavar="JSON")
    parser.add_argument("--docs", type=Path, default=DEFAULT_DOCS, metavar="MD")
    parser.add_argument("--check", action="store_true", help="fail if a file differs from the code")


def run(args: argparse.Namespace) -> None:
    """Write the schema and the page of documentation, or compare them.

    Raises:
        ValueError: With ``--check``, if a file and the code differ.
    """
    schema = build_schema()
    text = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    for path, content in ((args.out, text), (args.docs, configuration_page(schema))):
        if not args.check:
            write_text(path, content)
        elif not path.is_file() or path.read_text(encoding="utf-8") != content:
            raise ValueError(f"{path} is not what the code says. Run: avzsl schema")


def build_schema() -> dict[str, Any]:
    """Return the schema of the whole of config.yaml; plug-ins by kind under ``x-plugins``."""
    from avzsl.classes.options import ClassOptimisation
    from avzsl.datasets.kinds import dataset_kinds
    from avzsl.datasets.residency import MemoryOptions
    from avzsl.encoders import encoders
    from avzsl.extraction.settings import ExtractionSettings
    from avzsl.methods import methods
    from avzsl.training.protocol import ProtocolOptions

    defs: dict[str, Any] = {}
    registries: dict[str, Any] = dict(
        zip(PLUGIN_SECTIONS, (dataset_kinds, encoders, methods), strict=True)
    )
    plugins = {
        section: {kind: _plugin(registry.get(kind), defs) for kind in registry.names()}
        for section, registry in registries.items()
    }
    own = {
        "extraction": _section(ExtractionSettings, defs),
        "classes": _section(ClassOptimisation, defs),
        "protocol": _section(ProtocolOptions, defs),
        "memory": _section(MemoryOptions, defs),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "config.yaml of avzsl",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **_plain(),
            **{section: _named(section, kinds, defs) for section, kinds in plugins.items()},
            "features": _features(),
            "studies": studies_schema(),
            **own,
        },
        "$defs": dict(sorted(defs.items())),
        "x-plugins": plugins,
    }


def _plain() -> dict[str, Any]:
    """Return the schema of the keys that are no sections."""
    return {
        "device": {
            "type": "string",
            "pattern": r"^(auto|cpu|cuda(:\d+)?)$",
            "default": "auto",
            "description": "Where models run: auto (a GPU if there is one), cpu, cuda, cuda:1.",
        },
        "weights": {
            "type": "string",
            "default": "weights",
            "description": "Folder of published weights, filled by: avzsl fetch weights.",
        },
        "tables": {
            "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}],
            "default": None,
            "description": "Tables that `snakemake` makes when no target is named, such as "
            "demo_signal; null means all datasets with all feature sets.",
        },
        "studies_on": {
            "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}],
            "default": None,
            "description": "Where `snakemake tables` carries the studies out, such as "
            "demo_signal; null means where each of them says.",
        },
    }


def _plugin(cls: Any, defs: dict[str, Any]) -> dict[str, Any]:
    about: dict[str, Any] = {"schema": _section(cls.Options, defs)}
    revision = cls.spec.revision if hasattr(cls, "spec") else getattr(cls, "revision", 0)
    modality = getattr(cls, "modality", None)
    return about | {"revision": revision} | ({"modality": modality} if modality else {})


def _section(cls: type, defs: dict[str, Any]) -> dict[str, Any]:
    """Return a reference to the schema of an options class, moved into the common ``$defs``."""
    from avzsl.options import json_schema

    schema = json_schema(cls)
    defs.update(schema.pop("$defs", {}))
    defs[cls.__name__] = schema
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _named(section: str, kinds: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a section of named plug-ins: the options follow from the kind."""
    more = {"kind": True} | ({"published": PUBLISHED} if section == "methods" else {})
    choose = [
        {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {
                "properties": {**more, **_definition(about, defs)["properties"]},
                "additionalProperties": False,
            },
        }
        for kind, about in kinds.items()
    ]
    return {
        "type": ["object", "null"],
        "description": f"Named {section}; 'kind' is one of {', '.join(kinds)} "
        "and defaults to the name.",
        "propertyNames": {"pattern": NAME_PATTERN},
        "additionalProperties": {
            "type": ["object", "null"],
            "properties": {"kind": {"enum": list(kinds)}},
            "allOf": choose,
        },
    }


def _definition(about: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = defs[about["schema"]["$ref"].rsplit("/", 1)[-1]]
    return found


def _features() -> dict[str, Any]:
    part = {"type": "string", "description": "Name of an entry of 'encoders', or of a kind."}
    return {
        "type": "object",
        "description": "Feature sets: which encoders make results/{dataset}_{features}.csv.",
        "propertyNames": {"pattern": NAME_PATTERN},
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "required": ["audio", "visual", "text"],
            "properties": {"audio": part, "visual": part, "text": part},
        },
    }
