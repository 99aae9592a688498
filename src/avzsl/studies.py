"""Studies: a base and named variants of it, each a row of a table, such as those of a paper.

A variant is a method with settings laid over: options of the method, of class-embedding
optimisation, or another dataset or feature set. What it comes to on a dataset has a name of its own
(``ez-avgzl@1f0c9a7b``), made from the settings, so that two studies with the same variant share its
runs, and a variant that equals a method of the result table is that method. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from avzsl.presets import merge, with_published
from avzsl.provenance import digest
from avzsl.registry import did_you_mean

if TYPE_CHECKING:
    from avzsl.config import Config, Plugin

Shows = Literal["accuracy", "neighbours"]

NAME_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"
"""Names hold no underscore, so that ``results/{dataset}_{features}.csv`` reads one way only."""
_DIGITS = 8
_KEYS = ("method", "options", "classes", "dataset", "features", "published")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row of a study, before it meets a dataset."""

    label: str
    """What the table calls it."""
    method: str
    """Name in ``methods``, or a kind."""
    options: dict[str, Any]
    """Options of the method, laid over those that the dataset gives it."""
    classes: dict[str, Any]
    """Settings of class-embedding optimisation, laid over the section ``classes``."""
    dataset: str | None
    """Instead of the study's."""
    features: str | None
    """Instead of the study's."""
    published: str | None
    """Table and row of the published numbers; None where there are none."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """A table of variants."""

    name: str
    title: str
    datasets: tuple[str, ...]
    features: tuple[str, ...]
    shows: Shows
    """``accuracy``: S, U, HM and ZSL. ``neighbours``: the nearest class of each class."""
    seeds: tuple[int, ...] | None
    """None means those of the protocol."""
    figures: tuple[str, ...]
    """Of ``bars``, ``sweep`` and ``confusion``."""
    variants: tuple[Variant, ...]


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """What a variant comes to on a dataset."""

    name: str
    """Of its runs; that of a method where nothing is laid over."""
    plugin: Plugin
    """The method with all its options."""
    classes: str
    """Which class embeddings: ``original``, ``raw``, ``optimised`` or ``optimised@`` and digits."""


def read_studies(config: Config) -> dict[str, Study]:
    """Return the checked studies of a configuration.

    Raises:
        ValueError: If a variant has an unknown key, method or option.
    """
    studies = {}
    for name, own in config.sections["studies"].items():
        where = f"studies.{name}"
        base = _with_keys(own["base"], f"{where}.base")
        variants = tuple(
            _variant(label, merge(base, _with_keys(over, f"{where}.variants.{label}")), own, where)
            for label, over in _listed(own["variants"], where).items()
        )
        for variant in variants:
            _check_variant(variant, config, f"{where}.variants.{variant.label}")
        studies[name] = Study(
            name=name,
            title=own["title"],
            datasets=_several(own["dataset"]),
            features=_several(own["features"]),
            shows=own["shows"],
            seeds=None if own["seeds"] is None else tuple(own["seeds"]),
            figures=tuple(own["figures"]),
            variants=variants,
        )
    return studies


def _several(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _listed(variants: Any, where: str) -> dict[str, Any]:
    """Return label -> settings; a list names methods."""
    listed = variants if isinstance(variants, Mapping) else {m: {"method": m} for m in variants}
    if not listed:
        raise ValueError(f"config.yaml: {where}.variants is empty; name at least one.")
    return {str(label): over for label, over in listed.items()}


def _with_keys(value: Any, where: str) -> dict[str, Any]:
    value = {} if value is None else value
    if not isinstance(value, Mapping):
        raise ValueError(f"config.yaml: {where}: expected keys with values, got {value!r}.")
    for key in value:
        if key not in _KEYS:
            raise ValueError(
                f"config.yaml: {where} has no key {key!r}. {did_you_mean(str(key), _KEYS)} Options "
                "of the method go under 'options', those of class optimisation under 'classes'."
            )
    return dict(value)


def _variant(label: str, values: dict[str, Any], own: Mapping[str, Any], where: str) -> Variant:
    if "method" not in values:
        raise ValueError(
            f"config.yaml: {where}.variants.{label} names no method; neither does {where}.base."
        )
    row, table = values.get("published", label), own["published"]
    if row and ": " not in row:  # otherwise it names its table, too
        row = f"{table}: {row}" if table else None
    return Variant(
        label=label,
        method=values["method"],
        options=dict(values.get("options") or {}),
        classes=dict(values.get("classes") or {}),
        dataset=values.get("dataset"),
        features=values.get("features"),
        published=row,
    )


def _check_variant(variant: Variant, config: Config, where: str) -> None:
    if variant.method not in config.all_methods:
        hint = did_you_mean(variant.method, config.all_methods)
        raise ValueError(f"config.yaml: {where}: there is no method {variant.method!r}. {hint}")
    if variant.features is not None and variant.features not in config.features:
        hint = did_you_mean(variant.features, config.features)
        raise ValueError(f"config.yaml: {where}.features: there is no {variant.features!r}. {hint}")
    plugin = config.all_methods[variant.method]
    own = with_published(variant.options, plugin.kind, f"{where}.options")
    config.checked(plugin.kind, merge(plugin.options, own), f"{where}.options")
    classes = merge(config.sections["classes"], variant.classes)
    config.checked("classes", classes, f"{where}.classes")


def class_options(config: Config, variant: Variant) -> dict[str, Any]:
    """Return the settings of class-embedding optimisation of a variant."""
    laid = merge(config.sections["classes"], variant.classes)
    return config.checked("classes", laid, f"studies: {variant.label}")


def class_variant(config: Config, options: Mapping[str, Any]) -> str:
    """Return the name of the class embeddings that are optimised with some settings."""
    same = options == config.sections["classes"]
    return "optimised" if same else f"optimised@{digest('classes', dict(options))[:_DIGITS]}"


def resolve(config: Config, dataset: str, variant: Variant) -> Resolved:
    """Return what a variant comes to on a dataset.

    Raises:
        KeyError: If there is no such dataset.
    """
    plugin = config.method_on(dataset, variant.method)
    where = f"studies: {variant.label}"
    own = with_published(variant.options, plugin.kind, where)
    options = config.checked(plugin.kind, merge(plugin.options, own), where)
    classes = options["classes"]
    if classes == "optimised":
        classes = class_variant(config, class_options(config, variant))
    is_plain = (options, classes) == (plugin.options, plugin.options["classes"])
    name = variant.method
    if not is_plain:
        name += "@" + digest("variant", plugin.kind, options, classes)[:_DIGITS]
    return Resolved(name=name, plugin=plugin.with_options(options), classes=classes)


def variants_on(config: Config, dataset: str) -> dict[str, Resolved]:
    """Return all variants of all studies on a dataset, by name."""
    found = (
        resolve(config, dataset, variant)
        for study in config.studies.values()
        for variant in study.variants
    )
    return {variant.name: variant for variant in found}


def options_behind(config: Config, variant: str) -> dict[str, Any]:
    """Return the settings behind class embeddings ``optimised`` or ``optimised@`` and digits.

    Raises:
        LookupError: If no study has such a variant.
    """
    if variant == "optimised":
        section: dict[str, Any] = config.sections["classes"]
        return section
    for study in config.studies.values():
        for row in study.variants:
            options = class_options(config, row)
            if class_variant(config, options) == variant:
                return options
    raise LookupError(f"No study in config.yaml has the class embeddings {variant!r}.")
