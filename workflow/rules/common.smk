"""What config.yaml comes to, and what every rule shares. No rules."""

import contextlib
import os
import shlex
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
        snapshots=Path(".snakemake/avzsl"),
        is_job=not workflow.is_main_process,
    )
except (ValueError, LookupError, OSError) as error:
    raise WorkflowError(str(error)) from None

DATASETS = list(PLAN.config.datasets)
os.environ.update(AVZSL_WEIGHTS=PLAN.config.sections["weights"])
FEATURES = list(PLAN.config.features)
METHODS = list(PLAN.config.methods)
TABLES = [f"results/{table}.csv" for table in PLAN.config.tables]
FIGURES = [f"results/figures/{table}/methods.png" for table in PLAN.config.tables]

# Jobs run with the Python that runs Snakemake, activated or not, unless conda brings its own.
OWN_PYTHON = (
    ""
    if workflow.deployment_settings.deployment_method
    else f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
)

# The prefix says strict mode again, finds the package under `--sdm conda`, and hands over what
# must not make a job run again when it changes.
shell.prefix(
    "set -euo pipefail; "
    + OWN_PYTHON
    + " ".join(
        f"export {name}={shlex.quote(value)};".replace("{", "{{").replace("}", "}}")
        for name, value in {
            "PYTHONPATH": f"{workflow.basedir}/src",
            **PLAN.environment(),
        }.items()
    )
    + " "
)

# `--cores 8` alone must never start eight models on one card.
if "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", 1)

# A figure of runs by its file name -> what `avzsl figures` calls it.
RUN_FIGURES = {
    "training": "training",
    "confusion": "confusion",
    "bias": "bias",
    "per_class": "classes",
    "embeddings": "embeddings",
}

GPU = PLAN.gpus_per_job


def either(names):
    """A pattern that matches the names and nothing else."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    dataset=either(DATASETS),
    features=either(FEATURES),
    # a variant of a study is a method with digits: ez-avgzl@1f0c9a7b
    method=f"({either(PLAN.config.all_methods)})(@[0-9a-f]{{8}})?",
    study=either(PLAN.config.studies),
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
            for suffix in (".csv", ".statistics.csv"):
                table = Path(f"results/{dataset}_{features}{suffix}")
                if table.is_file():
                    # Without its weights or clips a table cannot be made anew: it is not of this
                    # run.
                    with contextlib.suppress(ValueError, LookupError, OSError):
                        set_aside_outdated(table, PLAN.table_id(dataset, features))


def published_option(dataset, features):
    """The option that puts the papers' numbers beside ours."""
    words = PLAN.published(dataset, features)
    return f"--published {' '.join(words)}" if words else ""


def planned(question, *args):
    """Ask the plan; what is wrong with the user's files ends the run in one clear line."""
    try:
        return question(*args)
    except (ValueError, LookupError, OSError) as error:
        raise WorkflowError(str(error)) from None


def texts_of(wildcards):
    """No file, but an error before anything runs where weights or a class's texts are missing."""
    planned(PLAN.classes_id, wildcards.dataset, wildcards.encoder, "original")
    return []


def source_of(wildcards):
    """No file, but an error before anything runs where weights, videos or an archive are missing."""
    planned(PLAN.fingerprint_for, wildcards.dataset, wildcards.encoder)
    return []


def dataset_is_there(wildcards):
    """No file, but an error before anything runs where a dataset cannot be listed."""
    planned(PLAN.listing, wildcards.dataset)
    return []


def demo_clips(wildcards):
    """The demo's files are made here; other datasets are on disk already, or it ends here."""
    planned(PLAN.listing, wildcards.dataset)
    made = PLAN.config.datasets[wildcards.dataset].kind == "demo"
    return f"resources/{wildcards.dataset}/clips.tsv" if made else []


def store_of(wildcards):
    """The dataset whose features a dataset uses."""
    return planned(PLAN.store, wildcards.dataset)


def index_of(modality):
    """The feature index that a run reads."""
    encoder = encoder_of(modality)
    return lambda wc: f"results/features/{store_of(wc)}/{encoder(wc)}/index.h5"


def shards_of(modality):
    """The shards behind an index: it is virtual, so who reads it reads them."""
    encoder = encoder_of(modality)
    return lambda wc: shard_files(store_of(wc), encoder(wc))


def shard_files(dataset, encoder):
    return [
        f"results/features/{dataset}/{encoder}/{shard}.h5"
        for shard in planned(PLAN.shards, dataset)
    ]


def features_id_of(modality):
    encoder = encoder_of(modality)
    return lambda wc: PLAN.features_id(wc.dataset, encoder(wc))


def variant_of(wildcards):
    return PLAN.classes_variant(wildcards.dataset, wildcards.method)


def classes_of(wildcards):
    """The class embeddings that a method uses, optimised or original."""
    text = encoder_of("text")(wildcards)
    variant = variant_of(wildcards).replace("raw", "original")
    return f"results/classes/{wildcards.dataset}/{text}/{variant}.h5"


def classes_id_of(wildcards):
    text = encoder_of("text")(wildcards)
    return PLAN.classes_id(wildcards.dataset, text, variant_of(wildcards))
