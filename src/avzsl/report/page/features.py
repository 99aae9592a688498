"""Encoders, features and class embeddings: what made them, from whose weights, and their ids."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py

from avzsl.config import Config
from avzsl.report.page.records import Table, text_table
from avzsl.shards.feature_index import FeatureIndex
from avzsl.sources.checkpoint import is_random
from avzsl.sources.table import sources


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


def class_table(paths: Sequence[Path]) -> Table:
    """Return the class embeddings that runs used, with their ids.

    Args:
        paths: Files of ``avzsl classes``.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If a file is no HDF5.
    """
    body = []
    for path in paths:
        facts = read_attributes(path)
        steps = facts.get("steps")
        converged = facts.get("converged")
        body.append(
            [
                "/".join(path.parts[-3:]),
                str(facts.get("variant", "")),
                None if steps is None else int(steps),
                None if converged is None else bool(converged),
                str(facts.get("id", "")),
                _short(str(facts.get("options", ""))),
            ]
        )
    heads = ["file", "variant", "steps", "converged", "id", "options"]
    return text_table("Class embeddings, as their files say", heads, body)


def _short(options: str) -> str:
    """Return options in JSON as ``name value, name value``."""
    found = json.loads(options) if options else {}
    return ", ".join(f"{name} {json.dumps(value)}" for name, value in found.items())


def read_attributes(path: Path) -> dict[str, Any]:
    """Return the attributes of an HDF5 file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no HDF5.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        with h5py.File(path, "r", locking=False) as file:
            return dict(file.attrs)
    except PermissionError:
        raise
    except OSError as error:
        raise ValueError(f"{path} is truncated or no HDF5 file ({error}).") from error
