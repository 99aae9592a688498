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
    """Plots of a table's runs: a figure of each kind, a panel a method."""
    input:
        evaluations=lambda wc: runs(
            wc,
            "results/evaluations/{dataset}/{features}/{method}/seed{seed}.json",
        ),
        histories=lambda wc: runs(
            wc, "results/models/{dataset}/{features}/{method}/seed{seed}.csv"
        ),
        # Of the first seed alone: one map a method.
        embeddings=lambda wc: expand(
            "results/evaluations/{dataset}/{features}/{method}/seed{seed}.h5",
            dataset=wc.dataset,
            features=wc.features,
            method=METHODS,
            seed=PLAN.seeds[0],
        ),
        classes=lambda wc: (
            f"results/classes/{wc.dataset}/{encoder_of('text')(wc)}/original.h5"
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
        bias=report(
            "results/figures/{dataset}_{features}/bias.png",
            caption="../report/bias.rst",
            category="{dataset}",
        ),
        per_class=report(
            "results/figures/{dataset}_{features}/per_class.png",
            caption="../report/per_class.rst",
            category="{dataset}",
        ),
        embeddings=report(
            "results/figures/{dataset}_{features}/embeddings.png",
            caption="../report/embeddings.rst",
            category="{dataset}",
        ),
        pdfs=expand(
            "results/figures/{{dataset}}_{{features}}/{name}.pdf",
            name=["methods", *RUN_FIGURES],
        ),
    log:
        "logs/figures/{dataset}_{features}.log",
    benchmark:
        "logs/figures/{dataset}_{features}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=3_000,
        runtime="30m",
    params:
        run_ids=lambda wc: to_json(PLAN.run_ids(wc.dataset, wc.features)),
        classes_id=lambda wc: PLAN.classes_id(
            wc.dataset, encoder_of("text")(wc), "original"
        ),
    shell:
        "python -m avzsl --log {log} figures"
        " methods training confusion bias classes embeddings"
        " --out {output.methods} {output.training} {output.confusion}"
        " {output.bias} {output.per_class} {output.embeddings}"
        " --evaluations {input.evaluations:q} --run-ids {params.run_ids:q}"
        " --histories {input.histories:q} --embeddings {input.embeddings:q}"
        " --classes {input.classes} --classes-id {params.classes_id}"
