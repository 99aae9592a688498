# One page to judge the results by. Whatever stands on it is an input, so that it is made first; the
# benchmark files and logs of the jobs before are no outputs of rules and are read as they are.
include: "reported.smk"


localrules:
    report,


rule report:
    """One self-contained HTML page: tables, figures, data used, configuration, versions, times."""
    input:
        tables=TABLES,
        statistics=[f"results/{table}.statistics.csv" for table in PLAN.config.tables],
        figures=figures_reported,
        studies=study_tables_there,
        study_figures=study_figures_there,
        study_runs=study_runs_reported,
        study_summaries=study_summaries_reported,
        manifests=manifests_reported,
        indexes=indexes_reported,
        classes=classes_reported,
        evaluations=evaluations_reported,
    output:
        "results/report.html",
    log:
        "logs/report/report.log",
    benchmark:
        "logs/report/report.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2_000,
        runtime="10m",
    params:
        configuration=lambda wc: to_json(dict(config)),
        schema=lambda wc: f"{workflow.basedir}/workflow/schemas/config.schema.json",
        table_ids=table_ids_reported,
        captions=captions_reported,
        names=lambda wc: names_reported(),
        studies=studies_reported,
        # Folders, for the files of all runs would make the command line too long.
        evaluations=lambda wc: [
            f"results/evaluations/{table.dataset}/{table.features}"
            for table in tables_reported()
        ],
    shell:
        "python -m avzsl --log {log} report --configuration {params.configuration:q}"
        " --schema {params.schema:q} --tables {input.tables:q} --statistics {input.statistics:q}"
        " --figures {input.figures:q}"
        " --studies {input.studies:q} --study-figures {input.study_figures:q}"
        " --rows-of {params.studies:q}"
        " --data-of {params.names:q} --manifests {input.manifests:q} --indexes {input.indexes:q}"
        " --classes {input.classes:q} --evaluations {params.evaluations:q}"
        " --captions {params.captions:q} --table-ids {params.table_ids:q} --logs logs"
        " --out {output}"
