localrules:
    all,
    table,
    statistics,


rule table:
    """Mean and standard deviation over seeds, one row a method; printed, too."""
    input:
        lambda wc: runs(
            wc,
            "results/evaluations/{dataset}/{features}/{method}/seed{seed}.json",
        ),
    output:
        report(
            "results/{dataset}_{features}.csv",
            caption="../report/table.rst",
            category="{dataset}",
        ),
    log:
        "logs/table/{dataset}_{features}.log",
    benchmark:
        "logs/table/{dataset}_{features}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1_000,
        runtime="10m",
    params:
        table_id=lambda wc: PLAN.table_id(wc.dataset, wc.features),
        published=lambda wc: published_option(wc.dataset, wc.features),
        run_ids=lambda wc: to_json(PLAN.run_ids(wc.dataset, wc.features)),
    shell:
        "python -m avzsl --log {log} table --table-id {params.table_id}"
        " --run-ids {params.run_ids:q} {params.published}"
        " --out {output} -- {input:q}"


rule statistics:
    """Intervals over test clips, and differences between methods on the same clips."""
    input:
        lambda wc: runs(
            wc,
            "results/evaluations/{dataset}/{features}/{method}/seed{seed}.json",
        ),
    output:
        csv=report(
            "results/{dataset}_{features}.statistics.csv",
            caption="../report/statistics.rst",
            category="{dataset}",
        ),
        markdown="results/{dataset}_{features}.statistics.md",
    log:
        "logs/statistics/{dataset}_{features}.log",
    benchmark:
        "logs/statistics/{dataset}_{features}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2_000,
        runtime="10m",
    params:
        table_id=lambda wc: PLAN.table_id(wc.dataset, wc.features),
        run_ids=lambda wc: to_json(PLAN.run_ids(wc.dataset, wc.features)),
    shell:
        "python -m avzsl --log {log} statistics --table-id {params.table_id}"
        " --run-ids {params.run_ids:q}"
        " --out {output.csv} -- {input:q}"


rule figures:
    """Plots of a table's runs: the methods side by side, training curves, confusion."""
    input:
        evaluations=lambda wc: runs(
            wc,
            "results/evaluations/{dataset}/{features}/{method}/seed{seed}.json",
        ),
        histories=lambda wc: runs(
            wc, "results/models/{dataset}/{features}/{method}/seed{seed}.csv"
        ),
    output:
        methods=report(
            "results/figures/{dataset}_{features}/methods.png",
            caption="../report/methods.rst",
            category="{dataset}",
        ),
        training=report(
            "results/figures/{dataset}_{features}/training.png",
            caption="../report/training.rst",
            category="{dataset}",
        ),
        confusion=report(
            "results/figures/{dataset}_{features}/confusion.png",
            caption="../report/confusion.rst",
            category="{dataset}",
        ),
    log:
        "logs/figures/{dataset}_{features}.log",
    benchmark:
        "logs/figures/{dataset}_{features}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2_000,
        runtime="10m",
    params:
        run_ids=lambda wc: to_json(PLAN.run_ids(wc.dataset, wc.features)),
    shell:
        "python -m avzsl --log {log} figures --evaluations {input.evaluations:q}"
        " --run-ids {params.run_ids:q}"
        " --histories {input.histories:q} --methods {output.methods}"
        " --training {output.training} --confusion {output.confusion}"
