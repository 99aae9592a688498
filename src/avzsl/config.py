"""``config.yaml`` checked against the schema that is generated from the code.

Checking needs the schema file alone, neither torch nor any plug-in, so that Snakemake can do it
on every parse. ``avzsl schema`` writes the file; a test fails when it and the code part.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from avzsl.presets import merge, published_options, with_published
from avzsl.registry import did_you_mean
from avzsl.studies import NAME_PATTERN, Study, read_studies

PLUGIN_SECTIONS = ("datasets", "encoders", "methods")
"""Sections that hold named plug-ins, each with a ``kind`` that defaults to its name."""


@dataclass(frozen=True)
class Plugin:
    """One named entry of ``datasets``, ``encoders`` or ``methods``, defaults filled in."""

    name: str
    kind: str
    revision: int
    """Revision of the code behind ``kind``; 0 where the kind has none."""
    modality: str | None
    """Of an encoder: audio, visual or text."""
    options: dict[str, Any]
    """Every option with its value."""
    given: dict[str, Any] = field(default_factory=dict)
    """What the page says; all else is at its default."""

    def with_options(self, options: dict[str, Any]) -> Plugin:
        """Return the same entry with other options."""
        return replace(self, options=options)


@dataclass(frozen=True)
class Config:
    """The whole configuration, checked, every default spelled out."""

    datasets: dict[str, Plugin]
    encoders: dict[str, Plugin]
    methods: dict[str, Plugin]
    features: dict[str, dict[str, str]]
    """Feature set -> {audio, visual, text} -> name in ``encoders``; a kind that is not configured
    there has its default options."""
    sections: dict[str, Any]
    """All other sections by name."""
    all_methods: dict[str, Plugin]
    """``methods`` and every kind that is not configured there, with its default options."""
    schema: dict[str, Any] = field(repr=False)
    """What it was checked against."""

    @property
    def tables(self) -> list[str]:
        """Return the tables that ``snakemake`` makes unasked, as ``{dataset}_{features}``."""
        every = [f"{d}_{f}" for d in self.datasets for f in self.features]
        chosen: list[str] | None = self.sections.get("tables")
        return every if chosen is None else chosen

    @functools.cached_property
    def studies(self) -> dict[str, Study]:
        """Return the studies."""
        return read_studies(self)

    def method_on(self, dataset: str, method: str) -> Plugin:
        """Return a method as it is on a dataset.

        Over the defaults lie the published hyper-parameters, if the dataset asks for them, then
        what ``methods`` says, then ``training`` of the dataset, and what it says of the method.
        """
        plugin, options = self.all_methods[method], self.datasets[dataset].options
        own = (options.get("methods") or {}).get(method, {})
        laid: dict[str, Any] = {}
        if options.get("hyperparameters") == "published":
            laid = published_options(plugin.kind, f"{options['benchmark']}.{options['split']}")
        for over in (plugin.given, {"training": options["training"]}, own):
            laid = merge(laid, over)
        where = f"datasets.{dataset}.methods.{method}"
        return plugin.with_options(self.checked(plugin.kind, laid, where))

    def checked(self, what: str, value: Any, where: str) -> dict[str, Any]:
        """Return the options of a section, or of a kind of method, checked and filled in.

        Raises:
            ValueError: As ``check`` does.
        """
        kinds = self.schema["x-plugins"]["methods"]
        part = kinds[what]["schema"] if what in kinds else self.schema["properties"][what]
        options: dict[str, Any] = check(value, part, self.schema, where)
        return options


def load_config(raw: Mapping[str, Any], schema_file: str | Path) -> Config:
    """Check a parsed ``config.yaml`` and fill in the defaults.

    Args:
        raw: What the YAML holds.
        schema_file: The generated schema, ``workflow/schemas/config.schema.json``.

    Raises:
        ValueError: With the place in the file, what came, and what was expected; an unknown key
            comes with the nearest known one.
    """
    schema = json.loads(Path(schema_file).read_text(encoding="utf-8"))
    plugins = schema["x-plugins"]
    known = schema["properties"]
    _refuse_unknown(raw, known, "config.yaml")
    made = {name: _plugins(raw.get(name), name, plugins[name], schema) for name in PLUGIN_SECTIONS}
    sections = {
        name: check(raw.get(name, known[name].get("default")), known[name], schema, name)
        for name in known
        if name not in (*PLUGIN_SECTIONS, "features")
    }
    features = check(raw.get("features"), known["features"], schema, "features")
    for encoder in (part for parts in features.values() for part in parts.values()):
        if encoder not in made["encoders"] and encoder in plugins["encoders"]:
            made["encoders"] |= _plugins({encoder: None}, "encoders", plugins["encoders"], schema)
    unnamed = {kind: None for kind in plugins["methods"] if kind not in made["methods"]}
    all_methods = made["methods"] | _plugins(unnamed, "methods", plugins["methods"], schema)
    _expand_datasets(made["datasets"], all_methods)
    config = Config(
        **made, features=features, sections=sections, all_methods=all_methods, schema=schema
    )
    _check_references(config, plugins)
    assert config.studies is not None  # reading them checks them
    return config


def check(value: Any, part: dict[str, Any], schema: dict[str, Any], where: str) -> Any:
    """Return ``value`` with the defaults of ``part`` of the schema filled in at every depth.

    Raises:
        ValueError: If a key is unknown or missing, or a value is not what the schema allows.
    """
    part = _resolve(part, schema)
    if part.get("type") == "object" or "properties" in part:
        return _check_object(value, part, schema, where)
    errors = list(Draft202012Validator({**part, "$defs": schema["$defs"]}).iter_errors(value))
    if errors:
        raise ValueError(
            f"config.yaml: {where}: {_explain(value, part, schema, errors[0].message)}"
        )
    return _as_number(value, part)


def _as_number(value: Any, part: dict[str, Any]) -> Any:
    """Return 1 as 1.0 where a float is meant, so that both spellings have one fingerprint."""
    types = {choice.get("type") for choice in (part, *part.get("anyOf", []))}
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and "number" in types and "integer" not in types else value


def _check_object(value: Any, part: dict[str, Any], schema: dict[str, Any], where: str) -> Any:
    value = {} if value is None else value
    if not isinstance(value, Mapping):
        raise ValueError(f"config.yaml: {where}: expected keys with values, got {value!r}.")
    known = part.get("properties", {})
    other = part.get("additionalProperties", False)
    if other is True and not known:
        return dict(value)
    if not isinstance(other, dict):
        _refuse_unknown(value, known, f"config.yaml: {where}")
    pattern = part.get("propertyNames", {}).get("pattern")
    filled: dict[str, Any] = {}
    for key in [*(k for k in known if k not in value), *value]:
        place = f"{where}.{key}"
        if pattern:
            _check_name(key, place)
        if key not in known:
            filled[key] = check(value[key], other, schema, place)
        elif key in value:
            filled[key] = check(_over_default(value[key], known[key]), known[key], schema, place)
        elif key in part.get("required", ()):
            raise ValueError(f"config.yaml: {where} needs the key {key!r}: {_about(known[key])}")
        else:
            filled[key] = known[key].get("default")
    return filled


def _over_default(value: Any, part: dict[str, Any]) -> Any:
    """Lay a partly given section over the section's own default."""
    default = part.get("default")
    if isinstance(default, Mapping) and isinstance(value, Mapping):
        return merge(default, value)
    return value


def _plugins(
    raw: Any, section: str, kinds: dict[str, Any], schema: dict[str, Any]
) -> dict[str, Plugin]:
    if raw is not None and not isinstance(raw, Mapping):
        raise ValueError(f"config.yaml: {section}: expected named entries, got {raw!r}.")
    return {name: _plugin(name, own, section, kinds, schema) for name, own in (raw or {}).items()}


def _plugin(
    name: str, own: Any, section: str, kinds: dict[str, Any], schema: dict[str, Any]
) -> Plugin:
    where = f"{section}.{name}"
    _check_name(name, where)
    own = dict(own or {})
    kind = own.pop("kind", name)
    if kind not in kinds:
        raise ValueError(
            f"config.yaml: {where}: there is no kind {kind!r}. {did_you_mean(str(kind), kinds)} "
            "If another package provides it, run: avzsl schema"
        )
    about = kinds[kind]
    if section == "methods":
        own = with_published(own, kind, where)
    options = check(own, about["schema"], schema, where)
    return Plugin(name, kind, about.get("revision", 0), about.get("modality"), options, own)


def _expand_datasets(datasets: Mapping[str, Plugin], methods: Mapping[str, Plugin]) -> None:
    """Put published hyper-parameters into the datasets' own settings of methods, in place."""
    for dataset in datasets.values():
        settings = dataset.options.get("methods") or {}
        for method, own in settings.items():
            if isinstance(own, Mapping) and method in methods:
                where = f"datasets.{dataset.name}.methods.{method}"
                settings[method] = with_published(own, methods[method].kind, where)


def _check_references(config: Config, plugins: dict[str, Any]) -> None:
    for name, parts in config.features.items():
        for modality, encoder in parts.items():
            where = f"config.yaml: features.{name}.{modality}"
            if encoder not in config.encoders:
                hint = did_you_mean(encoder, {*config.encoders, *plugins["encoders"]})
                raise ValueError(f"{where}: there is no encoder {encoder!r}. {hint}")
            found = config.encoders[encoder].modality
            if found != modality:
                raise ValueError(f"{where}: {encoder!r} is an encoder of {found}, not {modality}.")
    every = [f"{d}_{f}" for d in config.datasets for f in config.features]
    asked = [("tables", table) for table in config.tables]
    asked += [("studies_on", table) for table in config.sections["studies_on"] or ()]
    for where, table in asked:
        if table not in every:
            raise ValueError(
                f"config.yaml: {where}: {table!r} is not a dataset and a feature set joined by an "
                f"underscore. {did_you_mean(table, every)}"
            )
    for dataset in config.datasets.values():
        _check_store(dataset, config)
        for method in {**(dataset.options.get("methods") or {}), **config.methods}:
            where = f"datasets.{dataset.name}.methods.{method}"
            if method not in config.all_methods:
                raise ValueError(
                    f"config.yaml: {where}: no such method. "
                    f"{did_you_mean(method, config.all_methods)}"
                )
            config.method_on(dataset.name, method)


def _check_store(dataset: Plugin, config: Config) -> None:
    """Refuse ``features_of`` that leads nowhere, or to a dataset that has none of its own."""
    other = dataset.options["features_of"]
    if other is None:
        return
    known = [
        name
        for name, own in config.datasets.items()
        if name != dataset.name and own.options["features_of"] is None
    ]
    if other not in known:
        raise ValueError(
            f"config.yaml: datasets.{dataset.name}.features_of: there is no other dataset "
            f"{other!r} with features of its own. {did_you_mean(other, known)}"
        )


def _check_name(name: Any, where: str) -> None:
    validator = Draft202012Validator({"type": "string", "pattern": NAME_PATTERN})
    if not validator.is_valid(name):
        raise ValueError(
            f"config.yaml: {where}: a name holds lower-case letters, digits and single dashes "
            f"only, got {name!r}."
        )


def _refuse_unknown(value: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    for key in value:
        if key not in known:
            raise ValueError(f"{where} has no key {key!r}. {did_you_mean(str(key), known)}")


def _resolve(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    target: dict[str, Any] = schema["$defs"][part["$ref"].removeprefix("#/$defs/")]
    return _resolve(target, schema)


def _about(part: dict[str, Any]) -> str:
    return " ".join(part.get("description", "see docs/configuration.md").split())


def _explain(value: Any, part: dict[str, Any], schema: dict[str, Any], message: str) -> str:
    choices = part.get("enum")
    if isinstance(value, str) and choices:
        return f"got {value!r}. {did_you_mean(value, choices)}"
    kinds = [_resolve(choice, schema).get("type") for choice in part.get("anyOf", [])]
    wanted = " or ".join(k for k in kinds if k)
    detail = f"expected {wanted}, got {value!r}" if wanted else message
    return f"{detail}. ({_about(part)})" if "description" in part else f"{detail}."
