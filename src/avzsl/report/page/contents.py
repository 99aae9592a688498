"""What stands on the page, section by section, from the files of the workflow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avzsl.config import Config
from avzsl.datasets.manifest import read_manifest
from avzsl.report.page.costs import (
    cost_table,
    device_table,
    extraction_table,
    read_costs,
    read_devices,
)
from avzsl.report.page.csv_tables import csv_table
from avzsl.report.page.data import FeaturePair, data_section
from avzsl.report.page.features import class_table, encoder_table, feature_table
from avzsl.report.page.intervals import interval_tables
from avzsl.report.page.pictures import read_picture
from avzsl.report.page.records import Picture, Section, Table
from avzsl.report.page.runs import (
    RunFile,
    count_origins,
    each_once,
    read_runs,
    run_table,
    version_table,
)
from avzsl.report.page.settings import config_folds, protocol_table
from avzsl.report.page.study_runs import StudyRowFiles, read_row_runs, study_runs_section
from avzsl.report.tables import id_file
from avzsl.shards.feature_index import FeatureIndex

MEASURES = (
    "Mean class accuracy on the test clips in percent, mean ± sample standard deviation over "
    "seeds. S and U: seen and unseen classes, all classes being candidates, after calibrated "
    "stacking with the bias chosen on validation; HM: their harmonic mean; ZSL: unseen classes "
    "among unseen ones."
)
PUBLISHED = (
    "Published numbers are single runs as their papers print them; where they are from, and what "
    "sets them apart, stands below each table."
)
SUFFIX = ".statistics.csv"


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The files that the page is made of; all are read, none is searched for."""

    raw: dict[str, Any]
    """The configuration as given."""
    config: Config
    """The same, checked."""
    tables: Sequence[Path] = ()
    """``results/{dataset}_{features}.csv``"""
    statistics: Sequence[Path] = ()
    """``results/{dataset}_{features}.statistics.csv``"""
    figures: Sequence[Path] = ()
    """``results/figures/{dataset}_{features}/*.png``"""
    studies: Sequence[Path] = ()
    """CSV files of any columns, ``{study}.csv`` or ``{study}.{kind}.csv``; in a folder with the
    name of the table that the study was carried out on, if any."""
    study_figures: Sequence[Path] = ()
    """PNG files, named in the same way."""
    manifests: Sequence[Path] = ()
    indexes: Sequence[Path] = ()
    classes: Sequence[Path] = ()
    evaluations: Sequence[Path] = ()
    """Folders ``results/evaluations/{dataset}/{features}``"""
    study_rows: Sequence[StudyRowFiles] = ()
    """Of the studies whose runs and class embeddings are shown."""
    stores: Mapping[str, str] = field(default_factory=dict)
    """Dataset -> the one whose features it uses; those that are not named here use their own."""
    data_of: Sequence[str] = ()
    """``{dataset}_{features}`` whose clips are counted."""
    logs: Path = Path("logs")
    captions: Mapping[str, str] = field(default_factory=dict)
    """Name of a figure or study -> what it shows."""
    table_ids: Mapping[str, str] = field(default_factory=dict)
    """Table, study, or study with the kind of its table (``table9.classes``) -> id of what it must
    be made from; those that are not named here are taken as is."""


def sections(inputs: Inputs) -> list[Section]:
    """Return all sections of the page.

    Raises:
        FileNotFoundError: If a file is missing, benchmark files and logs excepted.
        ValueError: If a file is something else, or was made from something else.
    """
    indexes = [FeatureIndex(path) for path in inputs.indexes]
    runs = [
        run
        for folder in inputs.evaluations
        for run in read_runs(
            folder, list(inputs.config.methods), inputs.config.sections["protocol"]["seeds"]
        )
    ]
    row_runs = read_row_runs(inputs.study_rows)
    found = [
        results_section(inputs),
        studies_section(inputs),
        _data(inputs, indexes),
        _features(inputs, indexes),
        _runs(inputs, runs, study_runs_section(inputs.study_rows, row_runs)),
        _versions(inputs, each_once([*runs, *row_runs.values()])),
        _costs(inputs, indexes),
    ]
    return [section for section in found if section is not None]


def results_section(inputs: Inputs) -> Section | None:
    """Return the result tables with their intervals and figures; None where there are none."""
    if not inputs.tables:
        return None
    statistics = {path.name.removesuffix(SUFFIX): path for path in inputs.statistics}
    parts = []
    for path in inputs.tables:
        name = path.stem
        check_id(path, inputs.table_ids.get(name))
        tables: tuple[Table, ...] = (csv_table(path, f"{name}: accuracy of each method, percent"),)
        if name in statistics:
            check_id(statistics[name], inputs.table_ids.get(name))
            tables += interval_tables(statistics[name], name)
        own = [figure for figure in inputs.figures if figure.parent.name == name]
        pictures = tuple(_picture(figure, name, figure.stem, inputs) for figure in own)
        known = read_id(path)
        said = (f"Id of all that this table was made from: {known}.",) if known else ()
        parts.append(Section(title=name, paragraphs=said, tables=tables, pictures=pictures))
    compared = any(table.groups for part in parts for table in part.tables)
    paragraphs = (MEASURES, PUBLISHED) if compared else (MEASURES,)
    return Section(title="Result tables", paragraphs=paragraphs, parts=tuple(parts))


def _picture(path: Path, name: str, kind: str, inputs: Inputs) -> Picture:
    captions = inputs.captions
    caption = captions.get(kind) or captions.get(f"study_{kind}", "")
    return read_picture(path, name, kind, f"{kind.replace('_', ' ')}. {caption}".strip())


def studies_section(inputs: Inputs) -> Section | None:
    """Return the tables and figures of studies; None where there are none."""
    tables: dict[str, list[Table]] = {}
    pictures: dict[str, list[Picture]] = {}
    for path in inputs.studies:
        name, kind = study_of(path)
        check_id(path, inputs.table_ids.get(f"{name}.{kind}" if kind else name))
        title = inputs.captions.get(name.rpartition("/")[2], "")
        words = [f"{name}{kind and f', {kind}'}", *([title] if title else [])]
        tables.setdefault(name, []).append(csv_table(path, ": ".join(words)))
    for path in inputs.study_figures:
        name, kind = study_of(path)
        pictures.setdefault(name, []).append(_picture(path, name, kind or "bars", inputs))
    parts = tuple(
        Section(
            title=name,
            tables=tuple(tables.get(name, ())),
            pictures=tuple(pictures.get(name, ())),
        )
        for name in {**tables, **pictures}
    )
    about = "A study is a base and variants of it, such as a table of a paper; a row is a variant."
    return Section(title="Studies", paragraphs=(about,), parts=parts) if parts else None


def study_of(path: Path) -> tuple[str, str]:
    """Return name and kind of a file of a study; the name has that of its table, if any."""
    study, _, kind = path.stem.partition(".")
    return (f"{path.parent.name}/{study}" if "_" in path.parent.name else study), kind


def read_id(table: Path) -> str | None:
    """Return the id that stands beside a table; None where there is none."""
    try:
        found = json.loads(id_file(table).read_text(encoding="utf-8")).get("table_id")
    except (OSError, ValueError, AttributeError):
        return None
    return str(found) if found else None


def check_id(table: Path, expected: str | None) -> None:
    """Refuse a table that was made from something else; None takes any.

    Raises:
        ValueError: If its id is another, or it has none.
    """
    found = read_id(table)
    if expected not in (None, found):
        raise ValueError(
            f"{table} was made from something else (found {found}, expected {expected}): "
            f"configuration or files have changed since. Run: snakemake --cores 2 {table}"
        )


def _data(inputs: Inputs, indexes: Sequence[FeatureIndex]) -> Section | None:
    by_name = {(index.header.dataset, index.header.encoder): index for index in indexes}
    parts = []
    for path in inputs.manifests:
        dataset = path.stem
        store = inputs.stores.get(dataset, dataset)
        pairs = [
            FeaturePair(
                name=name,
                audio=by_name[store, encoders["audio"]],
                visual=by_name[store, encoders["visual"]],
            )
            for name, encoders in inputs.config.features.items()
            if f"{dataset}_{name}" in inputs.data_of
            and all((store, encoders[modality]) in by_name for modality in ("audio", "visual"))
        ]
        parts.append(data_section(dataset, read_manifest(path), pairs))
    return Section(title="Data used", parts=tuple(parts)) if parts else None


def _features(inputs: Inputs, indexes: Sequence[FeatureIndex]) -> Section:
    embeddings = [*inputs.classes, *(row.classes_file for row in inputs.study_rows)]
    used = {path.parent.name for path in embeddings} | {i.header.encoder for i in indexes}
    tables = [encoder_table(inputs.config, sorted(used & set(inputs.config.encoders)))]
    tables += [feature_table(indexes)] if indexes else []
    if inputs.classes or inputs.study_rows:
        tables.append(class_table(inputs.classes, inputs.study_rows))
    return Section(title="Encoders, features and class embeddings", tables=tuple(tables))


def _runs(inputs: Inputs, runs: Sequence[RunFile], of_studies: Section | None) -> Section:
    tables = [protocol_table(inputs.config), *([run_table(runs)] if runs else [])]
    return Section(
        title="Protocol, runs and configuration",
        paragraphs=(
            "Epoch and bias are chosen on validation, then the model is trained on training and "
            "validation clips; the test clips are scored once and nothing is chosen on them.",
        ),
        tables=tuple(tables),
        folds=config_folds(inputs.raw, inputs.config),
        parts=(of_studies,) if of_studies else (),
    )


def _versions(inputs: Inputs, runs: Sequence[RunFile]) -> Section | None:
    origins = count_origins(
        runs, {"feature indexes": inputs.indexes, "class embeddings": inputs.classes}
    )
    if not origins:
        return None
    return Section(title="Versions", tables=(version_table(origins),))


def _costs(inputs: Inputs, indexes: Sequence[FeatureIndex]) -> Section:
    tables = [cost_table(read_costs(inputs.logs))]
    devices = read_devices(inputs.logs)
    tables += [device_table(devices)] if devices else []
    tables += [extraction_table(indexes)] if indexes else []
    return Section(title="Time and cost", tables=tuple(tables))
