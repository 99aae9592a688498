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
FIGURES = ("bars", "sweep", "training", "confusion", "bias", "per_class", "embeddings")
"""What can be drawn of a study."""
_KEYS = {
    "method": str,
    "options": Mapping,
    "classes": Mapping,
    "dataset": str,
    "features": str,
    "published": str,
}
"""Key of a variant -> what it takes; ``published`` may be null, too."""


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
    """Of ``FIGURES``."""
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
        variants = []
        for label, over in _listed(own["variants"], where).items():
            place = f"{where}.variants.{label}"
            settings = _with_keys(over, place)
            variants.append(_variant(label, merge(base, settings), own["published"], place))
            _check_variant(variants[-1], settings, config, place)
        studies[name] = Study(
            name=name,
            title=own["title"],
            datasets=_several(own["dataset"]),
            features=_several(own["features"]),
            shows=own["shows"],
            seeds=None if own["seeds"] is None else tuple(own["seeds"]),
            figures=tuple(own["figures"]),
            variants=tuple(variants),
        )
        _check_study(studies[name], config, where)
    return studies


def _several(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _listed(variants: Any, where: str) -> dict[str, Any]:
    """Return label -> settings; a list names methods."""
    listed = variants if isinstance(variants, Mapping) else {m: {"method": m} for m in variants}
    if not listed:
        raise ValueError(f"config.yaml: {where}.variants is empty; name at least one.")
    labelled = {str(label): over for label, over in listed.items()}
    if len(labelled) < len(listed):
        raise ValueError(f"config.yaml: {where}.variants: two have the same label.")
    return labelled


def _with_keys(value: Any, where: str) -> dict[str, Any]:
    """Return the keys of a base or of a variant, each of the right type."""
    value = {} if value is None else value
    if not isinstance(value, Mapping):
        raise ValueError(f"config.yaml: {where}: expected keys with values, got {value!r}.")
    for key, setting in value.items():
        if key not in _KEYS:
            raise ValueError(
                f"config.yaml: {where} has no key {key!r}. {did_you_mean(str(key), _KEYS)} Options "
                "of the method go under 'options', those of class optimisation under 'classes'."
            )
        wanted = _KEYS[key]
        if not isinstance(setting, wanted) and not (key == "published" and setting is None):
            kind = "text" if wanted is str else "keys with values"
            raise ValueError(f"config.yaml: {where}.{key}: expected {kind}, got {setting!r}.")
    return dict(value)


def _variant(label: str, values: dict[str, Any], table: str | None, where: str) -> Variant:
    if "method" not in values:
        raise ValueError(f"config.yaml: {where} names no method; neither does the study's base.")
    row = values.get("published", label if table else None)
    names_table = row is not None and ": " in row and "published" in values
    if row is not None and not names_table:
        if table is None:
            raise ValueError(
                f"config.yaml: {where}.published: {row!r} is a row, but the study names no "
                "published table; write table and row: 'EZ-AVGZL Table 5: rank + sep'."
            )
        row = f"{table}: {row}"
    return Variant(
        label=label,
        method=values["method"],
        options=dict(values.get("options", {})),
        classes=dict(values.get("classes", {})),
        dataset=values.get("dataset"),
        features=values.get("features"),
        published=row,
    )


def _check_variant(
    variant: Variant, settings: Mapping[str, Any], config: Config, where: str
) -> None:
    if variant.method not in config.all_methods:
        hint = did_you_mean(variant.method, config.all_methods)
        raise ValueError(f"config.yaml: {where}: there is no method {variant.method!r}. {hint}")
    plugin = config.all_methods[variant.method]
    options = _options_over(plugin, variant, config, f"{where}.options")
    classes = merge(config.sections["classes"], variant.classes)
    config.checked("classes", classes, f"{where}.classes")
    if "classes" in settings and options["classes"] != "optimised":
        raise ValueError(
            f"config.yaml: {where}.classes has no effect: {variant.method} uses "
            f"{options['classes']} class embeddings here. Give it options: {{classes: optimised}}."
        )


def _check_study(study: Study, config: Config, where: str) -> None:
    """Refuse what would fail only after everything has been trained."""
    optimising = [variant for variant in study.variants if _optimises(variant, config)]
    if not optimising and (study.shows == "neighbours" or "sweep" in study.figures):
        raise ValueError(
            f"config.yaml: {where} shows what class-embedding optimisation does, but no variant of "
            "it uses optimised class embeddings."
        )
    of_classes = {"confusion", "per_class", "embeddings"} & {*study.figures}
    if of_classes and len(study.datasets) > 1:
        raise ValueError(
            f"config.yaml: {where}.figures: {' and '.join(sorted(of_classes))} show the classes of "
            "one dataset, and the study has several."
        )


def _optimises(variant: Variant, config: Config) -> bool:
    plugin = config.all_methods[variant.method]
    options = _options_over(plugin, variant, config, f"studies: {variant.label}")
    return bool(options["classes"] == "optimised")


def _options_over(plugin: Plugin, variant: Variant, config: Config, where: str) -> dict[str, Any]:
    """Return the options of a method with those of a variant laid over, checked."""
    own = with_published(variant.options, plugin.kind, where)
    return config.checked(plugin.kind, merge(plugin.options, own), where)


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
    options = _options_over(plugin, variant, config, f"studies: {variant.label}")
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
