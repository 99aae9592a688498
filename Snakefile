# From raw video to result tables. Edit config.yaml; the rules are in workflow/rules.
from snakemake.utils import min_version

min_version("9.19")


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/extract.smk"
include: "workflow/rules/published.smk"
include: "workflow/rules/classes.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/results.smk"
include: "workflow/rules/study_inputs.smk"
include: "workflow/rules/studies.smk"
include: "workflow/rules/report.smk"


rule all:
    """Every table and figure that config.yaml speaks of."""
    default_target: True
    input:
        TABLES,
        FIGURES,


onstart:
    set_aside_outdated_tables()
    set_aside_outdated_studies()
