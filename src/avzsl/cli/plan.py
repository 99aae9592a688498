"""Print what config.yaml comes to: clips, classes and ids, without running anything.

example: avzsl plan
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from avzsl.cli.arguments import add_configuration, read_configuration
from avzsl.sources.checkpoint import MissingWeightsError

if TYPE_CHECKING:
    from avzsl.planning import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_configuration(parser)


def run(args: argparse.Namespace) -> None:
    """Print the plan."""
    from avzsl.datasets.manifest import count_subsets
    from avzsl.planning import Plan

    plan = Plan(read_configuration(args), Path.cwd())
    os.environ["AVZSL_WEIGHTS"] = plan.config.sections["weights"]
    for name in plan.config.datasets:
        print(f"dataset {name}: {len(plan.shards(name))} shards, id {plan.manifest_id(name)}")
        print(count_subsets(plan.rows(name)))
    for name, encoder in plan.config.encoders.items():
        known = _known("fingerprint", plan.fingerprint, name)
        print(f"encoder {name}: {encoder.modality}, {known}")
    for dataset in plan.config.datasets:
        for features in plan.config.features:
            table = f"results/{dataset}_{features}.csv"
            print(f"table {table}: {_known('id', plan.table_id, dataset, features)}")
    _print_studies(plan)


def _print_studies(plan: Plan) -> None:
    """Print what the runs of each row of each study are called."""
    from avzsl.study_plan import StudyPlan

    studies = StudyPlan(plan)
    for study, table in studies.wanted():
        print(f"study {study}" + (f" on {table}" if table else ""))
        for row in studies.rows(study, table):
            place = f"{row.dataset}/{row.features}/{row.run}"
            print(f"  {row.label}: {place}, classes {row.classes}")


def _known(what: str, question: Callable[..., str], *names: str) -> str:
    """Return an id, or why there is none."""
    try:
        return f"{what} {question(*names)}"
    except MissingWeightsError:
        return "weights are missing"
    except (ValueError, OSError) as error:
        return "cannot be made: " + " ".join(str(error).split())
