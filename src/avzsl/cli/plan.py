"""Print what config.yaml comes to: clips, classes and ids, without running anything.

example: avzsl plan
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), metavar="YAML")
    parser.add_argument(
        "--schema", type=Path, default=Path("workflow/schemas/config.schema.json"), metavar="JSON"
    )


def run(args: argparse.Namespace) -> None:
    """Print the plan."""
    import yaml

    from avzsl.config import load_config
    from avzsl.datasets.manifest import count_subsets
    from avzsl.planning import Plan

    raw = yaml.safe_load(args.config.read_text(encoding="utf-8")) or {}
    plan = Plan(load_config(raw, args.schema), Path.cwd())
    for name in plan.config.datasets:
        print(f"dataset {name}: {len(plan.shards(name))} shards, id {plan.manifest_id(name)}")
        print(count_subsets(plan.rows(name)))
    for name, encoder in plan.config.encoders.items():
        print(f"encoder {name}: {encoder.modality}, fingerprint {plan.fingerprint(name)}")
    for dataset in plan.config.datasets:
        for features in plan.config.features:
            table = f"results/{dataset}_{features}.csv"
            print(f"table {table}: id {plan.table_id(dataset, features)}")
