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
    """The result tables that config.yaml names, and their figures."""
    default_target: True
    input:
        TABLES,
        FIGURES,


onstart:
    set_aside_outdated_tables()
    set_aside_outdated_studies()
