"""What config.yaml comes to, and what every rule shares. No rules."""

import glob
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, f"{workflow.basedir}/src")
from avzsl.config import load_config
from avzsl.planning import Plan, to_json
from avzsl.report.tables import set_aside_outdated

try:
    PLAN = Plan(
        load_config(config, f"{workflow.basedir}/workflow/schemas/config.schema.json"),
        Path.cwd(),
    )
    DATASETS = list(PLAN.config.datasets)
    for name in DATASETS:
        PLAN.rows(name)
except (ValueError, LookupError, OSError) as error:
    raise WorkflowError(str(error)) from None

FEATURES = list(PLAN.config.features)
METHODS = list(PLAN.config.methods)
TABLES = [f"results/{d}_{f}.csv" for d in DATASETS for f in FEATURES]
FIGURES = [f"results/figures/{d}_{f}/methods.png" for d in DATASETS for f in FEATURES]

# Strict mode must be said again with a prefix; PYTHONPATH survives `--sdm conda`.
shell.prefix(f"set -euo pipefail; export PYTHONPATH={workflow.basedir}/src; ")

# `--cores 8` alone must never start eight models on one card.
if "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", 1)

DEVICE = PLAN.config.sections["device"]
HAS_GPU = DEVICE.startswith("cuda") or (
    DEVICE == "auto" and bool(glob.glob("/dev/nvidia[0-9]*"))
)
GPU = 1 if HAS_GPU else 0


def either(names):
    """A pattern that matches the names and nothing else."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    dataset=either(DATASETS),
    features=either(FEATURES),
    method=either(METHODS),
    encoder=either(PLAN.config.encoders),
    shard=r"\d{4}",
    seed=r"\d+",


def options_of(section, name):
    return to_json(getattr(PLAN.config, section)[name].options)


def encoder_of(modality):
    """The encoder of a modality in the feature set of a rule."""
    return lambda wc: PLAN.config.features[wc.features][modality]


def runs(wildcards, pattern):
    """A file for every method and seed of a table."""
    return expand(
        pattern,
        dataset=wildcards.dataset,
        features=wildcards.features,
        method=METHODS,
        seed=PLAN.seeds,
    )


def set_aside_outdated_tables():
    """A table of another configuration must not stand as current if this run fails."""
    for dataset in DATASETS:
        for features in FEATURES:
            set_aside_outdated(
                Path(f"results/{dataset}_{features}.csv"),
                PLAN.table_id(dataset, features),
            )
