"""The JSON schema of the section ``studies`` of config.yaml."""

from __future__ import annotations

from typing import Any

from avzsl.studies import FIGURES, NAME_PATTERN

_TEXT = {"type": "string"}
_NAMES = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1, "uniqueItems": True}]}
_ABOUT = {
    "method": "Name in 'methods', or a kind.",
    "options": "Options of the method, laid over what it has otherwise.",
    "classes": "Settings of class-embedding optimisation, laid over 'classes'.",
    "dataset": "Instead of the study's.",
    "features": "Instead of the study's.",
    "published": "Row of the published table; default: the label. With a colon, table and row; "
    "null: none.",
}
"""Key of a row -> what it means."""


def studies_schema() -> dict[str, Any]:
    """Return the schema of the section."""
    return {
        "type": "object",
        "default": {},
        "description": "Studies: tables of variants, results/tables/{study}.csv.",
        "propertyNames": {"pattern": NAME_PATTERN},
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "required": ["dataset", "features", "variants"],
            "properties": _place() | _contents(),
        },
    }


def _place() -> dict[str, Any]:
    return {
        "title": _TEXT | {"default": "", "description": "Stands above the table."},
        "dataset": _NAMES | {"description": "The dataset, or several."},
        "features": _NAMES | {"description": "The feature set, or several."},
        "seeds": {
            "anyOf": [
                {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 0},
                    "minItems": 1,
                    "uniqueItems": True,
                },
                {"type": "null"},
            ],
            "default": None,
            "description": "null means those of the protocol.",
        },
        "published": {
            "anyOf": [_TEXT, {"type": "null"}],
            "default": None,
            "description": "Table of a paper, to stand beside: EZ-AVGZL Table 5.",
        },
    }


def _contents() -> dict[str, Any]:
    # What a row holds is checked where it is read, with better messages than a schema gives.
    row = {"properties": {key: {"description": text} for key, text in _ABOUT.items()}}
    return {
        "shows": {
            "enum": ["accuracy", "neighbours"],
            "default": "accuracy",
            "description": "accuracy: S, U, HM and ZSL. neighbours: the nearest class of each "
            "class before and after optimisation.",
        },
        "figures": {
            "type": "array",
            "items": {"enum": list(FIGURES)},
            "uniqueItems": True,
            "default": ["bars"],
            "description": "bars: harmonic means beside published ones. sweep: the effect of alpha "
            "and margin. Others: as the figures of a result table, a panel a row.",
        },
        "base": {
            "type": "object",
            "additionalProperties": True,
            "default": {},
            "description": "What all variants share; keys as of a variant.",
        },
        "variants": {
            "description": "Methods by name, or label: settings of each row.",
            "anyOf": [
                {"type": "array", "items": _TEXT},
                {"type": "object", "additionalProperties": row},
            ],
        },
    }
