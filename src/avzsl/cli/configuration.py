"""The page of documentation on config.yaml, written from its schema."""

from __future__ import annotations

import json
from typing import Any

INTRODUCTION = """\
# config.yaml, key by key

Written by `avzsl schema` from the options classes in the code; do not edit by hand.
A key that is left out has its default. An unknown key is refused, and the nearest known one named.
Names of datasets, encoders, feature sets and methods hold lower-case letters, digits and dashes.
An entry of `datasets`, `encoders` or `methods` has a `kind`, which defaults to its name, and the
options of that kind. `datasets.<name>.methods` lays options of methods over those in `methods`
for that dataset alone.
"""


def configuration_page(schema: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    lines = [INTRODUCTION, "## device", "", _text(schema["properties"]["device"]), ""]
    for section in ("extraction", "classes", "protocol"):
        lines += [f"## {section}", "", *_options(schema["properties"][section], schema), ""]
    lines += ["## features", "", _text(schema["properties"]["features"]), ""]
    lines += ["Each has the keys `audio`, `visual` and `text`: names of encoders.", ""]
    lines += _studies(schema)
    for section, kinds in schema["x-plugins"].items():
        for kind, about in kinds.items():
            lines += [f"## {section}: kind {kind}", "", *_options(about["schema"], schema), ""]
    return "\n".join(lines).rstrip() + "\n"


STUDIES = """\
A study is a base and named variants of it, each a row of a table. Its runs are shared with other
studies and with result tables wherever all settings are equal.

```yaml
studies:
  my-ablation:
    dataset: mine
    features: signal
    base: { method: ez-avgzl }
    variants:
      cross-attention: {}
      cosine: { options: { similarity: cosine } }
      no class optimisation: { options: { classes: original } }
      more separation: { classes: { alpha: 0.9 } }
```

`results/tables/my-ablation.csv` (with `.md` and `.tex`) is its table,
`results/tables/my-ablation.classes.csv` what class-embedding optimisation did in each row, and
`results/figures/studies/my-ablation.png` its harmonic means. The same on another dataset:
`results/tables/demo_signal/my-ablation.csv`.
"""


def _studies(schema: dict[str, Any]) -> list[str]:
    part = schema["properties"]["studies"]
    one = part["additionalProperties"]
    row = one["properties"]["variants"]["anyOf"][1]["additionalProperties"]["properties"]
    return [
        *["## studies", "", STUDIES],
        *[*_options(one, schema)[2:], ""],
        *["Keys of `base` and of a variant:", "", "| key | meaning |", "| --- | --- |"],
        *[f"| `{key}` | {_text(about)} |" for key, about in row.items()],
        *["", "## studies_on", "", _text(schema["properties"]["studies_on"]), ""],
    ]


def _options(part: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    own = _resolve(part, schema)
    return [_text(own), "", "| key | values | default | meaning |", "| --- | --- | --- | --- |"] + [
        f"| `{key}` | {values} | {default} | {text} |"
        for key, values, default, text in _rows(own, schema, "")
    ]


def _rows(
    part: dict[str, Any], schema: dict[str, Any], prefix: str, over: dict[str, Any] | None = None
) -> list[tuple[str, str, str, str]]:
    rows = []
    for key, value in part.get("properties", {}).items():
        own = _resolve(value, schema)
        default = (over or {}).get(key, value.get("default", ...))
        if own.get("properties"):
            text = _text(value) if "description" in value else _text(own)
            rows.append((f"{prefix}{key}", "section", "", text))
            nested = default if isinstance(default, dict) else None
            rows += _rows(own, schema, f"{prefix}{key}.", nested)
        else:
            shown = "required" if default is ... else f"`{json.dumps(default, ensure_ascii=False)}`"
            rows.append((f"{prefix}{key}", _values(own, schema), shown, _text(value)))
    return rows


def _values(part: dict[str, Any], schema: dict[str, Any]) -> str:
    part = _resolve(part, schema)
    if "anyOf" in part:
        return " or ".join(_values(choice, schema) for choice in part["anyOf"])
    if "enum" in part:
        return ", ".join(f"`{json.dumps(value)}`" for value in part["enum"])
    kind = part.get("type", "any")
    if kind == "array":
        return f"list of {_values(part.get('items', {}), schema)}"
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {part[key]:g}" for key, sign in bounds.items() if key in part]
    return " ".join([kind, ", ".join(limits)]).strip()


def _resolve(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    return _resolve(schema["$defs"][part["$ref"].rsplit("/", 1)[-1]], schema)


def _text(part: dict[str, Any]) -> str:
    return " ".join(part.get("description", "").replace("``", "`").replace("|", "\\|").split())
