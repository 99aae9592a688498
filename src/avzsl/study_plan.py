"""What the studies of a configuration come to: rows, runs, files and ids of their tables.

A study stands on the datasets and feature sets that it names. It can be carried out on any other
table ``{dataset}_{features}`` as well, to try it or to compare: then rows that ask for a dataset or
a feature set of their own are left out, and no published number stands beside. Imports no torch.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from avzsl.planning import TABLE_REVISION, Plan
from avzsl.provenance import digest
from avzsl.registry import did_you_mean
from avzsl.studies import Study, Variant, class_options, resolve


@dataclass(frozen=True, kw_only=True)
class StudyRow:
    """One row of a study's table."""

    label: str
    dataset: str
    benchmark: str | None
    """Which published benchmark the dataset is, if any."""
    split: str | None
    """Which split of the benchmark."""
    features: str
    text: str
    """The text encoder."""
    method: str
    """Name in ``methods``, or a kind."""
    run: str
    """What the runs are called: the method, or method@digits."""
    classes: str
    """Which class embeddings."""
    published: str | None
    """Table and row of the published numbers."""
    seeds: tuple[int, ...]

    @property
    def optimises(self) -> bool:
        """Whether the class embeddings are optimised ones."""
        return self.classes.startswith("optimised")

    @property
    def evaluations(self) -> list[str]:
        """Return the evaluation of every seed."""
        folder = f"results/evaluations/{self.dataset}/{self.features}/{self.run}"
        return [f"{folder}/seed{seed}.json" for seed in self.seeds]

    @property
    def histories(self) -> list[str]:
        """Return the training history of every seed."""
        folder = f"results/models/{self.dataset}/{self.features}/{self.run}"
        return [f"{folder}/seed{seed}.csv" for seed in self.seeds]

    @property
    def embeddings(self) -> str:
        """Return the embeddings of the first seed."""
        return self.evaluations[0].removesuffix(".json") + ".h5"

    @property
    def summary(self) -> str | None:
        """Return the summary of the class-embedding optimisation; None where there was none."""
        return self._of_classes("", ".json") if self.optimises else None

    @property
    def neighbours(self) -> str | None:
        """Return the table of neighbours before and after; None where nothing was optimised."""
        return self._of_classes("neighbours", ".csv") if self.optimises else None

    @property
    def told(self) -> dict[str, Any]:
        """Return the row as ``avzsl study`` reads it."""
        return {
            "label": self.label,
            "dataset": self.dataset,
            "benchmark": self.benchmark,
            "split": self.split,
            "features": self.features,
            "method": self.method,
            "published": self.published,
            "runs": len(self.seeds),
            "classes": self.summary,
            "encoder": self.text,
        }

    def _of_classes(self, instead: str, suffix: str) -> str:
        name = self.classes.replace("optimised", instead) if instead else self.classes
        return f"results/classes/{self.dataset}/{self.text}/{name}{suffix}"


class StudyPlan:
    """The studies of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    @property
    def names(self) -> list[str]:
        """Return the names of all studies."""
        return list(self._plan.config.studies)

    def showing(self, shows: str) -> list[str]:
        """Return the names of the studies that show ``accuracy`` or ``neighbours``."""
        return [name for name in self.names if self._study(name).shows == shows]

    def figures(self, study: str) -> tuple[str, ...]:
        """Return which figures are drawn of a study."""
        return self._study(study).figures

    def optimises(self, study: str) -> bool:
        """Return whether two rows or more differ in class-embedding optimisation."""
        variants = self._study(study).variants
        settings = [class_options(self._plan.config, variant) for variant in variants]
        return any(own != settings[0] for own in settings)

    def wanted(self) -> list[tuple[str, str | None]]:
        """Return study and table of all that ``snakemake tables`` makes; None is the study's own.

        Where ``studies_on`` is null, studies on what is not configured are left out.
        """
        on: list[str] | None = self._plan.config.sections["studies_on"]
        if on is not None:
            return [(study, table) for table in on for study in self.names]
        return [(study, None) for study in self.names if not self.lacks(study)]

    def lacks(self, study: str) -> list[str]:
        """Return the datasets and feature sets that a study needs and the configuration lacks."""
        own, known = self._study(study), self._plan.config
        datasets = {*own.datasets, *(v.dataset for v in own.variants if v.dataset)}
        features = {*own.features, *(v.features for v in own.variants if v.features)}
        return sorted((datasets - {*known.datasets}) | (features - {*known.features}))

    @functools.cache  # noqa: B019 - one plan lives as long as the process
    def rows(self, study: str, table: str | None = None) -> list[StudyRow]:
        """Return the rows of a study.

        Args:
            study: Its name.
            table: Where it is carried out, ``{dataset}_{features}``; None means where it says.

        Raises:
            ValueError: If it stands on a dataset or feature set that is not configured.
        """
        own = self._study(study)
        if table is None:
            self._check_names(own)
            places = [(d, f) for d in own.datasets for f in own.features]
        else:
            dataset, _, features = table.partition("_")
            places = [(dataset, features)]
        return [
            self._row(own, variant, dataset, features, is_own=table is None)
            for dataset, features in places
            for variant in own.variants
            if table is None or (variant.dataset is None and variant.features is None)
        ]

    def spec(self, study: str, table: str | None = None, *, of_runs: bool = True) -> dict[str, Any]:
        """Return what ``avzsl study`` is told: title, rows, and the ids of the runs.

        Args:
            study: Its name.
            table: Where it is carried out.
            of_runs: Whether its runs are shown; otherwise the class embeddings of its rows alone.
        """
        own = self._study(study)
        rows = self.rows(study, table)
        return {
            "study": study,
            "title": (own.title or study) + (f" (carried out on {table})" if table else ""),
            "rows": [
                row.told | {"classes_id": self._classes_id(row)} | ({} if of_runs else {"runs": 0})
                for row in rows
                if of_runs or row.optimises
            ],
            "run_ids": self.run_ids(study, table) if of_runs else None,
        }

    def labels(self, study: str, table: str | None = None) -> list[str]:
        """Return what each row is called, with its dataset and features if there are several."""
        rows = self.rows(study, table)
        apart = [
            key for key in ("dataset", "features") if len({getattr(row, key) for row in rows}) > 1
        ]
        return [", ".join([row.label, *(getattr(row, key) for key in apart)]) for row in rows]

    def run_ids(self, study: str, table: str | None = None) -> list[str]:
        """Return the ids of all runs, seed by seed of row by row."""
        return [
            self._plan.run_id(row.dataset, row.features, row.run, seed)
            for row in self.rows(study, table)
            for seed in row.seeds
        ]

    def table_id(self, study: str, table: str | None = None) -> str:
        """Return the id of what a study's table is made from."""
        if self._study(study).shows == "neighbours":
            return self.classes_table_id(study, table)
        return digest("study", TABLE_REVISION, self.spec(study, table))

    def classes_table_id(self, study: str, table: str | None = None) -> str:
        """Return the id of what the table of a study's class embeddings is made from."""
        return digest("study classes", TABLE_REVISION, self.spec(study, table, of_runs=False))

    def _classes_id(self, row: StudyRow) -> str | None:
        """Return the id of the optimised class embeddings of a row."""
        if not row.optimises:
            return None
        return self._plan.classes_id(row.dataset, row.text, row.classes)

    def _study(self, name: str) -> Study:
        return self._plan.config.studies[name]

    def _check_names(self, study: Study) -> None:
        lacking = self.lacks(study.name)
        if lacking:
            known = self._plan.config
            hint = did_you_mean(lacking[0], {*known.datasets, *known.features})
            names = " and ".join(map(repr, lacking))
            raise ValueError(
                f"config.yaml: studies.{study.name} needs {names}, not in this configuration as "
                f"dataset or feature set. {hint} Add it, or carry the study out elsewhere: "
                f"results/tables/{{dataset}}_{{features}}/{study.name}.csv"
            )

    def _row(
        self, study: Study, variant: Variant, dataset: str, features: str, *, is_own: bool
    ) -> StudyRow:
        dataset, features = variant.dataset or dataset, variant.features or features
        resolved = resolve(self._plan.config, dataset, variant)
        options = self._plan.config.datasets[dataset].options
        seeds: Sequence[int] = self._plan.seeds if study.seeds is None else study.seeds
        text = self._plan.config.features[features]["text"]
        return StudyRow(
            label=variant.label,
            dataset=dataset,
            benchmark=options.get("benchmark"),
            split=options.get("split") if "benchmark" in options else None,
            features=features,
            text=text,
            method=variant.method,
            run=resolved.name,
            classes=resolved.classes,
            published=variant.published if is_own else None,
            seeds=tuple(seeds),
        )
