"""What the studies of a configuration come to: rows, runs, files and ids of their tables.

A study stands on the datasets and feature sets that it names. It can be carried out on any other
table ``{dataset}_{features}`` as well, to try it or to compare: then rows that ask for a dataset or
a feature set of their own are left out, and no published number stands beside. Imports no torch.
"""

from __future__ import annotations

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
            **{key: getattr(self, key) for key in ("label", "dataset", "benchmark", "features")},
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

        Where ``studies_on`` is null, studies on datasets that are not configured are left out.
        """
        on: list[str] | None = self._plan.config.sections["studies_on"]
        if on is not None:
            return [(study, table) for table in on for study in self.names]
        known = self._plan.config
        return [
            (name, None)
            for name, study in known.studies.items()
            if set(study.datasets) <= set(known.datasets)
            and set(study.features) <= set(known.features)
        ]

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

    def spec(self, study: str, table: str | None = None) -> dict[str, Any]:
        """Return what ``avzsl study`` is told: title, rows, and the ids of the runs."""
        own = self._study(study)
        rows = self.rows(study, table)
        shows_runs = own.shows == "accuracy"
        return {
            "study": study,
            "title": (own.title or study) + (f" (carried out on {table})" if table else ""),
            "rows": [row.told for row in rows if shows_runs or row.optimises],
            "run_ids": self.run_ids(study, table) if shows_runs else None,
        }

    def run_ids(self, study: str, table: str | None = None) -> list[str]:
        """Return the ids of all runs, seed by seed of row by row."""
        return [
            self._plan.run_id(row.dataset, row.features, row.run, seed)
            for row in self.rows(study, table)
            for seed in row.seeds
        ]

    def classes_ids(self, study: str, table: str | None = None) -> list[str]:
        """Return the ids of the class embeddings of all rows that optimise."""
        return [
            self._plan.classes_id(row.dataset, row.text, row.classes)
            for row in self.rows(study, table)
            if row.optimises
        ]

    def table_id(self, study: str, table: str | None = None) -> str:
        """Return the id of what a study's tables are made from."""
        spec = self.spec(study, table)
        return digest("study", TABLE_REVISION, spec, self.classes_ids(study, table))

    def _study(self, name: str) -> Study:
        return self._plan.config.studies[name]

    def _check_names(self, study: Study) -> None:
        known = self._plan.config
        for what, names, there in (
            ("dataset", study.datasets, known.datasets),
            ("features", study.features, known.features),
        ):
            for name in names:
                if name not in there:
                    raise ValueError(
                        f"config.yaml: studies.{study.name}.{what}: there is no {name!r} in this "
                        f"configuration. {did_you_mean(name, there)} Add it, or carry the study "
                        f"out elsewhere: results/tables/{{dataset}}_{{features}}/{study.name}.csv"
                    )

    def _row(
        self, study: Study, variant: Variant, dataset: str, features: str, *, is_own: bool
    ) -> StudyRow:
        dataset, features = variant.dataset or dataset, variant.features or features
        if dataset not in self._plan.config.datasets:
            hint = did_you_mean(dataset, self._plan.config.datasets)
            raise ValueError(
                f"config.yaml: studies.{study.name}.variants.{variant.label}.dataset: there is no "
                f"dataset {dataset!r}. {hint}"
            )
        resolved = resolve(self._plan.config, dataset, variant)
        options = self._plan.config.datasets[dataset].options
        seeds: Sequence[int] = study.seeds or self._plan.seeds
        return StudyRow(
            label=variant.label,
            dataset=dataset,
            benchmark=options.get("benchmark"),
            features=features,
            text=self._plan.config.features[features]["text"],
            method=variant.method,
            run=resolved.name,
            classes=resolved.classes,
            published=variant.published if is_own else None,
            seeds=tuple(seeds),
        )
