"""What ``config.yaml`` comes to: clips, shards, and the id of everything that is computed.

Snakemake asks on every parse, and each id is a parameter of the rule that makes the thing. Every
id includes the ids of what lies upstream, so that a change, or a failure after a change, reaches
the result table. Imports no torch.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from avzsl.config import Plugin
from avzsl.datasets_plan import DatasetsPlan
from avzsl.encoders.published import PUBLISHED_KINDS, Published
from avzsl.provenance import class_embeddings_id, digest, encoder_fingerprint
from avzsl.studies import Resolved, options_behind, variants_on
from avzsl.training.protocol import TRAINING_REVISION

if TYPE_CHECKING:
    from avzsl.encoders import Encoder

TABLE_REVISION = 1
"""Raised by hand whenever the code of evaluation or table changes what comes out."""

FILE_OPTIONS = frozenset({"weights", "encoders"})
"""Options of encoders whose results depend on files, or on other encoders: they are asked for their
ids. The ids of all others follow from the configuration."""


class Plan(DatasetsPlan):
    """Everything that follows from a configuration before anything has run."""

    def environment(self) -> dict[str, str]:
        """Return the variables through which jobs learn what no id depends on."""
        sections = self.config.sections
        datasets = {
            name: {"kind": plugin.kind, "options": plugin.options}
            for name, plugin in self.config.datasets.items()
        }
        return {
            "AVZSL_DEVICE": sections["device"],
            "AVZSL_EXTRACTION": to_json(sections["extraction"]),
            "AVZSL_DATASETS": to_json(datasets),
            "AVZSL_WEIGHTS": sections["weights"],
            "AVZSL_MEMORY": to_json(sections["memory"]),
        }

    @functools.cache  # noqa: B019
    def encoder(self, name: str) -> Encoder:
        """Return an encoder, not loaded.

        Raises:
            ValueError: If an option is out of range.
            LookupError: If it asks for weights that do not fit it.
        """
        from avzsl.encoders import encoders

        plugin = self.config.encoders[name]
        try:
            return encoders.get(plugin.kind).from_dict(plugin.options)
        except LookupError as error:
            raise LookupError(f"config.yaml: encoders.{name}: {error}") from None

    def memory_mb(self, encoder: str, base: int) -> int:
        """Return what a job with an encoder needs in main memory: ``base`` and its weights."""
        if FILE_OPTIONS.isdisjoint(self.config.encoders[encoder].options):
            return base
        return base + self.encoder(encoder).weights_bytes // 2**20

    @functools.cache  # noqa: B019
    def fingerprint(self, encoder: str) -> str:
        """Return the id of an encoder: code revision, options, weights.

        Raises:
            MissingWeightsError: If its weights are not on disk; the message says how to get them.
        """
        plugin = self.config.encoders[encoder]
        if FILE_OPTIONS.isdisjoint(plugin.options):
            return encoder_fingerprint(plugin.kind, plugin.revision, plugin.options)
        try:
            return self.encoder(encoder).fingerprint
        except OSError as error:
            raise type(error)(f"config.yaml: encoders.{encoder}: {error}") from None

    def text_fingerprint(self, dataset: str, encoder: str) -> str:
        """Return the id of a text encoder for the classes of a dataset.

        Raises:
            MissingWeightsError: If its files are not on disk; the message says how to get them.
            ValueError: If it looks classes up and has nothing for one.
        """
        if FILE_OPTIONS.isdisjoint(self.config.encoders[encoder].options):
            return self.fingerprint(encoder)
        from avzsl.encoders import TextEncoder

        found = self.encoder(encoder)
        assert isinstance(found, TextEncoder)  # the configuration is checked
        where = f"config.yaml: encoders.{encoder}"
        try:
            return found.fingerprint_of(self.listing(dataset).texts)
        except OSError as error:
            raise type(error)(f"{where}: {error}") from None
        except ValueError as error:
            raise ValueError(f"{where}, for the dataset {dataset}: {error}") from None

    def is_published(self, encoder: str) -> bool:
        """Return whether features are taken from an archive, and nothing is decoded."""
        return self.config.encoders[encoder].kind in PUBLISHED_KINDS

    @functools.cache  # noqa: B019
    def fingerprint_for(self, dataset: str, encoder: str) -> str:
        """Return the id of what an encoder makes of any clip of a dataset.

        It is the encoder's fingerprint; published features depend on the files of the dataset's
        archive, too.

        Raises:
            MissingWeightsError: If its weights are not on disk; the message says how to get them.
            FileNotFoundError: If there is no archive.
            ValueError: If the dataset has no videos and the encoder needs them.
        """
        kind = self.dataset(dataset)
        if self.is_published(encoder):
            published = cast(Published, self.encoder(encoder))
            try:
                return published.fingerprint_of(kind.archive_name)
            except OSError as error:
                raise type(error)(f"config.yaml: encoders.{encoder}: {error}") from None
        if not kind.has_videos:
            raise ValueError(
                f"{kind.where}.videos is null, but the encoder {encoder!r} needs videos; name "
                "their folder, or use published features (published-audio, published-visual)."
            )
        return self.fingerprint(encoder)

    @functools.cache  # noqa: B019
    def features_id(self, dataset: str, encoder: str) -> str:
        """Return the id of all features that a dataset uses of one encoder."""
        store = self.store(dataset)
        return digest("features", self.fingerprint_for(store, encoder), self.shards(store))

    @functools.cache  # noqa: B019
    def classes_id(self, dataset: str, encoder: str, variant: str) -> str:
        """Return the id of class embeddings.

        Args:
            dataset: Whose classes.
            encoder: The text encoder.
            variant: ``original``; ``raw``, which is the same, read in another way; ``optimised``,
                or ``optimised@`` and digits for other settings in a study.
        """
        listing = self.listing(dataset)
        fingerprint = self.text_fingerprint(dataset, encoder)
        original = class_embeddings_id(fingerprint, listing.class_names, listing.texts)
        if variant in ("original", "raw"):
            return original
        return digest("optimised", original, self.class_options(variant))

    def run_id(self, dataset: str, features: str, method: str, seed: int) -> str:
        """Return the id of one training run, and of what is evaluated on it."""
        parts = self.config.features[features]
        plugin = self.method(dataset, method)
        return digest(
            "run",
            TRAINING_REVISION,
            self.features_id(dataset, parts["audio"]),
            self.features_id(dataset, parts["visual"]),
            self.classes_id(dataset, parts["text"], self.classes_variant(dataset, method)),
            self.split_id(dataset),
            [plugin.kind, plugin.revision, plugin.options],
            self.protocol,
            seed,
        )

    def table_id(self, dataset: str, features: str) -> str:
        """Return the id of a result table."""
        runs = self.run_ids(dataset, features)
        return digest("table", TABLE_REVISION, list(self.config.methods), runs)

    def published(self, dataset: str, features: str) -> list[str]:
        """Return benchmark, feature set and split of the published numbers of a table, if any."""
        options = self.config.datasets[dataset].options
        return [options["benchmark"], features, options["split"]] if "benchmark" in options else []

    def run_ids(self, dataset: str, features: str) -> list[str]:
        """Return the ids of all runs of a table, seed by seed of method by method."""
        return [
            self.run_id(dataset, features, method, seed)
            for method in self.config.methods
            for seed in self.seeds
        ]

    def method(self, dataset: str, method: str) -> Plugin:
        """Return a method, or a variant of a study, with its options for a dataset."""
        return self._resolved(dataset, method).plugin

    def classes_variant(self, dataset: str, method: str) -> str:
        """Return which class embeddings a method or variant uses, see ``classes_id``."""
        return self._resolved(dataset, method).classes

    def _resolved(self, dataset: str, method: str) -> Resolved:
        if "@" in method:
            known = self._variants(dataset)
            if method not in known:
                raise LookupError(
                    f"No study in config.yaml has the variant {method!r} on {dataset}: its "
                    "settings have changed. Ask for the study's table: results/tables/{study}.csv"
                )
            return known[method]
        plugin = self.config.method_on(dataset, method)
        return Resolved(name=method, plugin=plugin, classes=plugin.options["classes"])

    @functools.cache  # noqa: B019
    def _variants(self, dataset: str) -> dict[str, Resolved]:
        return variants_on(self.config, dataset)

    @functools.cache  # noqa: B019
    def class_options(self, variant: str) -> dict[str, Any]:
        """Return the settings behind ``optimised`` or ``optimised@`` and digits."""
        return options_behind(self.config, variant)

    @property
    def gpus_per_job(self) -> int:
        """Return how many GPUs a job that runs a model asks for, 0 or 1.

        With ``device: auto`` the machine that plans is looked at; the login node of a cluster need
        not have a GPU, so the cluster's profile sets the resource.
        """
        device = self.config.sections["device"]
        if device == "auto":
            return int(any(Path("/dev").glob("nvidia[0-9]*")))
        return int(device.startswith("cuda"))

    @property
    def protocol(self) -> dict[str, Any]:
        """Return what all runs share: the protocol without the list of seeds."""
        return {k: v for k, v in self.config.sections["protocol"].items() if k != "seeds"}

    @property
    def seeds(self) -> Sequence[int]:
        """Return the seeds of every run."""
        seeds: list[int] = self.config.sections["protocol"]["seeds"]
        return seeds

    def encoders_of(self, modality: str) -> list[str]:
        """Return the names of all configured encoders of a modality that read clips or text."""
        return [
            name
            for name, plugin in self.config.encoders.items()
            if plugin.modality == modality and not self.is_published(name)
        ]

    @property
    def published_encoders(self) -> list[str]:
        """Return the names of all configured encoders whose features come from an archive."""
        return [name for name in self.config.encoders if self.is_published(name)]


def to_json(thing: Any) -> str:
    """Return compact JSON for a command line."""
    return json.dumps(thing, ensure_ascii=False, separators=(",", ":"))
