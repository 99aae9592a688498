"""Encoders, features and class embeddings: what made them, from whose weights, and their ids."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from avzsl.classes.summary import read_summary
from avzsl.config import Config
from avzsl.report.page.attributes import read_attributes
from avzsl.report.page.records import Table, text_table
from avzsl.report.page.runs import MOST_ROWS
from avzsl.report.page.study_runs import StudyRowFiles, row_names
from avzsl.shards.feature_index import FeatureIndex
from avzsl.sources.checkpoint import is_random
from avzsl.sources.table import sources

TOLD = ("objective", "distance", "alpha", "margin")
"""Options of the optimisation that its summary tells."""


def encoder_table(config: Config, names: Sequence[str]) -> Table:
    """Return the encoders that the tables use, and where their weights are from.

    Args:
        config: The configuration as run.
        names: Names of encoders in it.
    """
    body = []
    for name in names:
        plugin = config.encoders[name]
        body.append(
            [
                name,
                plugin.modality,
                plugin.kind,
                plugin.revision,
                "; ".join(weights_of(plugin.options)) or "none: nothing in it is trained",
            ]
        )
    heads = ["encoder", "modality", "kind", "revision", "weights"]
    return text_table("Encoders and the source of their weights", heads, body)


def weights_of(options: Any) -> list[str]:
    """Return a line for each ``weights`` among the options of an encoder, at any depth."""
    if isinstance(options, Mapping):
        own = options.get("weights")
        inner = [value for key, value in options.items() if key != "weights"]
        lines = [_weights(own)] if isinstance(own, str) and own else []
        return lines + [line for value in inner for line in weights_of(value)]
    if isinstance(options, (list, tuple)):
        return [line for value in options for line in weights_of(value)]
    return []


def _weights(name: str) -> str:
    if is_random(name):
        return f"UNTRAINED ({name}): figures say nothing of the method"
    source = sources().get(name)
    if source is None:
        return f"a file of the user's own: {Path(name).name}"
    return f"{name}: {source.title}, {source.terms}, {source.page}"


def feature_table(indexes: Sequence[FeatureIndex]) -> Table:
    """Return the features that runs read, with their ids."""
    body = [
        [
            index.header.encoder,
            index.header.dataset,
            len(index.video_ids),
            index.dim,
            index.header.fingerprint,
            index.features_id,
            "; ".join(index.header.decoders),
        ]
        for index in indexes
    ]
    return text_table(
        "Features, as their index files say",
        ["encoder", "dataset", "clips", "size", "encoder's fingerprint", "features' id", "decoder"],
        body,
    )


def class_table(paths: Sequence[Path], rows: Sequence[StudyRowFiles] = ()) -> Table:
    """Return the class embeddings that runs used, with their ids.

    Args:
        paths: Files of ``avzsl classes``.
        rows: Of studies; optimised embeddings that are not among ``paths`` are told of by their
            summaries.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If a file is no HDF5, or no summary.
    """
    users: dict[Path, list[StudyRowFiles]] = defaultdict(list)
    for row in rows:
        users[row.classes_file].append(row)
    facts = {path: _of_embeddings(path) for path in paths}
    for row in rows:
        if row.summary is not None and row.classes_file not in facts:
            facts[row.classes_file] = _of_summary(row.summary)
    body = [["/".join(path.parts[-3:]), *cells] for path, cells in facts.items()]
    heads = ["file", "variant", "steps", "converged", "id", "options"]
    if users:
        heads.append("rows of studies")
        body = [[*row, row_names(users[path])] for row, path in zip(body, facts, strict=True)]
    return text_table(
        "Class embeddings, as their files say", heads, body, folded=len(body) > MOST_ROWS
    )


def _of_embeddings(path: Path) -> list[object]:
    """Return variant, steps, converged, id and options of a file of class embeddings."""
    facts = read_attributes(path)
    steps = facts.get("steps")
    converged = facts.get("converged")
    return [
        str(facts.get("variant", "")),
        None if steps is None else int(steps),
        None if converged is None else bool(converged),
        str(facts.get("id", "")),
        _short(json.loads(str(facts.get("options") or "{}"))),
    ]


def _of_summary(path: Path) -> list[object]:
    """Return the same of an optimisation; of its options those that the summary tells."""
    found = read_summary(path)
    options = {name: getattr(found, name) for name in TOLD}
    return ["optimised", found.steps, found.converged, found.classes_id, _short(options)]


def _short(options: Mapping[str, Any]) -> str:
    """Return options as ``name value, name value``."""
    return ", ".join(f"{name} {json.dumps(value)}" for name, value in options.items())
